// Paying without a network: scan their request, type their number, look at who and how much, sign.
import { Button } from "../../components/controls.js";
import { Avatar, Money } from "../../components/display.js";
import { Camera } from "../../components/camera.js";
import { EmptyState, Notice, SkeletonList } from "../../components/feedback.js";
import { PhoneField } from "../../components/phone.js";
import { Screen } from "../../components/screen.js";
import { t } from "../../core/i18n.js";
import { formatMoney } from "../../core/money.js";
import { asProblem, wordsOf } from "../../core/problems.js";
import { navigate } from "../../core/router.js";
import { html, useId, useState } from "../../core/ui.js";
import { useHeld } from "../../offline/holdings.js";
import { checkNumber, pay, readInvite } from "../../offline/meeting.js";
import { placeOf } from "../../offline/webtransport.js";
import { Unlock, unlockTitle } from "./parts.js";

/** @typedef {import("../../offline/meeting.js").Offer} Offer */

export default function PayOffline() {
  const held = useHeld();
  const [offer, setOffer] = useState(/** @type {Offer | null} */ (null));
  if (!held) return html`<${Screen} title=${t("off.pay")} back="/offline"><${SkeletonList} /><//>`;
  if (!held.passes.some((one) => one.state === "open" && one.left > 0)) return html`<${Nothing} />`;
  if (!offer) return html`<${Scan} take=${setOffer} />`;
  const done = () => navigate(`/offline/with/${offer.id}`, { replace: true });
  return html`<${Paying} offer=${offer} back=${() => setOffer(null)} done=${done} />`;
}

/** From a request to a signed payment. @param {{ offer: Offer, back: () => void, done: () => void }} props */
export function Paying({ offer, back, done }) {
  const [step, setStep] = useState(/** @type {"number" | "confirm" | "unlock"} */ ("number"));
  if (step === "number") {
    return html`<${Number} key="number" offer=${offer} back=${back} go=${() => setStep("confirm")} />`;
  }
  if (step === "confirm") {
    return html`<${Confirm} key="confirm" offer=${offer} back=${() => setStep("number")} go=${() => setStep("unlock")} />`;
  }
  const words = { amount: formatMoney(offer.money), name: offer.name };
  /** @param {string | null} pin */
  const sign = async (pin) => {
    await pay(offer, pin);
    done();
  };
  return html`<${Screen} key="unlock" title=${unlockTitle(offer.lock)} back=${() => setStep("confirm")}>
    <${Unlock} lock=${offer.lock} act=${sign}><p><bdi>${t("meet.pin.sign", words)}</bdi></p><//>
  <//>`;
}

const Nothing = () => html`<${Screen} title=${t("off.pay")} back="/offline">
  <${EmptyState} icon="wallet" title=${t("meet.pay.none")} action=${html`<${Button} href="/offline/ready">${t("off.set")}<//>`}>
    ${t("meet.pay.none.text")}
  <//>
<//>`;

/** @param {{ take: (offer: Offer) => void }} props */
function Scan({ take }) {
  /** @param {string} text @returns {Promise<string | null>} */
  const onText = async (text) => {
    if (placeOf(text)) {
      navigate(`/nearby${new URL(text).hash}`, { replace: true });
      return null;
    }
    try {
      const offer = await readInvite(text);
      if (!offer) return ""; // a part of it
      if (offer.isSigned) navigate(`/offline/with/${offer.id}`, { replace: true });
      else take(offer);
      return null;
    } catch (error) {
      return wordsOf(asProblem(error));
    }
  };
  return html`<${Screen} title=${t("meet.scan-invite")} back="/offline">
    <div class="stack">
      <p class="soft">${t("meet.scan-invite.text")}</p>
      <${Camera} onText=${onText} />
    </div>
  <//>`;
}

/** @param {{ offer: Offer, back: () => void, go: () => void }} props */
function Number({ offer, back, go }) {
  const id = useId();
  const [phone, setPhone] = useState("");
  const [wrong, setWrong] = useState(/** @type {string | undefined} */ (undefined));
  /** @param {Event} event */
  const check = async (event) => {
    event.preventDefault();
    try {
      await checkNumber(offer, phone);
      go();
    } catch (error) {
      setWrong(wordsOf(asProblem(error)));
    }
  };
  return html`<${Screen}
    title=${t("meet.number.check")}
    back=${back}
    end=${html`<${Button} type="submit" form=${id}>${t("do.continue")}<//>`}
  >
    <form id=${id} class="stack stack-l" novalidate onSubmit=${check}>
      <p class="soft"><bdi>${t("meet.number.text", { name: offer.name })}</bdi></p>
      <${PhoneField}
        label=${t("meet.number")}
        value=${phone}
        error=${wrong}
        autocomplete="off"
        onInput=${(/** @type {string} */ typed) => {
          setPhone(typed);
          setWrong(undefined);
        }}
      />
    </form>
  <//>`;
}

/** @param {{ offer: Offer, back: () => void, go: () => void }} props the last look before the PIN */
const Confirm = ({ offer, back, go }) => html`<${Screen}
  title=${t("confirm.title")}
  back=${back}
  end=${html`<${Button} icon="pay" onClick=${go}>${t("meet.go", { amount: formatMoney(offer.money) })}<//>`}
>
  <div class="stack stack-l">
    <div class="confirm">
      <${Avatar} name=${offer.name} large />
      <p class="soft">${t("meet.you-pay")}</p>
      <p class="confirm-name"><bdi>${offer.name}</bdi></p>
      <p class="confirm-amount"><${Money} money=${offer.money} large /></p>
    </div>
    <dl class="facts card">
      ${offer.memo && html`<div><dt>${t("meet.memo")}</dt><dd><bdi>${offer.memo}</bdi></dd></div>`}
      <div>
        <dt>${t("meet.left")}</dt>
        <dd><${Money} money=${{ ...offer.money, amount: offer.left - offer.money.amount }} private /></dd>
      </div>
    </dl>
    <${Notice} icon="shield">${t("meet.limits")}<//>
  </div>
<//>`;
