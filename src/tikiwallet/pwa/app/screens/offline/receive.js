// Being paid without a network: who pays, how much; then one's own signed request as a code.
import { AmountInput } from "../../components/amount.js";
import { Button } from "../../components/controls.js";
import { EmptyState, SkeletonList } from "../../components/feedback.js";
import { Field, Select } from "../../components/fields.js";
import { PhoneField } from "../../components/phone.js";
import { Screen } from "../../components/screen.js";
import { t } from "../../core/i18n.js";
import { formatMoney, nameOf } from "../../core/money.js";
import { navigate } from "../../core/router.js";
import { html, useId, useState } from "../../core/ui.js";
import { openPass, useHeld } from "../../offline/holdings.js";
import { ask } from "../../offline/meeting.js";
import { Unlock, unlockTitle } from "./parts.js";

const MEMO_MAX = 24; // bytes of UTF-8
const utf8 = new TextEncoder();

/** @param {import("../../core/router.js").ScreenProps} props */
export default function ReceiveOffline({ query }) {
  const held = useHeld();
  if (!held) return html`<${Screen} title=${t("off.receive")} back="/offline"><${SkeletonList} /><//>`;
  const open = held.passes.filter((one) => one.state === "open");
  const first = openPass(held, query.get("currency") ?? "") ?? open[0];
  if (!first) {
    return html`<${Screen} title=${t("off.receive")} back="/offline">
      <${EmptyState} icon="receive" title=${t("meet.request.none")} action=${html`<${Button} href="/offline/ready">${t("off.start")}<//>`}>
        ${t("meet.request.none.text")}
      <//>
    <//>`;
  }
  /** @param {string} made */
  const done = (made) => navigate(`/offline/with/${made}`, { replace: true });
  return html`<${Asking} open=${open} first=${first} back="/offline" done=${done} />`;
}

/** @typedef {import("../../offline/holdings.js").Held} Held */

/**
 * From a wish to a signed request.
 * @param {{ open: Held[], first: Held, back: string | (() => void), done: (made: string) => void, link?: boolean }} props
 *   link: no code is shown
 */
export function Asking({ open, first, back, done, link = false }) {
  const id = useId();
  const [pass, setPass] = useState(first);
  const [phone, setPhone] = useState("");
  const [amount, setAmount] = useState(/** @type {number | null} */ (null));
  const [memo, setMemo] = useState("");
  const [wrong, setWrong] = useState(/** @type {{ phone?: string, amount?: string, memo?: string }} */ ({}));
  const [sure, setSure] = useState(false);
  const { currency } = pass;

  /** @param {Event} event */
  function go(event) {
    event.preventDefault();
    const bad = {
      ...(/^\+[1-9]\d{6,14}$/.test(phone) ? {} : { phone: t("meet.number.form") }),
      ...(amount ? {} : { amount: t("amount.empty") }),
      ...(utf8.encode(memo.trim()).length > MEMO_MAX ? { memo: t("meet.memo.long") } : {}),
    };
    setWrong(bad);
    if (Object.keys(bad).length === 0) setSure(true);
  }
  /** @param {string | null} pin */
  async function sign(pin) {
    done(await ask({ pass: pass.id, phone, amount: amount ?? 0, memo: memo.trim() }, pin));
  }

  if (sure) {
    return html`<${Screen} key="unlock" title=${unlockTitle(pass.lock)} back=${() => setSure(false)}>
      <${Unlock} lock=${pass.lock} act=${sign}>
        <p>${t("meet.pin.ask", { amount: formatMoney({ amount: amount ?? 0, currency }) })}</p>
      <//>
    <//>`;
  }
  return html`<${Screen}
    title=${t("off.receive")}
    back=${back}
    end=${html`<${Button} type="submit" form=${id} icon=${link ? undefined : "qr"}>${t(link ? "do.continue" : "meet.request.go")}<//>`}
  >
    <form id=${id} class="stack stack-l" novalidate onSubmit=${go}>
      <${PhoneField}
        label=${t("meet.number.payer")}
        hint=${t("meet.number.payer.hint")}
        value=${phone}
        error=${wrong.phone}
        autocomplete="off"
        onInput=${(/** @type {string} */ typed) => {
          setPhone(typed);
          setWrong({ ...wrong, phone: undefined });
        }}
      />
      <${AmountInput}
        key=${currency}
        currency=${currency}
        amount=${amount}
        error=${wrong.amount}
        onChange=${(/** @type {number | null} */ typed) => {
          setAmount(typed);
          setWrong({ ...wrong, amount: undefined });
        }}
      />
      ${open.length > 1 &&
      html`<${Select}
        label=${t("wallet.currency")}
        value=${pass.id}
        options=${open.map((one) => ({ value: one.id, label: `${one.currency} · ${nameOf(one.currency)}` }))}
        onInput=${(/** @type {string} */ chosen) => setPass(open.find((one) => one.id === chosen) ?? first)}
      />`}
      <${Field}
        label=${t("meet.memo")}
        optional
        value=${memo}
        error=${wrong.memo}
        maxlength=${MEMO_MAX}
        autocomplete="off"
        enterkeyhint="done"
        onInput=${(/** @type {string} */ typed) => {
          setMemo(typed);
          setWrong({ ...wrong, memo: undefined });
        }}
      />
    </form>
  <//>`;
}
