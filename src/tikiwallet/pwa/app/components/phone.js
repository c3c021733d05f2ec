// A phone number with its country. What leaves here is "+6591234567", whichever way it was typed.
import {
  diallingCode,
  guessCountry,
  listCountries,
  readDialling,
} from "../core/countries.js";
import { t } from "../core/i18n.js";
import { plainDigits } from "../core/money.js";
import { html, useMemo, useState } from "../core/ui.js";
import { Labelled } from "./fields.js";
import { Icon } from "./icons.js";

/** @typedef {{ currentTarget: HTMLInputElement & HTMLSelectElement }} Typed */

/** @param {string} phone @returns {{ country: string, rest: string }} */
function split(phone) {
  const digits = phone.replace(/\D/g, "");
  const read = phone.startsWith("+") ? readDialling(digits) : null;
  if (!read) return { country: guessCountry(), rest: digits };
  return { country: read.country, rest: digits.slice(read.dial.length) };
}

/**
 * @param {{ label: string, name?: string, value: string, onInput: (phone: string) => void,
 *   error?: string, hint?: string, autocomplete?: string }} props
 */
export function PhoneField({ label, name, value, onInput, error, hint, autocomplete = "tel" }) {
  const [{ country, rest }, setParts] = useState(() => split(value));
  const countries = useMemo(listCountries, []);

  /** @param {string} chosen @param {string} typed */
  function change(chosen, typed) {
    const plain = plainDigits(typed);
    const digits = plain.replace(/\D/g, "");
    // A number that was pasted or filled in with its country code says the country itself.
    const whole = /^\s*(\+|00)/.test(plain) && readDialling(digits.replace(/^00/, ""));
    if (whole) {
      setParts({ country: whole.country, rest: digits.replace(/^00/, "").slice(whole.dial.length) });
      onInput(`+${digits.replace(/^00/, "")}`);
      return;
    }
    setParts({ country: chosen, rest: typed });
    onInput(digits ? `+${diallingCode(chosen)}${digits}` : "");
  }

  return html`<${Labelled}
    ...${{ label, error, hint }}
    control=${(/** @type {Record<string, any>} */ tied) => html`<div class="field-box" dir="ltr">
      <span class="phone-country">
        <span aria-hidden="true">${country} +${diallingCode(country)}</span>
        <${Icon} name="down" />
        <select
          aria-label=${t("phone.country")}
          onChange=${(/** @type {Typed} */ event) => change(event.currentTarget.value, rest)}
        >
          ${countries.map(
            (one) => html`<option
              key=${one.country}
              value=${one.country}
              selected=${one.country === country}
            >
              ${one.name} +${diallingCode(one.country)}
            </option>`,
          )}
        </select>
      </span>
      <input
        ...${tied}
        name=${name}
        type="tel"
        inputmode="tel"
        autocomplete=${autocomplete}
        value=${rest}
        onInput=${(/** @type {Typed} */ event) => change(country, event.currentTarget.value)}
      />
    </div>`}
  />`;
}
