// One offline payment, on either side: the code to show, the code to scan, and how far it is. It can be left
// and found again; what was signed once is shown again byte for byte.
import { Button } from "../../components/controls.js";
import { Camera } from "../../components/camera.js";
import { Money } from "../../components/display.js";
import { EmptyState, Notice, SkeletonList } from "../../components/feedback.js";
import { Icon } from "../../components/icons.js";
import { QR } from "../../components/qr.js";
import { Screen } from "../../components/screen.js";
import { Sheet } from "../../components/sheet.js";
import { formatDate, formatMoment } from "../../core/dates.js";
import { t, tryWords } from "../../core/i18n.js";
import { formatMoney } from "../../core/money.js";
import { asProblem, waitWords, wordsOf } from "../../core/problems.js";
import { html, useEffect, useState } from "../../core/ui.js";
import { useHeld } from "../../offline/holdings.js";
import { callOff, canSign, holdOpen, take } from "../../offline/meeting.js";
import { Unlock, unlockTitle } from "./parts.js";

/** @typedef {import("../../offline/holdings.js").Exchange} Exchange */
/** @typedef {"scan" | "unlock-scan" | "unlock-cancel" | null} Step */

const BACK = "/offline";

/**
 * @param {{ params: import("../../core/router.js").PathParams, done?: () => void }} props done: it goes over a link, with
 *   nothing to scan, and this is what follows it
 */
export default function With({ params, done }) {
  const held = useHeld();
  const [step, setStep] = useState(/** @type {Step} */ (null));
  const one = held?.exchanges.find(({ id }) => id === params.id);
  if (!held) return html`<${Screen} title=${t("off.payments")} back=${BACK}><${SkeletonList} /><//>`;
  if (!one) {
    return html`<${Screen} title=${t("off.payments")} back=${BACK}><${EmptyState} icon="search" title=${t("meet.gone")} /><//>`;
  }
  const back = () => setStep(null);
  if (step === "scan") return html`<${Scan} key="scan" one=${one} back=${back} />`;
  if (step === "unlock-scan" || step === "unlock-cancel") {
    const act = async (/** @type {string | null} */ pin) => {
      if (step === "unlock-scan") await holdOpen(one.id, pin);
      else await callOff(one.id, pin);
      setStep(step === "unlock-scan" && one.state === "inviting" ? "scan" : null);
    };
    return html`<${Screen} key="unlock" title=${unlockTitle(one.lock)} back=${back}>
      <${Unlock} lock=${one.lock} act=${act}>
        <p><bdi>${t(step === "unlock-scan" ? "meet.pin.receipt" : "meet.pin.cancel", { name: one.name })}</bdi></p>
      <//>
    <//>`;
  }
  if (done) return html`<${Outcome} key="outcome" one=${one} go=${setStep} done=${done} />`;
  if (one.state === "inviting") return html`<${Inviting} key="inviting" one=${one} go=${setStep} />`;
  if (one.state === "signed") return html`<${Sent} key="sent" one=${one} go=${setStep} />`;
  if (one.state === "accepted" && one.codes[0]) return html`<${Receipt} key="receipt" one=${one} />`;
  if (one.state === "void" && one.codes[0]) return html`<${CalledOff} key="void" one=${one} />`;
  return html`<${Outcome} key="outcome" one=${one} go=${setStep} />`;
}

/** @param {{ one: Exchange, back: () => void }} props */
function Scan({ one, back }) {
  const isPayer = one.role === "payer";
  /** @param {string} text @returns {Promise<string | null>} */
  const onText = async (text) => {
    try {
      if (!(await take(one.id, text))) return ""; // a part of it: the next frame
      back();
      return null;
    } catch (error) {
      return wordsOf(asProblem(error));
    }
  };
  return html`<${Screen} title=${t(isPayer ? "meet.scan-receipt" : "meet.scan-pay")} back=${back}>
    <div class="stack">
      <p class="soft"><bdi>${t(isPayer ? "meet.scan-receipt.text" : "meet.scan-pay.text", { name: one.name })}</bdi></p>
      <${Camera} onText=${onText} />
    </div>
  <//>`;
}

/** @param {Exchange} one @returns {{ amount: string, name: string, back: string }} */
const words = ({ money, name, claimUntil }) => ({ amount: formatMoney(money), name, back: formatDate(claimUntil) });

/** @param {{ one: Exchange }} props */
const Amount = ({ one }) => html`<p class="off-amount">
  <${Money} money=${one.money} large />
  <span class="soft"><bdi>${t(one.role === "payer" ? "meet.to" : "meet.from", { name: one.name })}</bdi></span>
</p>`;

