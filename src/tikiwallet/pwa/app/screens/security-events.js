// What happened to the access of this wallet, newest first.
import { Button } from "../components/controls.js";
import { Bullet } from "../components/display.js";
import { EmptyState, Loaded } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { get } from "../core/api.js";
import { formatWhen } from "../core/dates.js";
import { t, tryWords } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { createResource, useResource } from "../core/resource.js";
import { sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {{ at: string, kind: string, device: string | null, address: string | null,
 *   detail: Record<string, unknown> }} SecurityEvent */
/** @typedef {{ items: SecurityEvent[], next_cursor: string | null }} Page */

/** @type {import("../core/resource.js").Resource<Page>} */
const newest = createResource("security-events", () => get("/v1/me/security-events"));

export default function Events() {
  useResource(newest);
  return html`<${Screen} title=${t("events.title")} back="/security">
    <${Loaded} of=${newest}>${(/** @type {Page} */ page) => html`<${List} page=${page} />`}<//>
  <//>`;
}

/** @param {{ page: Page }} props the first page; more are fetched on demand */
function List({ page }) {
  const [more, setMore] = useState(/** @type {Page | null} */ (null));
  const [busy, setBusy] = useState(false);
  const items = [...page.items, ...(more?.items ?? [])];
  const cursor = more ? more.next_cursor : page.next_cursor;

  async function load() {
    setBusy(true);
    try {
      const next = await get("/v1/me/security-events", { query: { cursor } });
      setMore({ items: [...(more?.items ?? []), ...next.items], next_cursor: next.next_cursor });
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  if (!items.length) return html`<${EmptyState} icon="shield" title=${t("events.empty")} />`;
  return html`<div class="stack">
    <ul class="list">
      ${items.map((one, i) => html`<${Event_} key=${`${one.at}${i}`} event=${one} />`)}
    </ul>
    ${cursor && html`<${Button} variant="secondary" block busy=${busy} onClick=${load}>${t("events.more")}<//>`}
    <p class="small soft">${t("events.hint")}</p>
  </div>`;
}

/** @param {{ event: SecurityEvent }} props */
function Event_({ event }) {
  const { kind, at, device, address } = event;
  const bad = /_failed$|_wrong$|_locked$|_reused$/.test(kind);
  const words = tryWords(`event.${kind}`) ?? kind.replaceAll("_", " ");
  const where = [device, address].filter(Boolean).join(" · ");
  return html`<li class="item">
    <${Bullet} icon=${bad ? "alert" : "shield"} kind=${bad ? "gold" : "plain"} />
    <span class="item-words">
      <span class="item-title">${words}</span>
      <span class="item-text">${formatWhen(at)}${where && html` · <bdi>${where}</bdi>`}</span>
    </span>
  </li>`;
}
