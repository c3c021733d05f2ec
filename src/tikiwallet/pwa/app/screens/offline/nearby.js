// With a terminal nearby: its code leads here. Digits to compare, then the same payments as by codes, with nothing to scan.
import { Button } from "../../components/controls.js";
import { Camera } from "../../components/camera.js";
import { EmptyState, Notice, SkeletonList } from "../../components/feedback.js";
import { Screen } from "../../components/screen.js";
import { t, tryWords } from "../../core/i18n.js";
import { wordsOf } from "../../core/problems.js";
import { navigate } from "../../core/router.js";
import { html, useEffect, useState } from "../../core/ui.js";
import { useHeld } from "../../offline/holdings.js";
import { agree, leave, meet, nearby, setAside, takeOn } from "../../offline/nearby.js";
import { LinkLost, placeOf } from "../../offline/webtransport.js";
import { Paying } from "./pay.js";
import { Asking } from "./receive.js";
import With from "./with.js";

/** @typedef {import("../../offline/holdings.js").Everything} Everything */

const BACK = "/offline";
const UNDER_WAY = new Set(["inviting", "signed"]);

export default function Nearby() {
  const held = useHeld();
  const text = location.href;
  const isPlace = placeOf(text) !== null;
  const isReady = held?.passes.some(({ state }) => state === "open");
  useEffect(() => {
    if (!isPlace || !isReady) return;
    meet(text);
    return leave;
  }, [text, isReady]);
  if (!held) return html`<${Screen} title=${t("near.title")} back=${BACK}><${SkeletonList} /><//>`;
  if (!isReady) return html`<${NotReady} />`;
  return isPlace ? html`<${Talk} held=${held} text=${text} />` : html`<${Scan} />`;
}

const NotReady = () => html`<${Screen} title=${t("near.title")} back=${BACK}>
  <${EmptyState} icon="store" title=${t("meet.request.none")} action=${html`<${Button} href="/offline/ready">${t("off.start")}<//>`}>
    ${t("meet.request.none.text")}
  <//>
<//>`;

function Scan() {
  /** @param {string} text @returns {string | null} */
  const onText = (text) => {
    if (!placeOf(text)) return t("problem.offline_foreign");
    navigate(`/nearby${new URL(text).hash}`, { replace: true });
    return null;
  };
  return html`<${Screen} title=${t("near.title")} back=${BACK}>
    <div class="stack">
      <p class="soft">${t("near.scan")}</p>
      <${Camera} onText=${onText} />
    </div>
  <//>`;
}

/** @param {{ held: Everything, text: string }} props */
function Talk({ held, text }) {
  const [asks, setAsks] = useState(false);
  const { phase, offer, exchange } = nearby.value;
  const open = held.passes.filter(({ state }) => state === "open");
  if (asks && open[0]) {
    const done = (/** @type {string} */ made) => {
      takeOn(made);
      setAsks(false);
    };
    return html`<${Asking} open=${open} first=${open[0]} link back=${() => setAsks(false)} done=${done} />`;
  }
  if (offer) {
    return html`<${Paying} key=${offer.id} offer=${offer} back=${setAside} done=${() => takeOn(offer.id)} />`;
  }
  const one = held.exchanges.find(({ id }) => id === exchange);
  if (one && (phase === "open" || !UNDER_WAY.has(one.state))) {
    return html`<${With} key=${one.id} params=${{ id: one.id }} done=${() => takeOn(null)} />`;
  }
  if (phase === "open") return html`<${Connected} ask=${() => setAsks(true)} />`;
  if (phase === "comparing" || phase === "waiting") return html`<${Compare} />`;
  if (phase === "over") return html`<${Over} again=${() => meet(text)} />`;
  return html`<${Screen} title=${t("near.title")} back=${BACK} end=${phase === "lost" && html`<${Codes} />`}>
    <${EmptyState} icon="store" title=${t(`near.${phase}`)}>${phase === "connecting" && t("near.connecting.text")}<//>
  <//>`;
}

const HangUp = () => html`<${Button} variant="quiet" href=${BACK}>${t("near.hang-up")}<//>`;

function Compare() {
  const { phase, digits } = nearby.value;
  const isMine = phase === "comparing";
  return html`<${Screen}
    title=${t("near.title")}
    back=${BACK}
    end=${html`${isMine && html`<${Button} icon="check" onClick=${agree}>${t("near.same")}<//>`}<${HangUp} />`}
  >
    <div class="stack centred" role="status">
      <p><strong>${t(isMine ? "near.digits" : "near.waiting")}</strong></p>
      <p class="money-large" dir="ltr">${digits.slice(0, 3)} ${digits.slice(3)}</p>
      <p class="soft">${t("near.digits.text")}</p>
    </div>
  <//>`;
}

/** @param {{ ask: () => void }} props */
function Connected({ ask }) {
  const { problem } = nearby.value;
  return html`<${Screen}
    title=${t("near.title")}
    back=${BACK}
    end=${html`<${Button} icon="receive" onClick=${ask}>${t("off.receive")}<//><${HangUp} />`}
  >
    <div role="status"><${EmptyState} icon="store" title=${t("near.open")}>${t("near.open.text")}<//></div>
    ${problem && html`<${Notice} kind="warn" live>${wordsOf(problem)}<//>`}
  <//>`;
}

/** Every payment can go on without a link. */
function Codes() {
  const { exchange } = nearby.value;
  if (exchange) return html`<${Button} icon="qr" href=${`/offline/with/${exchange}`}>${t("near.codes")}<//>`;
  return html`<${Button} variant="secondary" icon="pay" href="/offline/pay">${t("off.pay")}<//>
    <${Button} variant="secondary" icon="receive" href="/offline/receive">${t("off.receive")}<//>`;
}

/** @param {{ again: () => void }} props */
function Over({ again }) {
  const { reason } = nearby.value;
  const why = tryWords(`link.${reason}`) ?? tryWords(`problem.${new LinkLost(reason).code}`);
  return html`<${Screen} title=${t("near.title")} back=${BACK} end=${html`<${Codes} />`}>
    <div class="stack">
      <${Notice} kind="warn" live>${why}<//>
      <p><${Button} variant="quiet" icon="refresh" onClick=${again}>${t("do.retry")}<//></p>
    </div>
  <//>`;
}
