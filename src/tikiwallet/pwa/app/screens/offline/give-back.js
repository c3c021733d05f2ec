// Ending an offline part: nothing more is paid from it, and what is left returns when nobody can claim it any more.
import { Money } from "../../components/display.js";
import { SkeletonList } from "../../components/feedback.js";
import { Screen } from "../../components/screen.js";
import { formatDate } from "../../core/dates.js";
import { t } from "../../core/i18n.js";
import { navigate } from "../../core/router.js";
import { say } from "../../core/toasts.js";
import { html } from "../../core/ui.js";
import { useHeld } from "../../offline/holdings.js";
import { giveBack } from "../../offline/passes.js";
import { Unlock } from "./parts.js";

/** @param {import("../../core/router.js").ScreenProps} props */
export default function GiveBack({ params }) {
  const pass = useHeld()?.passes.find((one) => one.id === params.id);
  /** @param {string | null} pin */
  const act = async (pin) => {
    await giveBack(/** @type {string} */ (params.id), pin);
    say(t("give.done"));
    navigate("/offline", { replace: true });
  };
  return html`<${Screen} title=${t("give.title")} back="/offline">
    ${pass
      ? html`<${Unlock} lock=${pass.lock} act=${act}>
          <div class="stack stack-s">
            <p><${Money} money=${{ amount: pass.left, currency: pass.currency }} large /></p>
            <p class="soft">${t("give.text", { back: formatDate(pass.claimUntil) })}</p>
          </div>
        <//>`
      : html`<${SkeletonList} />`}
  <//>`;
}
