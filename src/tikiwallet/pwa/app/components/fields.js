// What is typed into. A field has its label above, and what is wrong directly below it.
import { t } from "../core/i18n.js";
import { plainDigits } from "../core/money.js";
import { wordsOf } from "../core/problems.js";
import { classes, html, useId, useState } from "../core/ui.js";
import { IconButton } from "./controls.js";
import { Notice } from "./feedback.js";
import { Icon } from "./icons.js";

/** @typedef {import("../core/ui.js").Children} Children */
/**
 * @typedef {object} FieldProps
 * @property {string} label
 * @property {string} [name]
 * @property {string} value
 * @property {(value: string) => void} onInput
 * @property {string} [error] words, shown beside the field
 * @property {string} [hint] shown while nothing is wrong
 * @property {boolean} [optional] says so in the label
 * @property {Children} [before] stands in the box before the text
 * @property {Children} [after] and after it
 * @property {string} [class]
 * Other attributes (`type`, `autocomplete`, `inputmode`, `maxlength`, ...) go to the input.
 */

/** @typedef {{ currentTarget: HTMLInputElement & HTMLSelectElement & HTMLTextAreaElement }} Typed */

/**
 * What every field has around its control; `control` is given the attributes that tie them together.
 * @param {{ label: string, error?: string | undefined, hint?: string | undefined,
 *   optional?: boolean | undefined, class?: string | undefined,
 *   control: (tied: Record<string, any>) => Children }} props
 */
export function Labelled({ label, error, hint, optional, class: more, control }) {
  const id = useId();
  const about = error ? `${id}-wrong` : hint ? `${id}-hint` : undefined;
  return html`<div class=${classes("field", error && "field-bad", more)}>
    <label class="field-label" for=${id}>
      ${label} ${optional && html`<span class="soft">(${t("field.optional")})</span>`}
    </label>
    ${control({ id, "aria-invalid": error ? "true" : undefined, "aria-describedby": about })}
    ${error &&
    html`<p class="field-wrong" id=${`${id}-wrong`}><${Icon} name="wrong" /><span>${error}</span></p>`}
    ${!error && hint && html`<p class="field-hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/** @param {FieldProps & Record<string, any>} props a line of text, or several with `rows` */
export function Field(props) {
  const { label, value, onInput, error, hint, optional, before, after, class: more, ...rest } = props;
  const tag = rest.rows ? "textarea" : "input";
  return html`<${Labelled}
    ...${{ label, error, hint, optional, class: more }}
    control=${(/** @type {Record<string, any>} */ tied) => html`<div class="field-box">
      ${before && html`<span class="field-affix">${before}</span>`}
      <${tag}
        ...${tied}
        ...${rest}
        value=${value}
        onInput=${(/** @type {Typed} */ event) => onInput(event.currentTarget.value)}
      />
      ${after}
    </div>`}
  />`;
}

/** @param {FieldProps & Record<string, any>} props a password that can be looked at */
export function PasswordField(props) {
  const [open, setOpen] = useState(false);
  return html`<${Field}
    autocomplete="current-password"
    autocapitalize="none"
    spellcheck=${false}
    ...${props}
    type=${open ? "text" : "password"}
    after=${html`<${IconButton}
      icon=${open ? "eye-off" : "eye"}
      label=${t(open ? "password.hide" : "password.show")}
      aria-pressed=${String(open)}
      onClick=${() => setOpen(!open)}
    />`}
  />`;
}

/**
 * A code of digits from a message or an authenticator; phones offer to fill it in.
 * @param {FieldProps & { length?: number } & Record<string, any>} props
 */
export function CodeField({ onInput, length = 6, ...rest }) {
  return html`<${Field}
    class="field-code"
    inputmode="numeric"
    autocomplete="one-time-code"
    enterkeyhint="done"
    maxlength=${length + 2}
    ...${rest}
    onInput=${(/** @type {string} */ text) =>
      onInput(plainDigits(text).replace(/\D/g, "").slice(0, length))}
  />`;
}

/**
 * One of many, by the device's own picker.
 * @param {{ label: string, name?: string, value: string, onInput: (value: string) => void,
 *   error?: string, hint?: string, options: { value: string, label: string }[] }} props
 */
export function Select({ label, value, onInput, error, hint, options, ...rest }) {
  return html`<${Labelled}
    ...${{ label, error, hint }}
    control=${(/** @type {Record<string, any>} */ tied) => html`<div class="field-box field-select">
      <select
        ...${tied}
        ...${rest}
        onChange=${(/** @type {Typed} */ event) => onInput(event.currentTarget.value)}
      >
        ${options.map(
          (one) => html`<option key=${one.value} value=${one.value} selected=${one.value === value}>
            ${one.label}
          </option>`,
        )}
      </select>
      <${Icon} name="down" />
    </div>`}
  />`;
}

/**
 * A form of `useForm`: sends on Enter, and says above its buttons what belongs to no field.
 * @param {{ form: import("../core/forms.js").FormState, children?: Children, class?: string }} props
 */
export const Form = ({ form, children, class: more }) => html`<form
  class=${classes("stack", more)}
  novalidate
  ref=${form.element}
  onSubmit=${form.submit}
>
  ${form.problem && html`<${Notice} kind="error" live>${wordsOf(form.problem)}<//>`} ${children}
</form>`;
