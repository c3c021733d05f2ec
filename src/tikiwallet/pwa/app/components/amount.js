// The amount of a payment, as large as it matters.
import { t } from "../core/i18n.js";
import { exponentOf, readAmount, signOf, toTyped } from "../core/money.js";
import { html, useEffect, useId, useRef, useState } from "../core/ui.js";
import { Icon } from "./icons.js";

/** @param {string} text @param {string} currency @returns {string | null} what is wrong with it, in words */
export function amountProblem(text, currency) {
  const read = readAmount(text, currency);
  if (!("problem" in read)) return read.amount > 0 ? null : t("amount.zero");
  return t(`amount.${read.problem}`, { count: exponentOf(currency), currency });
}

/**
 * `onChange` gets minor units, or null while what stands there is no amount above zero.
 * @param {{ currency: string, amount?: number | null, onChange: (amount: number | null) => void,
 *   label?: string, error?: string | null, autofocus?: boolean }} props
 */
export function AmountInput({ currency, amount, onChange, label, error, autofocus = false }) {
  const id = useId();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  // The attribute alone works once a page, and the app is one page.
  useEffect(() => {
    if (autofocus) input.current?.focus();
  }, []);
  const [text, setText] = useState(amount ? toTyped(amount, currency) : "");
  const [left, setLeft] = useState(false);
  const own = left && text ? amountProblem(text, currency) : null;
  const wrong = error ?? own;

  /** @param {string} typed */
  function change(typed) {
    setText(typed);
    setLeft(false);
    const read = readAmount(typed, currency);
    onChange("amount" in read && read.amount > 0 ? read.amount : null);
  }

  return html`<div class="field">
    <label class=${label ? "field-label" : "unseen"} for=${id}>${label ?? t("amount.label")}</label>
    <div class="amount-box" dir="ltr">
      <span class="amount-sign" aria-hidden="true">${signOf(currency)}</span>
      <input
        id=${id}
        value=${text}
        placeholder="0"
        inputmode="decimal"
        autocomplete="off"
        enterkeyhint="next"
        maxlength="24"
        size=${Math.max(text.length, 2)}
        ref=${input}
        aria-invalid=${wrong ? "true" : undefined}
        aria-describedby=${wrong ? `${id}-wrong` : undefined}
        onInput=${(/** @type {{ currentTarget: HTMLInputElement }} */ event) =>
          change(event.currentTarget.value)}
        onBlur=${() => setLeft(true)}
      />
    </div>
    ${wrong &&
    html`<p class="field-wrong" id=${`${id}-wrong`}><${Icon} name="wrong" /><span>${wrong}</span></p>`}
  </div>`;
}
