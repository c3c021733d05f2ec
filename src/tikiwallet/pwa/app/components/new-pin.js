// A new PIN, entered twice.
import { t } from "../core/i18n.js";
import { asProblem, wordsOf } from "../core/problems.js";
import { html, useState } from "../core/ui.js";
import { PinPad } from "./pinpad.js";

/** @param {{ save: (pin: string) => Promise<void> }} props `save` throws Problem when it is refused */
export function NewPin({ save }) {
  const [first, setFirst] = useState("");
  const [error, setError] = useState(/** @type {string | null} */ (null));
  const [busy, setBusy] = useState(false);

  /** @param {string} pin */
  async function done(pin) {
    setError(null);
    if (!first) return setFirst(pin);
    setFirst("");
    if (pin !== first) return setError(t("pin.differ"));
    setBusy(true);
    try {
      await save(pin);
    } catch (refused) {
      setError(wordsOf(asProblem(refused)));
    } finally {
      setBusy(false);
    }
  }

  const label = t(first ? "pin.again" : "pin.choose");
  return html`<div class="stack stack-l centred">
    <h2>${label}</h2>
    <${PinPad} key=${first ? "again" : "first"} label=${label} onDone=${done} error=${error} busy=${busy} />
  </div>`;
}
