// What is pressed: buttons, switches, choices.
import { t } from "../core/i18n.js";
import { classes, html, useId } from "../core/ui.js";
import { Icon } from "./icons.js";

/** @typedef {import("../core/ui.js").Children} Children */
/** @typedef {import("./icons.js").IconName} IconName */

/**
 * A button, or a link that looks like one when it has `href`. Busy, it keeps its size and its focus.
 * @param {object} props
 * @param {Children} [props.children]
 * @param {"primary" | "secondary" | "soft" | "quiet" | "danger" | "danger-quiet" | "gold"} [props.variant]
 * @param {IconName} [props.icon]
 * @param {boolean} [props.busy]
 * @param {boolean} [props.block] as wide as its place
 * @param {boolean} [props.small]
 * @param {boolean} [props.disabled]
 * @param {string} [props.href]
 * @param {"button" | "submit"} [props.type]
 * @param {string} [props.class]
 * @param {(event: MouseEvent) => void} [props.onClick]
 * Other attributes (`aria-*`, `data-*`, `target`, `download`) are passed on.
 */
export function Button({
  children,
  variant = "primary",
  icon,
  busy = false,
  block = false,
  small = false,
  disabled = false,
  href,
  type = "button",
  class: more,
  onClick,
  ...rest
}) {
  const name = classes(
    "button",
    variant !== "primary" && `button-${variant}`,
    block && "button-block",
    small && "button-small",
    more,
  );
  const inside = html`${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>`;
  if (href !== undefined) {
    return html`<a class=${name} href=${href} onClick=${onClick} ...${rest}>${inside}</a>`;
  }
  return html`<button
    class=${name}
    type=${type}
    disabled=${disabled}
    aria-busy=${busy ? "true" : undefined}
    onClick=${busy ? undefined : onClick}
    ...${rest}
  >
    ${inside}
  </button>`;
}

/**
 * A button that is only an icon; `label` says what it does.
 * @param {{ icon: IconName, label: string, href?: string, variant?: string, class?: string,
 *   onClick?: (event: MouseEvent) => void, [rest: string]: any }} props
 */
export function IconButton({ icon, label, href, variant = "quiet", class: more, onClick, ...rest }) {
  const name = classes("button", `button-${variant}`, "button-icon", more);
  const inside = html`<${Icon} name=${icon} />`;
  if (href !== undefined) {
    return html`<a class=${name} href=${href} aria-label=${label} title=${label} onClick=${onClick} ...${rest}>
      ${inside}
    </a>`;
  }
  return html`<button
    class=${name}
    type="button"
    aria-label=${label}
    title=${label}
    onClick=${onClick}
    ...${rest}
  >
    ${inside}
  </button>`;
}

/**
 * On or off, at once.
 * @param {{ label: string, hint?: string, checked: boolean, disabled?: boolean,
 *   onChange: (checked: boolean) => void }} props
 */
export function Switch({ label, hint, checked, disabled = false, onChange }) {
  const id = useId();
  return html`<label class="switch" for=${id}>
    <span class="switch-words">
      <span class="item-title" id=${`${id}-label`}>${label}</span>
      ${hint && html`<span class="item-text" id=${`${id}-hint`}>${hint}</span>`}
    </span>
    <input
      id=${id}
      type="checkbox"
      role="switch"
      checked=${checked}
      disabled=${disabled}
      aria-labelledby=${`${id}-label`}
      aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {{ currentTarget: HTMLInputElement }} */ event) =>
        onChange(event.currentTarget.checked)}
    />
  </label>`;
}

/**
 * One of a few, all in sight.
 * @template {string} V
 * @param {{ label: string, value: V, onChange: (value: V) => void,
 *   options: { value: V, label: string, icon?: IconName }[] }} props
 */
export function Choices({ label, value, onChange, options }) {
  const name = useId();
  return html`<fieldset>
    <legend class="unseen">${label}</legend>
    <div class="choices">
      ${options.map(
        (one) => html`<label key=${one.value}>
          <input
            type="radio"
            name=${name}
            value=${one.value}
            checked=${one.value === value}
            onChange=${() => onChange(one.value)}
          />
          ${one.icon && html`<${Icon} name=${one.icon} />`}
          <span>${one.label}</span>
        </label>`,
      )}
    </div>
  </fieldset>`;
}

/**
 * A filter that is on or off.
 * @param {{ pressed: boolean, onClick: () => void, icon?: IconName, children?: Children }} props
 */
export const Chip = ({ pressed, onClick, icon, children }) => html`<button
  class="chip"
  type="button"
  aria-pressed=${String(pressed)}
  onClick=${onClick}
>
  ${icon && html`<${Icon} name=${icon} />`}${children}
</button>`;

/** @param {{ text: () => string | Promise<string>, label?: string, bare?: boolean }} props `bare`: only its icon */
export function CopyButton({ text, label = t("do.copy"), bare = false }) {
  const copy = async () => {
    const { say } = await import("../core/toasts.js");
    try {
      await navigator.clipboard.writeText(await text());
      say(t("copied"));
    } catch {
      say(t("copy.failed"), { kind: "error" });
    }
  };
  if (bare) return html`<${IconButton} icon="copy" label=${label} onClick=${copy} />`;
  return html`<${Button} variant="secondary" icon="copy" small onClick=${copy}>${label}<//>`;
}
