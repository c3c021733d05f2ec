// Paying: who, how much, the name in words, PIN or passkey, the outcome. One address, one step each.
import { Screen } from "../components/screen.js";
import { SkeletonList, ErrorState } from "../components/feedback.js";
import { t } from "../core/i18n.js";
import { useResource } from "../core/resource.js";
import { navigate } from "../core/router.js";
import { html, useEffect } from "../core/ui.js";
import { addPayee, amountsOf, changeDraft, clearDraft, draft } from "../money/draft.js";
import { readQuery } from "../money/links.js";
import { contacts, knownName } from "../money/people.js";
import { paymentOf, underWay } from "../money/payment.js";
import { mainWallet, recent, wallets } from "../money/wallets.js";
import { Amount } from "./pay/amount.js";
import { Confirm } from "./pay/confirm.js";
import { Outcome } from "./pay/outcome.js";
import { Who } from "./pay/who.js";

/** @typedef {import("../money/wallets.js").Wallet} Wallet */

const FINDING_OUT = new Set(["sending", "unknown", "done", "refused"]);

/** @param {Wallet[]} list @returns {Wallet | undefined} the one that the draft is paid from */
function payingWallet(list) {
  const { wallet, currency } = draft.value;
  return (
    list.find(({ id }) => id === wallet) ??
    list.find((one) => one.currency === currency) ??
    mainWallet(list)
  );
}

/** @param {URLSearchParams} query a link's wishes become the draft */
function takeUp(query) {
  const asked = readQuery(query);
  clearDraft();
  underWay.value = null;
  if (!asked) return navigate("/pay?step=unreadable", { replace: true });
  addPayee(asked.to, knownName(asked.to));
  changeDraft({
    memo: asked.memo ?? "",
    total: asked.money?.amount ?? null,
    currency: asked.money?.currency ?? null,
  });
  navigate("/pay?step=amount", { replace: true });
}

/** @param {import("../core/router.js").ScreenProps} props */
export default function Pay({ query }) {
  useResource(wallets);
  useResource(contacts);
  const noContacts = contacts.problem.value !== null && contacts.data.value === undefined;
  useEffect(() => {
    if (noContacts) void recent.refresh();
  }, [noContacts]);
  const isLink = query.has("to");
  const list = wallets.data.value;
  const wallet = list && payingWallet(list);
  const payment = underWay.value;

  useEffect(() => {
    if (isLink) takeUp(query);
    // Begun anew: whom one chose last time and left is not paid along.
    else if (!query.has("step") && !draft.peek().sent) clearDraft();
  }, [query]);
  useEffect(() => {
    // Sent before a reload, and the answer never seen: asked again under the same key.
    if (payment || !draft.peek().sent || !wallet) return;
    const again = paymentOf(draft.peek(), wallet);
    if (!again) return;
    underWay.value = again;
    void again.resume();
  }, [payment, wallet]);
  useEffect(
    () => () => {
      // What ended is told once.
      const stage = underWay.peek()?.state.peek().stage;
      if (stage && stage !== "unknown" && stage !== "sending") underWay.value = null;
    },
    [],
  );

  const step = query.get("step") ?? "";
  if (isLink) return null;
  if (!list || !wallet) return html`<${NoWallet} list=${list} />`;
  if (payment && FINDING_OUT.has(payment.state.value.stage)) {
    return html`<${Outcome} key="outcome" payment=${payment} wallet=${wallet} />`;
  }
  const { payees } = draft.value;
  if (step === "confirm" && amountsOf(draft.value)) {
    return html`<${Confirm} key="confirm" wallet=${wallet} />`;
  }
  if ((step === "amount" || step === "confirm") && payees.length) {
    return html`<${Amount} key="amount" wallet=${wallet} list=${list} />`;
  }
  return html`<${Who} key="who" step=${step} />`;
}

/** @param {{ list: Wallet[] | undefined }} props */
function NoWallet({ list }) {
  const problem = wallets.problem.value;
  useEffect(() => {
    if (list) navigate("/", { replace: true });
  }, [list]);
  return html`<${Screen} title=${t("pay.title")} back="/">
    ${problem
      ? html`<${ErrorState} problem=${problem} retry=${() => void wallets.refresh()} busy=${wallets.loading.value} />`
      : html`<${SkeletonList} />`}
  <//>`;
}
