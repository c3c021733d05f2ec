// What several screens of offline money show: an entry of the list, a step with a camera, the unlocking of a key.
import { Button } from "../../components/controls.js";
import { Avatar, Money } from "../../components/display.js";
import { PinPad } from "../../components/pinpad.js";
import { formatWhen } from "../../core/dates.js";
import { t } from "../../core/i18n.js";
import { asProblem, waitWords, wordsOf } from "../../core/problems.js";
import { html, useState } from "../../core/ui.js";

/** @typedef {import("../../offline/holdings.js").Exchange} Exchange */
/** @typedef {import("../../core/problems.js").Problem} Problem */

/** @param {{ one: Exchange }} props money that nobody has signed for has no sign */
export const PaymentItem = ({ one: { id, role, name, state, at, money, isOver } }) => html`<li>
  <a class="item" href=${`/offline/with/${id}`}>
    <${Avatar} name=${/\d$/.test(name) && !/\p{L}/u.test(name) ? "" : name} />
    <span class="item-words">
      <span class="item-title"><bdi>${name}</bdi></span>
      <span class="item-text">${t(`state.${state}`)} · ${formatWhen(at)}</span>
    </span>
    <span class="item-end">
      ${isOver || state === "inviting"
        ? html`<${Money} money=${money} faded private />`
        : html`<${Money} money=${money} direction=${role === "payer" ? "out" : "in"} private />`}
    </span>
  </a>
</li>`;

/** @param {"pin" | "passkey"} lock @returns {string} */
export const unlockTitle = (lock) => t(lock === "pin" ? "meet.pin" : "meet.sign");

/** @param {Problem | null} problem @returns {string | null} */
function pinWords(problem) {
  if (!problem) return null;
  const wait = problem.retryAfter ?? problem.extra.retry_after;
  if (problem.code === "pin_locked" && wait) return t("pin.locked-for", { time: waitWords(wait) });
  return wordsOf(problem);
}

/**
 * Asks for the PIN, or for the passkey where that unlocks the key.
 * @param {{ lock: "pin" | "passkey", act: (pin: string | null) => Promise<unknown>, children?: any }} props `act` may
 *   throw Problem, which is shown
 */
export function Unlock({ lock, act, children }) {
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  /** @param {string | null} pin */
  const go = async (pin) => {
    setBusy(true);
    setProblem(null);
    try {
      await act(pin);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return html`<div class="stack stack-l centred">
    ${children}
    ${lock === "pin"
      ? html`<${PinPad} label=${t("meet.pin")} busy=${busy} error=${pinWords(problem)} onDone=${go} />`
      : html`${problem && html`<p class="field-wrong" role="alert"><span>${wordsOf(problem)}</span></p>`}
          <${Button} icon="fingerprint" busy=${busy} onClick=${() => go(null)}>${t("meet.passkey")}<//>`}
    ${busy && html`<p class="soft" role="status">${t("meet.signing")}</p>`}
  </div>`;
}
