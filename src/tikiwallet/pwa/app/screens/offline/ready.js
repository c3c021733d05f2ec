// Setting money aside on this phone, or making it ready to be paid only. Needs a network, and the PIN.
import { AmountInput } from "../../components/amount.js";
import { Button, Choices } from "../../components/controls.js";
import { Money } from "../../components/display.js";
import { EmptyState, Notice, SkeletonList } from "../../components/feedback.js";
import { Select } from "../../components/fields.js";
import { Screen } from "../../components/screen.js";
import { reachable } from "../../core/api.js";
import { formatDate } from "../../core/dates.js";
import { t } from "../../core/i18n.js";
import { formatMoney } from "../../core/money.js";
import { havePasskeys } from "../../core/passkeys.js";
import { asProblem } from "../../core/problems.js";
import { useResource } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { me } from "../../core/session.js";
import { say } from "../../core/toasts.js";
import { html, useId, useState } from "../../core/ui.js";
import { mainWallet, wallets } from "../../money/wallets.js";
import { openPass, useHeld } from "../../offline/holdings.js";
import { getReady } from "../../offline/passes.js";
import { Unlock } from "./parts.js";

/** @typedef {import("../../money/wallets.js").Wallet} Wallet */

/** @param {import("../../core/router.js").ScreenProps} props */
export default function Ready({ query }) {
  useResource(wallets);
  const held = useHeld();
  const list = wallets.data.value;
  const [currency, setCurrency] = useState(query.get("currency"));
  const wallet = list?.find((one) => one.currency === currency) ?? (list && mainWallet(list));
  if (!reachable.value) {
    return html`<${Screen} title=${t("ready.title")} back="/offline">
      <${EmptyState} icon="offline" title=${t("error.offline.title")}>${t("off.start.online")}<//>
    <//>`;
  }
  if (!held || !list) return html`<${Screen} title=${t("ready.title")} back="/offline"><${SkeletonList} /><//>`;
  if (!wallet || me.value?.pin_set === false) return html`<${Missing} wallet=${wallet} />`;
  return html`<${Form} key=${wallet.id} held=${held} wallet=${wallet} list=${list} choose=${setCurrency} />`;
}

/** @param {{ wallet: Wallet | undefined }} props what has to be there first */
const Missing = ({ wallet }) => html`<${Screen} title=${t("ready.title")} back="/offline">
  <${EmptyState}
    icon=${wallet ? "lock" : "wallet"}
    title=${t(wallet ? "ready.no-pin" : "ready.no-wallet")}
    action=${html`<${Button} href=${wallet ? "/security/pin" : "/"}>${t(wallet ? "pin.set" : "home.open")}<//>`}
  />
<//>`;

/** @param {{ held: import("../../offline/holdings.js").Everything, wallet: Wallet, list: Wallet[],
 *   choose: (currency: string) => void }} props */
function Form({ held, wallet, list, choose }) {
  const id = useId();
  const { currency, available } = wallet;
  const before = openPass(held, currency);
  const [amount, setAmount] = useState(/** @type {number | null} */ (null));
  const [wrong, setWrong] = useState(/** @type {string | null} */ (null));
  const [lock, setLock] = useState(held.device?.protection ?? "pin");
  const [asked, setAsked] = useState(/** @type {number | null} */ (null));
  const money = { amount: amount ?? 0, currency };

  /** @param {string | null} pin */
  async function get(pin) {
    try {
      await getReady({ currency, amount: asked ?? 0, pin: /** @type {string} */ (pin), lock });
    } catch (error) {
      const { code, extra } = asProblem(error);
      if (code !== "pass_too_large" || !extra.most) throw error;
      setWrong(t("ready.most", { amount: formatMoney({ amount: extra.most, currency }) }));
      return setAsked(null);
    }
    say(asked ? t("ready.done", { amount: formatMoney({ amount: asked, currency }) }) : t("ready.done.receive"));
    return navigate("/offline", { replace: true });
  }
  /** @param {Event} event */
  function go(event) {
    event.preventDefault();
    if (!amount) setWrong(t("amount.empty"));
    else if (amount > available) setWrong(t("pay.short"));
    else setAsked(amount);
  }

  if (asked !== null) {
    return html`<${Screen} key="pin" title=${t("meet.pin")} back=${() => setAsked(null)}>
      <${Unlock} lock="pin" act=${get}>
        <div><p><${Money} money=${{ amount: asked, currency }} large /></p><p class="soft">${t(lock === "pin" ? "ready.pin.text" : "ready.pin.once")}</p></div>
      <//>
    <//>`;
  }
  return html`<${Screen}
    title=${t("ready.title")}
    back="/offline"
    end=${html`<${Button} type="submit" form=${id}>${amount ? t("ready.go", { amount: formatMoney(money) }) : t("do.continue")}<//>`}
  >
    <form id=${id} class="stack stack-l" novalidate onSubmit=${go}>
      <p class="soft">${t("ready.text")}</p>
      <${AmountInput}
        currency=${currency}
        amount=${amount}
        error=${wrong}
        autofocus
        onChange=${(/** @type {number | null} */ typed) => {
          setWrong(null);
          setAmount(typed);
        }}
      />
      <p class="soft centred small">${t("ready.have")} <${Money} money=${{ amount: available, currency }} private /></p>
      ${before &&
      before.left > 0 &&
      html`<${Notice} icon="undo">
        ${t("ready.before", { amount: formatMoney({ amount: before.left, currency }), back: formatDate(before.claimUntil) })}
      <//>`}
      ${list.length > 1 &&
      html`<${Select}
        label=${t("ready.wallet")}
        value=${currency}
        options=${list.map((one) => ({
          value: one.currency,
          label: `${one.currency} · ${formatMoney({ amount: one.available, currency: one.currency })}`,
        }))}
        onInput=${choose}
      />`}
      ${!held.device && havePasskeys() && html`<${HowToUnlock} lock=${lock} choose=${setLock} />`}
      ${!before && html`<${Button} variant="quiet" block onClick=${() => setAsked(0)}>${t("ready.nothing")}<//>`}
    </form>
  <//>`;
}

/** @param {{ lock: "pin" | "passkey", choose: (lock: "pin" | "passkey") => void }} props */
const HowToUnlock = ({ lock, choose }) => html`<section class="stack stack-s">
  <p class="field-label">${t("ready.lock")}</p>
  <${Choices}
    label=${t("ready.lock")}
    value=${lock}
    options=${[
      { value: "pin", label: t("ready.lock.pin"), icon: "lock" },
      { value: "passkey", label: t("ready.lock.passkey"), icon: "fingerprint" },
    ]}
    onChange=${choose}
  />
  <p class="small soft">${t(`ready.lock.${lock}.text`)}</p>
</section>`;