/** @returns {number} seconds, once a second */
function useClock() {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Payee: the request as a code. @param {{ one: Exchange, go: (step: Step) => void }} props */
function Inviting({ one, go }) {
  const left = Math.ceil(one.until - useClock());
  const scan = async () => go((await canSign(one.id)) ? "scan" : "unlock-scan");
  return html`<${Screen}
    title=${t("meet.request")}
    back=${BACK}
    end=${html`<${Button} icon="scan" onClick=${scan}>${t("meet.scan-pay")}<//>`}
  >
    <div class="stack centred">
      <${Amount} one=${one} />
      ${left > 0
        ? html`<p><strong><bdi>${t("meet.invite.title", { name: one.name })}</bdi></strong><br /><span class="soft">${t("meet.invite.text")}</span></p>
            <${Code} one=${one} label=${t("meet.invite.label", words(one))} />
            <p class="small soft">${t("meet.invite.until", { time: waitWords(left) })}</p>`
        : html`<${Notice} kind="warn" live>
            <p>${t("meet.invite.late")}</p>
            <p><${Button} variant="quiet" small href="/offline/receive">${t("meet.invite.again")}<//></p>
          <//>`}
      <p><${Button} variant="quiet" onClick=${() => go("unlock-cancel")}>${t("meet.invite.cancel")}<//></p>
      <p class="small soft">${t("meet.invite.cancel.text")}</p>
    </div>
  <//>`;
}

/** As large as the screen allows. @param {{ one: Exchange, label: string }} props */
const Code = ({ one, label }) => html`<div class="off-code"><${QR} text=${one.codes} label=${label} ecc="L" /></div>`;

/** Payer: the signed payment as a code. @param {{ one: Exchange, go: (step: Step) => void }} props */
function Sent({ one, go }) {
  const [gone, setGone] = useState(false);
  return html`<${Screen}
    title=${t("off.pay")}
    back=${BACK}
    end=${html`<${Button} icon="scan" onClick=${() => go("scan")}>${t("meet.scan-receipt")}<//>
      <${Button} variant="quiet" onClick=${() => setGone(true)}>${t("meet.show.later")}<//>`}
  >
    <div class="stack centred">
      <${Amount} one=${one} />
      <p><strong><bdi>${t("meet.show.title", words(one))}</bdi></strong><br /><span class="soft">${t("meet.show.text")}</span></p>
      <${Code} one=${one} label=${t("meet.show.label", words(one))} />
    </div>
    ${gone &&
    html`<${Sheet} title=${t("meet.show.later")} onClose=${() => setGone(false)}>
      <div class="stack">
        <p>${t("meet.show.later.text", words(one))}</p>
        <${Button} block href=${BACK}>${t("do.done")}<//>
      </div>
    <//>`}
  <//>`;
}

/** Payee: taken in; the receipt as a code for the payer. @param {{ one: Exchange }} props */
const Receipt = ({ one }) => html`<${Screen}
  title=${t("meet.accepted")}
  back=${BACK}
  end=${html`<${Button} href=${BACK}>${t("do.done")}<//>`}
>
  <div class="stack centred">
    <p class="off-accepted" role="status"><${Icon} name="check" /><span>${t("meet.receipt.text")}</span></p>
    <${Amount} one=${one} />
    <${Code} one=${one} label=${t("meet.receipt.label", words(one))} />
    <p class="soft"><bdi>${t("meet.receipt.show", words(one))}</bdi></p>
  </div>
<//>`;

/** Payee: called off; the code says so to a payer who has signed. @param {{ one: Exchange }} props */
const CalledOff = ({ one }) => html`<${Screen}
  title=${t("state.void")}
  back=${BACK}
  end=${html`<${Button} href=${BACK}>${t("do.done")}<//>`}
>
  <div class="stack centred">
    <p role="status">${t("state.void.text")}</p>
    <${Code} one=${one} label=${t("meet.void.label", words(one))} />
    <p class="soft"><bdi>${t("meet.void.show", words(one))}</bdi></p>
  </div>
<//>`;

/** What an ended or a waiting one looks like. @type {Record<string, { look: string, icon: string }>} */
const LOOKS = {
  inviting: { look: "asked", icon: "hourglass" },
  signed: { look: "asked", icon: "hourglass" },
  verified: { look: "asked", icon: "edit" },
  accepted: { look: "asked", icon: "check" },
  uploaded: { look: "asked", icon: "hourglass" },
  settled: { look: "good", icon: "check" },
  credited: { look: "good", icon: "check" },
  partial: { look: "asked", icon: "alert" },
  rejected: { look: "bad", icon: "close" },
  conflict: { look: "bad", icon: "alert" },
};

/** @param {{ one: Exchange, go: (step: Step) => void, done?: () => void }} props */
function Outcome({ one, go, done }) {
  const { look, icon } = LOOKS[one.state] ?? { look: "", icon: "undo" };
  const title = one.state === "accepted" ? t("meet.accepted") : t(`state.${one.state}`);
  const accepted = one.role === "payer" ? "meet.accepted.text" : "meet.receipt.text";
  const why = one.state === "accepted" ? t(accepted, words(one)) : tryWords(`state.${one.state}.text`, words(one));
  return html`<${Screen}
    title=${t("off.payment")}
    back=${BACK}
    end=${one.state === "verified"
      ? html`<${Button} icon="edit" onClick=${() => go("unlock-scan")}>${t("meet.receipt.sign")}<//>`
      : one.state === "inviting"
        ? html`<${Button} variant="quiet" onClick=${() => go("unlock-cancel")}>${t("meet.invite.cancel")}<//>`
        : one.state !== "signed" && html`<${Button} href=${done ? undefined : BACK} onClick=${done}>${t("do.done")}<//>`}
  >
    <div class=${`outcome off-outcome outcome-${look}`} role="status">
      <div class="outcome-sign"><${Icon} name=${icon} /></div>
      <p class="outcome-title">${title}</p>
      <p><${Money} money=${one.money} large faded=${one.isOver} /></p>
      <p class="outcome-whom"><bdi>${t(one.role === "payer" ? "meet.to" : "meet.from", { name: one.name })}</bdi></p>
      ${why && html`<p class="outcome-why"><bdi>${why}</bdi></p>`}
    </div>
    <dl class="facts card">
      <div><dt>${t("meet.when")}</dt><dd>${formatMoment(one.at)}</dd></div>
      ${one.memo && html`<div><dt>${t("meet.memo")}</dt><dd><bdi>${one.memo}</bdi></dd></div>`}
      <div><dt>${t("meet.id")}</dt><dd><code class="number">${one.id}</code></dd></div>
    </dl>
  <//>`;
}
