// How much, for one person or several, and a memo.
import { AmountInput } from "../../components/amount.js";
import { Button, Choices, IconButton } from "../../components/controls.js";
import { Avatar, Money } from "../../components/display.js";
import { Notice } from "../../components/feedback.js";
import { Field, Select } from "../../components/fields.js";
import { Screen } from "../../components/screen.js";
import { t } from "../../core/i18n.js";
import { formatMoney, nameOf, readAmount, signOf, toTyped } from "../../core/money.js";
import { navigate } from "../../core/router.js";
import { html, useId, useState } from "../../core/ui.js";
import { amountsOf, changeDraft, changePayee, clearDraft, draft, MEMO_MAX, removePayee } from "../../money/draft.js";
import { underWay } from "../../money/payment.js";
import { Name, useNames } from "./names.js";

/** @typedef {import("../../money/wallets.js").Wallet} Wallet */
/** @typedef {import("../../money/draft.js").Payee} Payee */

/** @param {{ wallet: Wallet, list: Wallet[] }} props */
export function Amount({ wallet, list }) {
  const id = useId();
  useNames();
  const [wrong, setWrong] = useState(/** @type {string | null} */ (null));
  const [memoWrong, setMemoWrong] = useState(/** @type {string | null} */ (null));
  const { payees, shares, total, memo } = draft.value;
  const { currency, available } = wallet;
  const several = payees.length > 1;
  const amounts = amountsOf(draft.value);
  const sum = amounts?.reduce((all, one) => all + one, 0) ?? 0;
  const short = sum > available;
  const asked = draft.value.currency;
  const foreign = asked && asked !== currency && !list.some((one) => one.currency === asked);

  /** @param {Event} event */
  function go(event) {
    event.preventDefault();
    if (!amounts) return setWrong(t(several && total && shares === "equal" ? "amount.few" : "amount.empty"));
    if ([...memo].length > MEMO_MAX) return setMemoWrong(t("memo.long", { count: MEMO_MAX }));
    if (short) return undefined;
    underWay.value = null;
    return navigate("/pay?step=confirm");
  }
  const back = () => {
    clearDraft();
    navigate("/pay");
  };

  const end = html`<${Button} type="submit" form=${id} disabled=${short}>${t("do.continue")}<//>`;

  return html`<${Screen} title=${t("pay.title")} back=${back} end=${end}>
    <form id=${id} class="stack stack-l" novalidate onSubmit=${go}>
      <${Payees} several=${several} />
      ${foreign && html`<${Notice} kind="warn">${t("pay.foreign", { asked: nameOf(asked), currency: nameOf(currency) })}<//>`}
      ${several &&
      html`<${Choices}
        label=${t("shares.label")}
        value=${shares}
        options=${[
          { value: "equal", label: t("shares.equal"), icon: "users" },
          { value: "own", label: t("shares.own"), icon: "list" },
        ]}
        onChange=${(/** @type {"equal" | "own"} */ chosen) => changeDraft({ shares: chosen })}
      />`}
      ${several && shares === "own"
        ? html`<${OwnShares} currency=${currency} wrong=${wrong} />`
        : html`<${AmountInput}
            key=${currency}
            currency=${currency}
            amount=${total}
            label=${several ? t("shares.total") : undefined}
            error=${wrong}
            autofocus
            onChange=${(/** @type {number | null} */ amount) => {
              setWrong(null);
              changeDraft({ total: amount });
            }}
          />`}
      ${several && shares === "equal" && amounts && html`<p class="soft centred">
        ${t("shares.each", { amount: formatMoney({ amount: /** @type {number} */ (amounts.at(-1)), currency }) })}
      </p>`}
      ${several && shares === "own" && sum > 0 && html`<p class="soft centred">
        ${t("shares.sum", { amount: formatMoney({ amount: sum, currency }) })}
      </p>`}
      ${short &&
      html`<${Notice} kind="warn" live title=${t("pay.short")}>
        ${t("pay.short.text", { amount: formatMoney({ amount: available, currency }) })}
        <p><${Button} variant="quiet" small icon="plus" href="/topup">${t("home.topup")}<//></p>
      <//>`}
      ${list.length > 1
        ? html`<${Select}
            label=${t("pay.from")}
            value=${wallet.id}
            options=${list.map((one) => ({
              value: one.id,
              label: `${one.currency} · ${formatMoney({ amount: one.available, currency: one.currency })}`,
            }))}
            onInput=${(/** @type {string} */ id) => changeDraft({ wallet: id })}
          />`
        : html`<p class="soft centred small">
            ${t("pay.have")} <${Money} money=${{ amount: available, currency }} private />
          </p>`}
      <${Field}
        label=${t("memo.label")}
        optional
        hint=${t("memo.hint")}
        error=${memoWrong ?? undefined}
        value=${memo}
        maxlength=${MEMO_MAX}
        autocomplete="off"
        enterkeyhint="done"
        onInput=${(/** @type {string} */ text) => {
          setMemoWrong(null);
          changeDraft({ memo: text });
        }}
      />
    </form>
  <//>`;
}

/** @param {{ several: boolean }} props */
const Payees = ({ several }) => html`<div class="stack stack-s">
  <ul class="list">
    ${draft.value.payees.map(
      (payee) => html`<li key=${payee.to} class="item">
        <${Avatar} name=${payee.name ?? payee.to} />
        <span class="item-words">
          <span class="item-title"><${Name} payee=${payee} /></span>
          <span class="item-text"><bdi>${payee.to}</bdi></span>
        </span>
        ${several &&
        html`<${IconButton}
          icon="close"
          label=${t("who.remove", { name: payee.name ?? payee.to })}
          onClick=${() => removePayee(payee.to)}
        />`}
      </li>`,
    )}
  </ul>
  <p><${Button} variant="quiet" small icon="users" onClick=${() => navigate("/pay?step=add")}>${t(several ? "who.more" : "who.add")}<//></p>
</div>`;

/** @param {{ currency: string, wrong: string | null }} props an amount for each */
const OwnShares = ({ currency, wrong }) => html`<div class="stack">
  ${draft.value.payees.map((payee) => html`<${OwnShare} key=${payee.to + currency} payee=${payee} currency=${currency} wrong=${wrong} />`)}
</div>`;

/** @param {{ payee: Payee, currency: string, wrong: string | null }} props */
function OwnShare({ payee, currency, wrong }) {
  const [text, setText] = useState(payee.amount ? toTyped(payee.amount, currency) : "");
  const read = readAmount(text, currency);
  const own = "problem" in read && read.problem !== "empty" ? t(`amount.${read.problem}`, { count: 2, currency }) : null;
  return html`<${Field}
    label=${t("shares.of", { name: payee.name ?? payee.to })}
    value=${text}
    before=${signOf(currency)}
    inputmode="decimal"
    autocomplete="off"
    maxlength="24"
    error=${own ?? (wrong && !payee.amount ? wrong : undefined)}
    onInput=${(/** @type {string} */ typed) => {
      setText(typed);
      const now = readAmount(typed, currency);
      changePayee(payee.to, { amount: "amount" in now && now.amount > 0 ? now.amount : null });
    }}
  />`;
}
