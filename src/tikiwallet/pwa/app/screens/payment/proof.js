// The proof of a payment, in words: what it says, and what this device found when it checked.
import { Button } from "../../components/controls.js";
import { Notice } from "../../components/feedback.js";
import { Icon } from "../../components/icons.js";
import { get } from "../../core/api.js";
import { formatMoment } from "../../core/dates.js";
import { t } from "../../core/i18n.js";
import { asProblem, wordsOf } from "../../core/problems.js";
import { html, useState } from "../../core/ui.js";
import { checkProof } from "../../money/proof.js";

/** @typedef {import("../../money/proof.js").Proof} Proof */
/** @typedef {import("../../money/proof.js").Findings} Findings */

/** @param {Proof["head"]["at"]} at microseconds since 1970, or RFC 3339 */
const timeOf = (at) => formatMoment(typeof at === "number" ? at / 1000 : at);

/** @param {{ payment: string }} props */
export function ProofOf({ payment }) {
  const [found, setFound] = useState(/** @type {{ proof: Proof, findings: Findings } | null} */ (null));
  const [problem, setProblem] = useState(/** @type {import("../../core/problems.js").Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const check = async () => {
    setBusy(true);
    try {
      const proof = /** @type {Proof} */ (await get(`/v1/payments/${payment}/proof`));
      setFound({ proof, findings: await checkProof(proof, payment) });
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return html`<section class="section">
    <h2>${t("proof.title")}</h2>
    <div class="card stack">
      <p class="small soft">${t("proof.text")}</p>
      ${problem && html`<${Notice} kind="warn" live>${problem.code === "not_yet_sealed" ? t("proof.soon") : wordsOf(problem)}<//>`}
      ${found
        ? html`<${Found} ...${found} payment=${payment} />`
        : html`<${Button} variant="soft" icon="proof" busy=${busy} onClick=${check}>${t("proof.check")}<//>`}
    </div>
  </section>`;
}

/** @param {{ proof: Proof, findings: Findings, payment: string }} props */
function Found({ proof, findings, payment }) {
  const { isThisPayment, isInLog, isSigned, isSameKey } = findings;
  const { head, row, path } = proof;
  const holds = isThisPayment && isInLog && isSigned !== false && isSameKey;
  const download = () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(proof, null, 2)], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: `proof-${payment}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return html`<${Notice} kind=${holds ? "info" : "error"} icon=${holds ? "shield" : "wrong"} live title=${t(holds ? "proof.holds" : "proof.fails")}>
      ${t(holds ? "proof.holds.text" : "proof.fails.text")}
    <//>
    <ul class="checks">
      <${Check} is=${isThisPayment}>${t("proof.row", { number: row.n })}<//>
      <${Check} is=${isInLog}>${t("proof.path", { count: path.length, size: head.size })}<//>
      <${Check} is=${isSigned}>${isSigned === null ? t("proof.unsigned") : t("proof.signed", { time: timeOf(head.at) })}<//>
      <${Check} is=${isSameKey}>${t("proof.key", { key: head.key_id.slice(0, 16) })}<//>
    </ul>
    <${Button} variant="secondary" small icon="download" onClick=${download}>${t("proof.save")}<//>
    <p class="small soft">${t("proof.others")}</p>`;
}

/** @param {{ is: boolean | null, children?: any }} props */
const Check = ({ is, children }) => html`<li class=${is === false ? "check-bad" : is ? "check-good" : ""}>
  <${Icon} name=${is === null ? "info" : is ? "check" : "close"} /><span>${children}</span>
</li>`;
