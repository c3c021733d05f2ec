// Reading a QR code: by the camera, from a picture, or from what was pasted.
import { Button } from "../../components/controls.js";
import { Camera } from "../../components/camera.js";
import { Field } from "../../components/fields.js";
import { Sheet } from "../../components/sheet.js";
import { t } from "../../core/i18n.js";
import { html, useState } from "../../core/ui.js";

/**
 * @param {{ onFound: (text: string) => void, onClose: () => void,
 *   wrong: (text: string) => string | null }} props `wrong` says why a text is of no use here
 */
export function Scanner({ onFound, onClose, wrong }) {
  const [text, setText] = useState("");
  const [textWrong, setTextWrong] = useState(/** @type {string | null} */ (null));

  /** @param {string} found */
  function take(found) {
    const words = wrong(found);
    if (!words) onFound(found);
    return words;
  }

  /** @param {Event} event */
  function fromText(event) {
    event.preventDefault();
    setTextWrong(take(text));
  }

  return html`<${Sheet} title=${t("scan.title")} onClose=${onClose}>
    <div class="stack">
      <${Camera} onText=${take} />
      <form class="stack stack-s" novalidate onSubmit=${fromText}>
        <${Field}
          label=${t("scan.text")}
          value=${text}
          error=${textWrong ?? undefined}
          autocomplete="off"
          autocapitalize="none"
          spellcheck=${false}
          maxlength="300"
          onInput=${(/** @type {string} */ typed) => {
            setText(typed);
            setTextWrong(null);
          }}
        />
        ${text && html`<${Button} type="submit">${t("do.continue")}<//>`}
      </form>
    </div>
  <//>`;
}
