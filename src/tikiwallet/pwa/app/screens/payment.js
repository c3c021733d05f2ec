// One payment: its receipt, what else can be done with it, its proof and its private note.
import { Button } from "../components/controls.js";
import { Avatar, Badge, Bullet, Money } from "../components/display.js";
import { Age, ErrorState, SkeletonList } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { get } from "../core/api.js";
import { formatMoment } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { me } from "../core/session.js";
import { recall, remember } from "../core/storage.js";
import { html, useEffect, useState } from "../core/ui.js";
import { receiptText, repeatLink } from "../money/receipts.js";
import { share } from "../money/share.js";
import { iconOf, kindWords, statusWords } from "../money/words.js";
import { PrivateNote } from "./payment/note.js";
import { ProofOf } from "./payment/proof.js";

/** @typedef {import("../money/wallets.js").Party} Party */
/** @typedef {import("../core/money.js").Money} MoneyOf */
/** @typedef {{ leg: number, status: "posted" | "held" | "released", payer: Party, payee: Party, amount: MoneyOf, remaining: MoneyOf, log_number: number }} Posting */
/** @typedef {{ id: string, kind: string, status: "posted" | "held" | "released", created_at: string, memo: string | null, refers_to: string | null, postings: Posting[] }} PaymentOf */

/** @param {string} id @returns what is known of it, from the cache first */
function usePayment(id) {
  const [state, setState] = useState(
    /** @type {{ payment?: PaymentOf, at?: number, problem?: import("../core/problems.js").Problem | null }} */ ({}),
  );
  const load = async () => {
    try {
      const payment = await get(`/v1/payments/${id}`);
      setState({ payment, at: Date.now() });
      void remember(`payment ${id}`, payment);
    } catch (error) {
      setState((before) => ({ ...before, problem: asProblem(error) }));
    }
  };
  useEffect(() => {
    void recall(`payment ${id}`).then((seen) => {
      if (seen) setState((before) => (before.payment ? before : { ...before, payment: seen.data, at: seen.at }));
    });
    void load();
  }, [id]);
  return { ...state, load };
}

/** @param {import("../core/router.js").ScreenProps} props */
export default function Payment({ params }) {
  const id = params["id"] ?? "";
  const { payment, at, problem = null, load } = usePayment(id);
  return html`<${Screen} title=${t("payment.title")} back="/history">
    ${payment
      ? html`<${Age} at=${at} problem=${problem} /><${Receipt} payment=${payment} />`
      : problem
        ? html`<${ErrorState} problem=${problem} retry=${load} />`
        : html`<${SkeletonList} />`}
  <//>`;
}

/** @param {{ payment: PaymentOf }} props */
function Receipt({ payment }) {
  const { id, kind, status, created_at, memo, postings, refers_to } = payment;
  const own = me.value?.username;
  const first = /** @type {Posting} */ (postings[0]);
  const isOut = first.payer.username === own;
  const others = postings.map((one) => (isOut ? one.payee : one.payer));
  const other = /** @type {Party} */ (others[0]);
  const { currency } = first.amount;
  const amount = { amount: postings.reduce((sum, one) => sum + one.amount.amount, 0), currency };
  const back = postings.reduce((sum, one) => sum + one.amount.amount - one.remaining.amount, 0);
  const people = others.filter(({ username }) => username).map(({ username }) => `@${username}`);
  const single = postings.length === 1;
  const entry = /** @type {import("../money/wallets.js").Entry} */ ({
    id, payment_id: id, kind, status, created_at, memo, amount,
    counterparty: other, direction: isOut ? "out" : "in",
  }); // prettier-ignore
  const again = single ? repeatLink(entry) : null;
  const name = other.username ? other.name : kindWords(kind);

  return html`<div class="stack stack-l">
    <section class="card ticket">
      ${other.username && single ? html`<${Avatar} name=${other.name} large />` : html`<${Bullet} icon=${single ? iconOf(kind) : "users"} kind="gold" />`}
      <p class="soft">${t(isOut ? "payment.to" : "payment.from")}</p>
      <p class="ticket-name"><bdi>${single ? name : t("payment.people", { count: postings.length })}</bdi></p>
      ${other.username && single && html`<p class="soft"><bdi>@${other.username}</bdi></p>`}
      <p class="confirm-amount"><${Money} money=${amount} large direction=${isOut ? "out" : "in"} faded=${status === "released"} /></p>
      <p><${Badge} kind=${status === "posted" ? "good" : "gold"}>${statusWords(status)}<//></p>
      ${status !== "posted" && html`<p class="small soft">${t(status === "held" ? "payment.held" : "payment.released")}</p>`}
      ${back > 0 && status === "posted" && html`<p class="small">${t("payment.given-back")} <${Money} money=${{ amount: back, currency }} /></p>`}
      <div class="carved" />
    </section>
    <div class="row two">
      ${again && html`<${Button} icon=${isOut ? "repeat" : "pay"} href=${again}>${t(isOut ? "entry.repeat" : "payment.pay-back")}<//>`}
      <${Button} variant="secondary" icon="share" onClick=${() => share({ text: receiptText(entry) })}>${t("payment.share")}<//>
    </div>
    <section class="section">
      <h2>${t("payment.receipt")}</h2>
      <dl class="facts card">
        <div><dt>${t("outcome.when")}</dt><dd>${formatMoment(created_at)}</dd></div>
        <div><dt>${t("payment.kind")}</dt><dd>${kindWords(kind)}</dd></div>
        ${memo && html`<div><dt>${t("memo.label")}</dt><dd><bdi class="memo">${memo}</bdi></dd></div>`}
        <div><dt>${t("confirm.fee")}</dt><dd>${t("confirm.no-fee")}</dd></div>
        ${refers_to && html`<div><dt>${t("payment.refers")}</dt><dd><a href=${`/payments/${refers_to}`}>${t("payment.earlier")}</a></dd></div>`}
        <div><dt>${t("outcome.number")}</dt><dd><code class="number">${id}</code></dd></div>
      </dl>
    </section>
    ${!single && html`<${Postings} postings=${postings} isOut=${isOut} />`}
    ${people.length > 0 && kind === "payment" && html`<${PrivateNote} payment=${id} people=${people} name=${single ? name : t("payment.people", { count: postings.length })} />`}
    <${ProofOf} payment=${id} />
  </div>`;
}

/** @param {{ postings: Posting[], isOut: boolean }} props each one's part */
const Postings = ({ postings, isOut }) => html`<section class="section">
  <h2>${t("payment.postings")}</h2>
  <ul class="list">
    ${postings.map((one) => {
      const party = isOut ? one.payee : one.payer;
      return html`<li class="item" key=${one.leg}>
        <${Avatar} name=${party.name} />
        <span class="item-words">
          <span class="item-title"><bdi>${party.name}</bdi></span>
          <span class="item-text">${statusWords(one.status)}</span>
        </span>
        <span class="item-end"><${Money} money=${one.amount} /></span>
      </li>`;
    })}
  </ul>
</section>`;
