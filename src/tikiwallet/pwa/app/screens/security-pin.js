// The payment PIN: set, change, or begin anew when it is forgotten.
import { Button } from "../components/controls.js";
import { Notice, SkeletonList } from "../components/feedback.js";
import { NewPin } from "../components/new-pin.js";
import { PinPad } from "../components/pinpad.js";
import { Screen } from "../components/screen.js";
import { Sheet } from "../components/sheet.js";
import { del, put } from "../core/api.js";
import { t } from "../core/i18n.js";
import { Problem, asProblem } from "../core/problems.js";
import { goBack } from "../core/router.js";
import { keepMe, me } from "../core/session.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @param {boolean} pin_set */
const remember = (pin_set) => me.value && keepMe({ ...me.value, pin_set });

export default function Pin() {
  const [current, setCurrent] = useState("");
  const [error, setError] = useState(/** @type {string | null} */ (null));
  const [forgotten, setForgotten] = useState(false);
  const person = me.value;

  /** @param {string} pin */
  async function save(pin) {
    try {
      await strongly(() => put("/v1/me/pin", current ? { pin, current_pin: current } : { pin }));
    } catch (refused) {
      if (!(refused instanceof Problem)) throw refused;
      // It is the present PIN that was wrong: back to it.
      if (refused.code === "pin_wrong") {
        setCurrent("");
        setError(t("problem.pin_wrong"));
        return;
      }
      if (refused.code === "current_pin_required") remember(true);
      throw refused;
    }
    remember(true);
    say(t("pin.saved"));
    goBack("/security");
  }

  const askCurrent = person?.pin_set && !current;
  return html`<${Screen} title=${t("pin.title")} back="/security">
    ${!person
      ? html`<${SkeletonList} />`
      : askCurrent
        ? html`<div class="stack stack-l centred">
            <h2>${t("pin.current")}</h2>
            <${PinPad}
              label=${t("pin.current")}
              error=${error}
              onDone=${(/** @type {string} */ pin) => {
                setError(null);
                setCurrent(pin);
              }}
            />
            <${Button} variant="quiet" onClick=${() => setForgotten(true)}>${t("pin.forgot")}<//>
          </div>`
        : html`<${NewPin} save=${save} />`}
    ${forgotten && html`<${Forgotten} close=${() => setForgotten(false)} />`}
  <//>`;
}

/** @param {{ close: () => void }} props */
function Forgotten({ close }) {
  const [busy, setBusy] = useState(false);
  async function remove() {
    setBusy(true);
    try {
      await strongly(() => del("/v1/me/pin"));
      remember(false);
      close();
    } catch (error) {
      sayProblem(asProblem(error));
      setBusy(false);
    }
  }
  return html`<${Sheet} title=${t("pin.forgot")} onClose=${close}>
    <div class="stack">
      <p>${t("pin.forgot.text")}</p>
      <${Notice} kind="warn">${t("pin.forgot.limit")}<//>
      <${Button} block busy=${busy} onClick=${remove}>${t("pin.forgot.do")}<//>
      <${Button} variant="quiet" block onClick=${close}>${t("do.cancel")}<//>
    </div>
  <//>`;
}
