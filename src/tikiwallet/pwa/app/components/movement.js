// One entry of a history.
import { formatClock, formatWhen } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { html } from "../core/ui.js";
import { iconOf, isFinal, statusWords, titleOf } from "../money/words.js";
import { Avatar, Badge, Bullet, Money } from "./display.js";

/** @typedef {import("../money/wallets.js").Entry} Entry */

/** @param {{ entry: Entry, clock?: boolean }} props clock: the day is said above already */
export function Movement({ entry, clock = false }) {
  const { counterparty, created_at, direction, amount, memo, status } = entry;
  const when = clock ? formatClock(created_at) : formatWhen(created_at);
  return html`${counterparty.username
      ? html`<${Avatar} name=${counterparty.name} />`
      : html`<${Bullet} icon=${iconOf(entry.kind)} kind="gold" />`}
    <span class="item-words">
      <span class="item-title movement-line"><bdi>${titleOf(entry)}</bdi></span>
      <span class="item-text movement-line">${when}${memo && html` · <bdi>${memo}</bdi>`}</span>
    </span>
    <span class="item-end">
      <span class="unseen">${t(direction === "in" ? "entry.in" : "entry.out")}</span>
      <${Money} money=${amount} direction=${direction} faded=${status === "released"} private />
      ${!isFinal(entry) && html`<span class="movement-status"><${Badge} kind="gold">${statusWords(status)}<//></span>`}
    </span>`;
}

/** @param {{ entry: Entry }} props an entry that leads to its payment, inside `<ul class="list">` */
export const MovementItem = ({ entry }) => html`<li>
  <a class="item" href=${`/payments/${entry.payment_id}`}><${Movement} entry=${entry} /></a>
</li>`;
