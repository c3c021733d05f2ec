// Topping up from a card. In the sandbox the cards are test cards, each with its own fate.
import { AmountInput } from "../components/amount.js";
import { Button, Chip } from "../components/controls.js";
import { Bullet, Money } from "../components/display.js";
import { ErrorState, Notice, SkeletonList } from "../components/feedback.js";
import { Icon } from "../components/icons.js";
import { Screen } from "../components/screen.js";
import { Select } from "../components/fields.js";
import { t, tryWords } from "../core/i18n.js";
import { exponentOf, formatMoney } from "../core/money.js";
import { wordsOf } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { navigate } from "../core/router.js";
import { html, useEffect, useState } from "../core/ui.js";
import { cancelTopUp, startTopUp, topUp } from "../money/topup.js";
import { mainWallet, wallets } from "../money/wallets.js";

/** @typedef {import("../money/wallets.js").Wallet} Wallet */
/** @typedef {import("../components/icons.js").IconName} IconName */

/** What each test card shows; the first is the usual case. */
const CARDS = /** @type {const} */ ([
  { method: "pm_card_visa", key: "good", icon: "check" },
  { method: "pm_card_authenticationRequired", key: "challenge", icon: "shield" },
  { method: "pm_tiki_late", key: "late", icon: "hourglass" },
  { method: "pm_card_chargeDeclined", key: "declined", icon: "close" },
  { method: "pm_card_chargeDeclinedInsufficientFunds", key: "short", icon: "coin" },
]);
const SUGGESTED = [20, 50, 100, 500];

/** @param {string} currency @returns {number[]} round sums that buy about the same everywhere */
function suggestions(currency) {
  const unit = 10 ** exponentOf(currency);
  const scale = { JPY: 100, KRW: 1000, IDR: 10_000, VND: 20_000, INR: 50, PHP: 50, THB: 20, NGN: 1000, KES: 100, EGP: 20, BTC: 1e-5, ETH: 1e-3 };
  const by = scale[/** @type {keyof typeof scale} */ (currency)] ?? 1;
  return SUGGESTED.map((amount) => Math.round(amount * by * unit));
}

export default function TopUp() {
  useResource(wallets);
  const list = wallets.data.value;
  const problem = wallets.problem.value;
  useEffect(() => {
    if (list?.length === 0) navigate("/", { replace: true });
  }, [list]);
  if (topUp.value.stage !== "form") return html`<${Progress} />`;
  return html`<${Screen} title=${t("topup.title")} back="/">
    ${list?.length
      ? html`<${Choose} list=${list} />`
      : problem
        ? html`<${ErrorState} problem=${problem} retry=${() => void wallets.refresh()} busy=${wallets.loading.value} />`
        : html`<${SkeletonList} />`}
  <//>`;
}

