// Where the person is signed in, and ending what is not theirs.
import { Button } from "../components/controls.js";
import { Badge, Bullet } from "../components/display.js";
import { Loaded } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { sessions } from "../core/account.js";
import { del } from "../core/api.js";
import { formatAge, formatWhen } from "../core/dates.js";
import { t, tryWords } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/account.js").Session} Session */

export default function Devices() {
  useResource(sessions);
  const [ending, setEnding] = useState(/** @type {string | null} */ (null));

  /** @param {string} id the session, or "all" but this one */
  async function end(id) {
    setEnding(id);
    try {
      const answer = await del(id === "all" ? "/v1/me/sessions" : `/v1/me/sessions/${id}`);
      await sessions.refresh();
      say(answer ? t("sessions.ended", { count: answer.ended }) : t("sessions.ended.one"));
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setEnding(null);
    }
  }

  return html`<${Screen} title=${t("sessions.title")} back="/security">
    <${Loaded} of=${sessions}>
      ${(/** @type {Session[]} */ all) => html`<div class="stack">
        <ul class="list">
          ${all.map(
            (one) => html`<${Device} key=${one.id} session=${one} busy=${ending === one.id} end=${() => end(one.id)} />`,
          )}
        </ul>
        ${all.length > 1 &&
        html`<${Button} variant="danger" icon="logout" block busy=${ending === "all"} onClick=${() => end("all")}>
          ${t("sessions.end-all")}
        <//>`}
        <p class="small soft">${t("sessions.hint")}</p>
      </div>`}
    <//>
  <//>`;
}

/** @param {{ session: Session, busy: boolean, end: () => void }} props */
function Device({ session, busy, end }) {
  const { device, place, address, method, current, created_at, last_seen_at } = session;
  const name = device || t("sessions.unknown");
  const where = [place, address].filter(Boolean).join(" · ");
  const how = tryWords(`method.${method}`) ?? method;
  return html`<li class="item">
    <${Bullet} icon=${/Android|iPhone|iPad/.test(device) ? "phone" : "laptop"} kind=${current ? undefined : "plain"} />
    <span class="item-words">
      <span class="item-title">${name} ${current && html`<${Badge} kind="good">${t("sessions.this")}<//>`}</span>
      ${where && html`<span class="item-text"><bdi>${where}</bdi></span>`}
      <span class="item-text">${t("sessions.since", { when: formatWhen(created_at), how })}</span>
      ${!current && html`<span class="item-text">${t("sessions.seen", { age: formatAge(last_seen_at) })}</span>`}
    </span>
    ${!current &&
    html`<${Button}
      variant="secondary"
      small
      busy=${busy}
      aria-label=${t("sessions.end-of", { name })}
      onClick=${end}
      >${t("sessions.end")}<//
    >`}
  </li>`;
}
