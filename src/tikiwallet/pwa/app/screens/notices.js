// What the service wants the person to know, newest first.
import { Button } from "../components/controls.js";
import { Badge, Bullet } from "../components/display.js";
import { EmptyState, Loaded } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { formatWhen } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { asProblem, wordsOf } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { say } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";
import { markRead, notices, olderNotices } from "../money/notices.js";

/** @typedef {import("../money/notices.js").Page} Page */
/** @typedef {import("../money/notices.js").Told} Told */
/** @typedef {import("../components/icons.js").IconName} IconName */

/** @param {string} kind @returns {{ icon: IconName, look: "gold" | "danger" | undefined }} */
function lookOf(kind) {
  if (/payment|paid|top_?up|money/.test(kind)) return { icon: "receive", look: undefined };
  if (/security|sign|pin|passkey|password|phone|recovery|factor|session|limit/.test(kind)) return { icon: "shield", look: "danger" };
  return { icon: "bell", look: "gold" };
}

export default function Notices() {
  useResource(notices);
  const seen = notices.at.value;
  useEffect(() => {
    // Once they were looked at for a moment; a failure is repeated on the next visit.
    const timer = setTimeout(() => markRead().catch(() => {}), 1500);
    return () => clearTimeout(timer);
  }, [seen]);
  return html`<${Screen} title=${t("notices.title")} back="/">
    <${Loaded} of=${notices}>${(/** @type {Page} */ page) => html`<${List} page=${page} />`}<//>
  <//>`;
}

/** @param {{ page: Page }} props */
function List({ page }) {
  const [older, setOlder] = useState(/** @type {Told[]} */ ([]));
  const [cursor, setCursor] = useState(page.next_cursor);
  const [busy, setBusy] = useState(false);
  const more = async () => {
    if (!cursor) return;
    setBusy(true);
    try {
      const next = await olderNotices(cursor);
      setOlder((before) => [...before, ...next.items]);
      setCursor(next.next_cursor);
    } catch (error) {
      say(wordsOf(asProblem(error)), { kind: "error" });
    } finally {
      setBusy(false);
    }
  };
  const items = [...page.items, ...older];
  if (items.length === 0) {
    return html`<${EmptyState} icon="bell" title=${t("notices.none")}>${t("notices.none.text")}<//>`;
  }
  return html`<ul class="list">
      ${items.map((one) => {
        const { icon, look } = lookOf(one.kind);
        return html`<li key=${one.id} class="item">
          <${Bullet} icon=${icon} kind=${look} />
          <span class="item-words">
            <span class="item-title">${one.title} ${!one.read && html`<${Badge} kind="brand">${t("notices.new")}<//>`}</span>
            <span class="item-text">${one.text}</span>
            <span class="item-text">${formatWhen(one.at)}</span>
          </span>
        </li>`;
      })}
    </ul>
    ${cursor && html`<p class="centred more"><${Button} variant="secondary" busy=${busy} onClick=${more}>${t("history.more")}<//></p>`}`;
}
