// Six digits on keys of our own: no keyboard slides up, and the digits are never shown.
import { t } from "../core/i18n.js";
import { plainDigits } from "../core/money.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useState } from "../core/ui.js";
import { Icon } from "./icons.js";

/**
 * Calls `onDone` with the digits when all are there; empties itself when `error` changes to words.
 * @param {{ label: string, onDone: (pin: string) => void, error?: string | null, busy?: boolean,
 *   length?: number }} props
 */
export function PinPad({ label, onDone, error = null, busy = false, length = 6 }) {
  const [digits, setDigits] = useState("");
  const pad = useRef(/** @type {HTMLDivElement | null} */ (null));
  const typed = useRef("");
  typed.current = digits;

  useEffect(() => {
    if (error) setDigits("");
  }, [error, busy]);

  /** @param {string} digit */
  function press(digit) {
    if (busy || typed.current.length >= length) return;
    const next = typed.current + digit;
    typed.current = next;
    setDigits(next);
    if (next.length === length) onDone(next);
  }

  const erase = () => !busy && setDigits((before) => before.slice(0, -1));

  // Before the next frame: who types on keys must not lose the first one.
  useLayoutEffect(() => {
    pad.current?.focus({ preventScroll: true });
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      const inField = /** @type {Element} */ (event.target).closest?.("input, textarea, select");
      if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
      const digit = plainDigits(event.key);
      if (/^\d$/.test(digit)) press(digit);
      else if (event.key === "Backspace") erase();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [busy, onDone]);

  return html`<div
    class=${classes("pin", error && "pin-bad")}
    role="group"
    aria-label=${label}
    tabindex="-1"
    ref=${pad}
  >
    <div class="pin-dots" aria-hidden="true">
      ${Array.from({ length }, (_, i) => html`<i key=${i} class=${i < digits.length ? "on" : ""} />`)}
    </div>
    <p class="unseen" role="status">${t("pin.entered", { count: digits.length, of: length })}</p>
    ${error &&
    html`<p class="field-wrong" role="alert"><${Icon} name="wrong" /><span>${error}</span></p>`}
    <div class="pin-keys">
      ${"123456789".split("").map(
        (digit) => html`<button key=${digit} class="pin-key" type="button" onClick=${() => press(digit)}>
          ${digit}
        </button>`,
      )}
      <span />
      <button class="pin-key" type="button" onClick=${() => press("0")}>0</button>
      <button class="pin-key pin-key-plain" type="button" aria-label=${t("pin.erase")} onClick=${erase}>
        <${Icon} name="backspace" />
      </button>
    </div>
  </div>`;
}
