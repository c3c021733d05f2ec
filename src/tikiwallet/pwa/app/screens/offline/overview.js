// Offline money: what this phone holds, until when, and how far each payment is.
import { Button, IconButton } from "../../components/controls.js";
import { Bullet, ListItem, Money } from "../../components/display.js";
import { EmptyState, ErrorState, Notice, SkeletonList } from "../../components/feedback.js";
import { Icon } from "../../components/icons.js";
import { Screen } from "../../components/screen.js";
import { reachable } from "../../core/api.js";
import { formatDate, formatWhen } from "../../core/dates.js";
import { t } from "../../core/i18n.js";
import { formatMoney, nameOf } from "../../core/money.js";
import { asProblem, wordsOf } from "../../core/problems.js";
import { say, sayProblem } from "../../core/toasts.js";
import { html } from "../../core/ui.js";
import { unreadable, useHeld } from "../../offline/holdings.js";
import { beginAnew, saveAll, sync, syncing } from "../../offline/sync.js";
import { PaymentItem } from "./parts.js";

/** @typedef {import("../../offline/holdings.js").Everything} Everything */
/** @typedef {import("../../offline/holdings.js").Held} Held */

export default function Overview() {
  const held = useHeld();
  return html`<${Screen} title=${t("off.title")} back="/">
    ${held === undefined
      ? unreadable.value
        ? html`<${ErrorState} problem=${unreadable.value} />`
        : html`<${SkeletonList} />`
      : html`<div class="stack stack-l">
          <${Condition} held=${held} />
          <${Passes} held=${held} />
          ${held.passes.length + held.exchanges.length > 0 && html`<${Payments} held=${held} />`}
        </div>`}
  <//>`;
}

/** @param {Everything} held @returns {"gone" | "lost" | "behind" | null} what is wrong with what was kept */
function doubtOf({ condition, passes }) {
  if (condition === "gone") return "gone";
  const doubts = new Set(passes.map(({ doubt }) => doubt));
  return doubts.has("lost") ? "lost" : doubts.has("behind") ? "behind" : null;
}

/** @param {{ held: Everything }} props */
function Condition({ held }) {
  const doubt = doubtOf(held);
  const begin = () => beginAnew().catch((error) => sayProblem(asProblem(error)));
  return (
    doubt &&
    html`<${Notice} kind="warn" live title=${t(`off.cond.${doubt}`)}>
      <p>${t(`off.cond.${doubt}.text`)}</p>
      ${doubt !== "behind" && html`<p><${Button} variant="quiet" small onClick=${begin}>${t("off.cond.begin")}<//></p>`}
    <//>`
  );
}

