// What is read: money, people, entries of lists.
import { t } from "../core/i18n.js";
import { formatMoney, moneyParts } from "../core/money.js";
import { hideBalance } from "../core/preferences.js";
import { classes, html } from "../core/ui.js";
import { Icon } from "./icons.js";

/** @typedef {import("../core/ui.js").Children} Children */
/** @typedef {import("./icons.js").IconName} IconName */

/**
 * An amount. `direction` colours it and gives it its sign; `private` follows "hide balance".
 * @param {{ money: import("../core/money.js").Money, direction?: "in" | "out", large?: boolean,
 *   private?: boolean, faded?: boolean }} props
 */
export function Money({ money, direction, large = false, private: secret = false, faded = false }) {
  const name = classes(
    "money",
    large && "money-large",
    direction === "in" && "money-in",
    faded && "money-faded",
  );
  if (secret && hideBalance.value) {
    return html`<span class=${name}><span aria-hidden="true">••••</span><span class="unseen">${t("hidden")}</span></span>`;
  }
  if (!large) {
    const signed = direction === "out" ? { ...money, amount: -money.amount } : money;
    return html`<bdi class=${name}>${formatMoney(signed, { sign: direction !== undefined })}</bdi>`;
  }
  return html`<bdi class=${name}>
    ${moneyParts(money).map(
      ({ type, value }, i) => html`<span
        key=${i}
        class=${type === "currency" ? "money-currency" : /decimal|fraction/.test(type) ? "money-fraction" : undefined}
        >${value}</span
      >`,
    )}
  </bdi>`;
}

/**
 * A person without a picture: initials on a colour that stays theirs.
 * @param {{ name: string, large?: boolean }} props
 */
export function Avatar({ name, large = false }) {
  const words = name.replace(/^@/, "").split(/[\s._]+/).filter(Boolean);
  const initials = words
    .slice(0, 2)
    .map((word) => [...word][0])
    .join("");
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 997;
  return html`<span class=${classes("avatar", `avatar-${sum % 6}`, large && "avatar-large")} aria-hidden="true">
    ${initials || html`<${Icon} name="you" />`}
  </span>`;
}

/** @param {{ icon: IconName, kind?: "gold" | "danger" | "plain" }} props an icon on a patch of colour */
export const Bullet = ({ icon, kind }) => html`<span class=${classes("bullet", kind && `bullet-${kind}`)}>
  <${Icon} name=${icon} />
</span>`;

/**
 * An entry of a list: a link with `href`, a button with `onClick`, else plain. Put it in `<ul class="list">`.
 * @param {{ leading?: Children, icon?: IconName, iconKind?: "gold" | "danger" | "plain", title: Children,
 *   text?: Children, end?: Children, href?: string, onClick?: () => void, danger?: boolean,
 *   arrow?: boolean }} props
 */
export function ListItem({
  leading,
  icon,
  iconKind,
  title,
  text,
  end,
  href,
  onClick,
  danger = false,
  arrow = href !== undefined,
}) {
  const inside = html`${leading ?? (icon && html`<${Bullet} icon=${icon} kind=${iconKind} />`)}
    <span class="item-words">
      <span class="item-title">${title}</span>
      ${text && html`<span class="item-text">${text}</span>`}
    </span>
    ${end && html`<span class="item-end">${end}</span>`} ${arrow && html`<${Icon} name="next" />`}`;
  const name = classes("item", danger && "item-danger");
  return html`<li>
    ${href !== undefined
      ? html`<a class=${name} href=${href}>${inside}</a>`
      : onClick
        ? html`<button class=${name} type="button" onClick=${onClick}>${inside}</button>`
        : html`<div class=${name}>${inside}</div>`}
  </li>`;
}

/** @param {{ kind?: "good" | "gold" | "danger" | "brand", children?: Children }} props */
export const Badge = ({ kind, children }) =>
  html`<span class=${classes("badge", kind && `badge-${kind}`)}>${children}</span>`;

/** The mark: a T that is the brow and nose of a carved face. */
export const Mark = () => html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false">
  <path fill="var(--deep)" d="M10 3h28a8 8 0 0 1 8 8v14c0 12-9 20-22 20S2 37 2 25V11a8 8 0 0 1 8-8z" />
  <path fill="var(--gold)" d="M9 13.5c0-1.400 1.100-2.500 2.500-2.500h25c1.400 0 2.500 1.100 2.500 2.500S37.900 16 36.500 16H28v13a4 4 0 0 1-8 0V16h-8.500A2.500 2.500 0 0 1 9 13.500z" />
  <circle fill="var(--gold)" cx="13.500" cy="22" r="2.700" />
  <circle fill="var(--gold)" cx="34.500" cy="22" r="2.700" />
  <path fill="none" stroke="var(--gold)" stroke-width="2.600" stroke-linecap="round" d="M15 36.500c5.500 3 12.500 3 18 0" />
</svg>`;

/** @param {{ href?: string }} props */
export const Brand = ({ href = "/" }) => html`<a class="brand" href=${href}><${Mark} />TikiWallet</a>`;
