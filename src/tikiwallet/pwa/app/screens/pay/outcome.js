// What became of a payment: it arrived, it did not, or we are still finding out.
import { Button } from "../../components/controls.js";
import { Money } from "../../components/display.js";
import { Notice } from "../../components/feedback.js";
import { Icon } from "../../components/icons.js";
import { Screen } from "../../components/screen.js";
import { formatMoment } from "../../core/dates.js";
import { t, tryWords } from "../../core/i18n.js";
import { formatMoney } from "../../core/money.js";
import { wordsOf } from "../../core/problems.js";
import { navigate } from "../../core/router.js";
import { html } from "../../core/ui.js";
import { underWay } from "../../money/payment.js";

/** @typedef {import("../../money/payment.js").Payment} Payment */
/** @typedef {import("../../core/problems.js").Problem} Problem */

/** @param {Payment} payment @returns {string} "Mei Lin", "Mei Lin and Omar", "Mei Lin and 3 others" */
function toWhom({ names, content }) {
  const list = content.payees.map(({ to }) => names[to] ?? to);
  const [first = "", second = ""] = list;
  if (list.length === 1) return first;
  if (list.length === 2) return t("outcome.two", { first, second });
  return t("outcome.more", { first, count: list.length - 1 });
}

/** @param {{ payment: Payment, wallet: import("../../money/wallets.js").Wallet }} props */
export function Outcome({ payment, wallet }) {
  const state = payment.state.value;
  const money = { amount: payment.total, currency: payment.currency };
  const whom = toWhom(payment);
  if (state.stage === "done") {
    return html`<${Done} key="done" payment=${payment} told=${state.told} money=${money} whom=${whom} />`;
  }
  if (state.stage === "refused") {
    return html`<${Refused} key="refused" problem=${state.problem} money=${money} whom=${whom} wallet=${wallet} />`;
  }
  return html`<${FindingOut} key="wait" payment=${payment} state=${state} money=${money} whom=${whom} />`;
}

/** @param {{ payment: Payment, told: import("../../money/payment.js").Told, money: any, whom: string }} props */
const Done = ({ payment, told, money, whom }) => html`<${Screen}
  title=${t("outcome.paid")}
  bare
  end=${html`<${Button} href="/">${t("do.done")}<//>
    <${Button} variant="secondary" icon="receipt" href=${`/payments/${told.id}`}>${t("outcome.receipt")}<//>`}
>
  <div class="outcome outcome-good" role="status">
    <div class="outcome-sign"><${Icon} name="check" /></div>
    <p class="outcome-title" aria-hidden="true">${t("outcome.paid")}</p>
    <p><${Money} money=${money} large /></p>
    <p class="outcome-whom"><bdi>${t("outcome.to", { name: whom })}</bdi></p>
  </div>
  <dl class="facts card">
    <div><dt>${t("outcome.when")}</dt><dd>${formatMoment(told.created_at)}</dd></div>
    ${payment.content.memo && html`<div><dt>${t("memo.label")}</dt><dd><bdi>${payment.content.memo}</bdi></dd></div>`}
    <div>
      <dt>${t("outcome.balance")}</dt>
      <dd><${Money} money=${{ amount: told.balance.available, currency: told.balance.currency }} private /></dd>
    </div>
    <div><dt>${t("outcome.number")}</dt><dd><code class="number">${told.id}</code></dd></div>
  </dl>
<//>`;

/** @param {{ payment: Payment, state: any, money: any, whom: string }} props */
const FindingOut = ({ payment, state, money, whom }) => html`<${Screen}
  title=${t(state.stage === "unknown" ? "outcome.unknown" : "outcome.sending")}
  bare
  end=${state.stage === "unknown" &&
  html`<${Button} busy=${state.asking} icon="refresh" onClick=${payment.askNow}>${t("outcome.ask")}<//>
    <${Button} variant="quiet" href="/history">${t("outcome.history")}<//>`}
>
  <div class="outcome" role="status">
    <div class="outcome-sign outcome-turning"><${Icon} name=${state.stage === "unknown" ? "hourglass" : "send"} /></div>
    <p class="outcome-title">${t(state.stage === "unknown" ? "outcome.unknown" : "outcome.sending")}</p>
    <p><${Money} money=${money} large /></p>
    <p class="outcome-whom"><bdi>${t("outcome.to", { name: whom })}</bdi></p>
  </div>
  ${state.stage === "unknown" &&
  html`<${Notice} kind="warn" title=${t("outcome.unknown.title")}>
    ${t("outcome.unknown.text")}
    ${state.problem.code === "offline" && html` ${t("outcome.unknown.offline")}`}
  <//>`}
<//>`;

/** @param {Problem} problem @returns {{ label: string, href?: string, icon?: string } | null} what helps */
function wayOut({ code }) {
  if (code === "insufficient_funds") return { label: t("home.topup"), href: "/topup", icon: "plus" };
  if (code === "pin_not_set") return { label: t("pin.set"), href: "/security/pin", icon: "lock" };
  if (code === "account_frozen" || code === "account_closed") return { label: t("outcome.help"), href: "/help", icon: "help" };
  return null;
}

/** @param {{ problem: Problem, money: any, whom: string, wallet: import("../../money/wallets.js").Wallet }} props */
function Refused({ problem, money, whom, wallet }) {
  const way = wayOut(problem);
  const change = () => {
    underWay.value = null;
    navigate(problem.code === "unknown_recipient" ? "/pay" : "/pay?step=amount", { replace: true });
  };
  const words =
    tryWords(`refused.${problem.code}`, {
      name: whom,
      amount: formatMoney({ amount: wallet.available, currency: wallet.currency }),
    }) ?? wordsOf(problem);
  return html`<${Screen}
    title=${t("outcome.refused")}
    bare
    end=${html`${way && html`<${Button} href=${way.href} icon=${way.icon}>${way.label}<//>`}
      <${Button} variant=${way ? "secondary" : "primary"} onClick=${change}>${t("confirm.change")}<//>
      <${Button} variant="quiet" href="/">${t("outcome.leave")}<//>`}
  >
    <div class="outcome outcome-bad" role="alert">
      <div class="outcome-sign"><${Icon} name="close" /></div>
      <p class="outcome-title">${t("outcome.refused")}</p>
      <p><${Money} money=${money} large faded /></p>
      <p class="outcome-whom"><bdi>${t("outcome.to", { name: whom })}</bdi></p>
      <p class="outcome-why">${words}</p>
      <p class="soft">${t("outcome.unmoved")}</p>
    </div>
  <//>`;
}