/** @param {{ held: Everything }} props */
function Passes({ held: { passes, exchanges } }) {
  const open = passes.filter(({ state }) => state === "open");
  const back = passes.filter(({ state, left }) => state !== "open" && left > 0);
  if (passes.length + exchanges.length === 0) return html`<${Beginning} />`;
  return html`${open.map((one) => html`<${Pass} key=${one.id} pass=${one} />`)}
    ${open.length === 0 && reachable.value && html`<${Button} block icon="plus" href="/offline/ready">${t("off.set")}<//>`}
    ${back.length > 0 &&
    html`<section class="section">
      <h2>${t("off.back")}</h2>
      <ul class="list">
        ${back.map(
          (one) => html`<${ListItem}
            key=${one.id}
            icon="undo"
            title=${html`<${Money} money=${{ amount: one.left, currency: one.currency }} private />`}
            text=${termOf(one)}
          />`,
        )}
      </ul>
    </section>`}`;
}

/** Nothing was ever set aside here. */
const Beginning = () => html`<div class="card stack">
  <${EmptyState} icon="offline" title=${t("off.lead")}>${t("off.lead.text")}<//>
  <ol class="off-steps">
    ${/** @type {const} */ (["off.step1", "off.step2", "off.step3"]).map((step) => html`<li key=${step}>${t(step)}</li>`)}
  </ol>
  ${reachable.value
    ? html`<${Button} block href="/offline/ready">${t("off.start")}<//>`
    : html`<${Notice}>${t("off.start.online")}<//>`}
</div>`;

/** @param {Held} pass @returns {string} */
function termOf({ state, amount, currency, mostPerPayment, expires, claimUntil }) {
  if (state === "closed") return t("off.closed", { back: formatDate(claimUntil) });
  if (!amount) return t("off.only-receive");
  if (state === "expired") return t("off.expired", { when: formatWhen(expires), back: formatDate(claimUntil) });
  const each = formatMoney({ amount: mostPerPayment, currency });
  return `${t("off.until", { when: formatWhen(expires) })} · ${t("off.each", { amount: each })}`;
}

/** @param {{ pass: Held }} props */
function Pass({ pass }) {
  const { currency, amount, left } = pass;
  const about = `?currency=${currency}`;
  return html`<section class="balance off-pass" aria-label=${nameOf(currency)}>
    <div class="balance-top"><h2>${t("off.left")} · ${nameOf(currency)}</h2></div>
    ${amount > 0 && html`<p><${Money} money=${{ amount: left, currency }} large private /></p>`}
    ${amount > 0 && left < amount && html`<p class="balance-part">${t("off.left.of", { amount: formatMoney({ amount, currency }) })}</p>`}
    <p class="balance-part"><${Icon} name=${amount ? "clock" : "receive"} /><span>${termOf(pass)}</span></p>
    <div class="balance-do off-do">
      ${left > 0 && html`<${Button} variant="gold" icon="pay" href="/offline/pay">${t("off.pay")}<//>`}
      <${Button} variant="deep" icon="receive" href=${`/offline/receive${about}`}>${t("off.receive")}<//>
    </div>
    ${reachable.value &&
    html`<div class="balance-do">
      <${Button} variant="deep" icon="plus" href=${`/offline/ready${about}`}>${t(amount ? "off.more" : "off.set")}<//>
      ${amount > 0 && html`<${Button} variant="deep" icon="undo" href=${`/offline/return/${pass.id}`}>${t("off.return")}<//>`}
    </div>`}
    <div class="carved" />
  </section>`;
}

/** @param {{ held: Everything }} props */
function Payments({ held }) {
  const { busy, problem } = syncing.value;
  const waiting = held.exchanges.filter((one) => one.waits).length;
  const save = () => {
    saveAll(held.exchanges);
    say(t("off.saved"));
  };
  return html`<section class="section stack">
      <div class="row row-apart section-bar">
        <h2>${t("off.payments")}</h2>
        ${reachable.value &&
        html`<${IconButton} icon="refresh" label=${t("off.settle")} aria-busy=${busy ? "true" : undefined} onClick=${() => void sync()} />`}
      </div>
      ${waiting > 0 &&
      html`<${Notice} icon="hourglass" title=${t("off.waiting", { count: waiting })}>
        <p>${t(busy ? "off.settling" : "off.waiting.text")}</p>
        ${problem && problem.code !== "offline" && html`<p>${wordsOf(problem)}</p>`}
      <//>`}
      ${held.exchanges.length
        ? html`<ul class="list">${held.exchanges.map((one) => html`<${PaymentItem} key=${one.id} one=${one} />`)}</ul>`
        : html`<div class="card card-sunken"><${EmptyState} icon="receipt" title=${t("off.none")}>${t("off.none.text")}<//></div>`}
    </section>
    <ul class="list">
      <${ListItem} icon="store" title=${t("near.title")} text=${t("near.scan")} href="/nearby" />
      <${ListItem} icon="phone" title=${t("off.devices")} text=${t("off.devices.text")} href="/offline/devices" />
      ${held.exchanges.length > 0 &&
      html`<${ListItem} leading=${html`<${Bullet} icon="download" kind="plain" />`} title=${t("off.save")} text=${t("off.save.text")} onClick=${save} />`}
    </ul>`;
}
