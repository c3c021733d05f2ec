// The last look before money moves: the name in words, the amount, then PIN or passkey where needed.
import { Button } from "../../components/controls.js";
import { Avatar, Money } from "../../components/display.js";
import { Notice } from "../../components/feedback.js";
import { PinPad } from "../../components/pinpad.js";
import { Screen } from "../../components/screen.js";
import { get } from "../../core/api.js";
import { t } from "../../core/i18n.js";
import { formatMoney } from "../../core/money.js";
import { havePasskeys } from "../../core/passkeys.js";
import { waitWords, wordsOf } from "../../core/problems.js";
import { navigate } from "../../core/router.js";
import { html, useEffect, useState } from "../../core/ui.js";
import { amountsOf, draft } from "../../money/draft.js";
import { paymentOf, underWay } from "../../money/payment.js";
import { Name, told, useNames } from "./names.js";

/** @typedef {import("../../money/wallets.js").Wallet} Wallet */

/** @param {{ wallet: Wallet }} props */
export function Confirm({ wallet }) {
  const names = useNames();
  const payment = underWay.value;
  const state = payment?.state.value ?? { stage: "ready" };
  if (payment && state.stage === "pin") return html`<${AskPin} payment=${payment} state=${state} />`;

  const { payees, memo } = draft.value;
  const amounts = /** @type {number[]} */ (amountsOf(draft.value));
  const { currency, available } = wallet;
  const sum = amounts.reduce((all, one) => all + one, 0);
  const money = { amount: sum, currency };
  const single = payees.length === 1 ? payees[0] : undefined;
  const bad = names.problem && "problem" in names.problem ? names.problem.problem : null;
  const problem = "problem" in state ? state.problem : null;

  const pay = () => {
    const next = paymentOf(draft.value, wallet);
    if (!next) return;
    underWay.value = next;
    void next.start();
  };
  const words = single
    ? t("confirm.pay-to", { amount: formatMoney(money), name: nameIn(single) })
    : t("confirm.pay-all", { amount: formatMoney(money), count: payees.length });

  return html`<${Screen}
    title=${t("confirm.title")}
    back=${() => navigate("/pay?step=amount")}
    end=${bad
      ? html`<${Button} variant="secondary" onClick=${() => navigate("/pay?step=amount")}>${t("confirm.change")}<//>`
      : html`<${Button} disabled=${!names.complete} onClick=${pay}><bdi>${words}</bdi><//>`}
  >
    <div class="stack stack-l">
      ${single
        ? html`<div class="confirm">
            <${Avatar} name=${nameIn(single)} large />
            <p class="soft">${t("confirm.to")}</p>
            <p class="confirm-name"><${Name} payee=${single} /></p>
            ${nameIn(single) !== single.to && html`<p class="soft"><bdi>${single.to}</bdi></p>`}
            <p class="confirm-amount"><${Money} money=${money} large /></p>
          </div>`
        : html`<div class="confirm">
              <p class="soft">${t("confirm.total")}</p>
              <p class="confirm-amount"><${Money} money=${money} large /></p>
            </div>
            <ul class="list">
              ${payees.map(
                (payee, i) => html`<li key=${payee.to} class="item">
                  <${Avatar} name=${nameIn(payee)} />
                  <span class="item-words">
                    <span class="item-title"><${Name} payee=${payee} /></span>
                    <span class="item-text"><bdi>${payee.to}</bdi></span>
                  </span>
                  <span class="item-end"><${Money} money=${{ amount: amounts[i], currency }} /></span>
                </li>`,
              )}
            </ul>`}
      ${bad &&
      html`<${Notice} kind="error" live title=${t("confirm.no-name")}>
        ${bad.code === "unknown_recipient" ? t("confirm.unknown") : wordsOf(bad)}
        ${bad.isTransient && html`<p><${Button} variant="quiet" small onClick=${names.retry}>${t("do.retry")}<//></p>`}
      <//>`}
      ${problem && html`<${Notice} kind="error" live>${wordsOf(problem)}<//>`}
      ${!bad && html`<${Notice} icon="shield">${t("confirm.check")}<//>`}
      <dl class="facts card">
        ${memo.trim() && html`<div><dt>${t("memo.label")}</dt><dd><bdi>${memo.trim()}</bdi></dd></div>`}
        <div><dt>${t("confirm.fee")}</dt><dd>${t("confirm.no-fee")}</dd></div>
        <div>
          <dt>${t("confirm.after")}</dt>
          <dd><${Money} money=${{ amount: available - sum, currency }} private /></dd>
        </div>
      </dl>
    </div>
  <//>`;
}

/** @param {import("../../money/draft.js").Payee} payee */
function nameIn(payee) {
  const found = told.value[payee.to];
  return found && "name" in found ? found.name : (payee.name ?? payee.to);
}

/** @param {import("../../core/problems.js").Problem | undefined} problem */
function pinWords(problem) {
  if (!problem) return null;
  const { code, extra } = problem;
  if (code === "pin_wrong" && extra.tries_left !== undefined) return t("pin.wrong-left", { count: extra.tries_left });
  const wait = problem.retryAfter ?? extra.retry_after;
  if (code === "pin_locked" && wait) return t("pin.locked-for", { time: waitWords(wait) });
  return wordsOf(problem);
}

/** @returns {boolean} whether this person has a passkey to confirm with */
function usePasskeyOffer() {
  const [has, setHas] = useState(false);
  useEffect(() => {
    if (!havePasskeys()) return;
    get("/v1/me/second-factors").then(
      ({ passkeys }) => setHas(passkeys.length > 0),
      () => {}, // without an answer the PIN does
    );
  }, []);
  return has;
}

/** @param {{ payment: import("../../money/payment.js").Payment,
 *   state: { stage: "pin", problem?: any, busy?: boolean } }} props */
function AskPin({ payment, state }) {
  const passkey = usePasskeyOffer();
  const names = Object.values(payment.names);
  const amount = formatMoney({ amount: payment.total, currency: payment.currency });
  const locked = state.problem?.code === "pin_locked";
  return html`<${Screen} title=${t("pin.title")} back=${() => payment.cancel()} key="pin">
    <div class="stack stack-l centred">
      <p>
        ${names.length === 1
          ? html`<bdi>${t("confirm.pay-to", { amount, name: names[0] ?? "" })}</bdi>`
          : t("confirm.pay-all", { amount, count: names.length })}
      </p>
      <${PinPad}
        label=${t("pin.title")}
        busy=${state.busy || locked}
        error=${pinWords(state.problem)}
        onDone=${(/** @type {string} */ pin) => void payment.withPin(pin)}
      />
      ${passkey &&
      html`<${Button} variant="soft" icon="fingerprint" busy=${state.busy} onClick=${() => void payment.withPasskey()}>
        ${t("pin.passkey")}
      <//>`}
      <p><${Button} variant="quiet" small href="/security/pin">${t("pin.forgot")}<//></p>
    </div>
  <//>`;
}