/** @param {{ list: Wallet[] }} props */
function Choose({ list }) {
  const [id, setId] = useState(mainWallet(list)?.id);
  const [amount, setAmount] = useState(/** @type {number | null} */ (null));
  const [round, setRound] = useState(0); // drawn anew when a suggestion is taken
  const [method, setMethod] = useState(/** @type {string} */ (CARDS[0].method));
  const [wrong, setWrong] = useState(/** @type {string | null} */ (null));
  const wallet = /** @type {Wallet} */ (list.find((one) => one.id === id) ?? list[0]);
  const { currency } = wallet;
  const state = topUp.value;
  const problem = state.stage === "form" ? state.problem : undefined;
  const sandbox = document.documentElement.dataset.sandbox === "true";
  if (!sandbox) return html`<${Notice} kind="warn" title=${t("topup.none")}>${t("topup.none.text")}<//>`;

  /** @param {Event} event */
  function go(event) {
    event.preventDefault();
    if (!amount) return setWrong(t("amount.empty"));
    return void startTopUp({ wallet: wallet.id, amount: { amount, currency }, method });
  }

  return html`<form class="stack stack-l" novalidate onSubmit=${go}>
    ${problem && html`<${Notice} kind="error" live>${wordsOf(problem)}<//>`}
    ${list.length > 1 &&
    html`<${Select}
      label=${t("topup.into")}
      value=${wallet.id}
      options=${list.map((one) => ({
        value: one.id,
        label: `${one.currency} · ${formatMoney({ amount: one.available, currency: one.currency })}`,
      }))}
      onInput=${(/** @type {string} */ chosen) => {
        setId(chosen);
        setAmount(null);
      }}
    />`}
    <${AmountInput}
      key=${`${currency} ${round}`}
      currency=${currency}
      amount=${amount}
      error=${wrong}
      onChange=${(/** @type {number | null} */ now) => {
        setWrong(null);
        setAmount(now);
      }}
    />
    <div class="row chips" role="group" aria-label=${t("topup.suggested")}>
      ${suggestions(currency).map(
        (one) => html`<${Chip}
          key=${one}
          pressed=${one === amount}
          onClick=${() => {
            setWrong(null);
            setAmount(one);
            setRound(round + 1);
          }}
          >${formatMoney({ amount: one, currency })}<//
        >`,
      )}
    </div>
    <fieldset>
      <legend class="field-label">${t("topup.card")}</legend>
      <p class="field-hint">${t("topup.card.hint")}</p>
      <div class="list cards">
        ${CARDS.map(
          (card) => html`<label key=${card.method} class="item">
            <${Bullet} icon=${card.icon} kind=${card.key === "good" ? undefined : "plain"} />
            <span class="item-words">
              <span class="item-title">${t(`card.${card.key}`)}</span>
              <span class="item-text">${t(`card.${card.key}.text`)}</span>
            </span>
            <input
              type="radio"
              name="method"
              value=${card.method}
              checked=${card.method === method}
              onChange=${() => setMethod(card.method)}
            />
          </label>`,
        )}
      </div>
    </fieldset>
    <${Button} type="submit" icon="plus">
      ${amount ? t("topup.go", { amount: formatMoney({ amount, currency }) }) : t("topup.title")}
    <//>
  </form>`;
}

/** @type {Record<string, { icon: IconName, look: string }>} */
const LOOKS = {
  sending: { icon: "card", look: "outcome-turning" },
  waiting: { icon: "hourglass", look: "outcome-turning" },
  asked: { icon: "shield", look: "outcome-asked" },
  done: { icon: "check", look: "outcome-good" },
  failed: { icon: "close", look: "outcome-bad" },
};

/** How far it is, in plain words. */
function Progress() {
  const state = topUp.value;
  useEffect(
    () => () => {
      if (topUp.peek().stage === "done" || topUp.peek().stage === "failed") cancelTopUp();
    },
    [],
  );
  if (state.stage === "form") return null;
  const { icon, look } = /** @type {{ icon: IconName, look: string }} */ (LOOKS[state.stage]);
  const words =
    state.stage === "failed"
      ? (tryWords(`decline.${state.code}`) ?? t("decline.other"))
      : t(`topup.${state.stage}.text`);
  const title = t(`topup.${state.stage}`);
  const { amount } = state.request;
  return html`<${Screen} key=${state.stage} title=${title} bare end=${html`<${ProgressEnd} />`}>
    <div class=${`outcome ${look}`} role="status">
      <div class="outcome-sign"><${Icon} name=${icon} /></div>
      <p class="outcome-title" aria-hidden="true">${title}</p>
      <p><${Money} money=${amount} large faded=${state.stage === "failed"} /></p>
      <p class="outcome-why">${words}</p>
      ${state.stage === "failed" && html`<p class="soft">${t("topup.uncharged")}</p>`}
    </div>
    ${"problem" in state &&
    state.problem &&
    html`<${Notice} kind="warn" live>${wordsOf(state.problem)}<//>`}
  <//>`;
}

function ProgressEnd() {
  const state = topUp.value;
  if (state.stage === "asked") {
    if (!state.isSandbox) {
      return html`<${Button} icon="external" href=${state.url}>${t("topup.to-bank")}<//>`;
    }
    return html`<${Button} busy=${state.busy} onClick=${() => void state.answer("approve")}>${t("topup.approve")}<//>
      <${Button} variant="secondary" busy=${state.busy} onClick=${() => void state.answer("decline")}>
        ${t("topup.refuse")}
      <//>`;
  }
  if (state.stage === "done") return html`<${Button} href="/">${t("do.done")}<//>`;
  if (state.stage === "failed") {
    return html`<${Button} onClick=${cancelTopUp}>${t("topup.other")}<//>
      <${Button} variant="quiet" href="/">${t("outcome.leave")}<//>`;
  }
  if (state.stage === "waiting") return html`<${Button} variant="secondary" href="/">${t("topup.leave")}<//>`;
  return null;
}
