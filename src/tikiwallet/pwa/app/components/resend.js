// "Send it again", once it may be: the wait is counted down in sight.
import { t } from "../core/i18n.js";
import { asProblem, waitWords, wordsOf } from "../core/problems.js";
import { say } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";
import { Button } from "./controls.js";

/**
 * @param {{ send: () => Promise<{ retry_after?: number } | null>, wait?: number, label?: string }} props
 *   `send` tells how long the next wait is; `wait`: seconds until the first
 */
export function Resend({ send, wait = 30, label = t("code.resend") }) {
  const [until, setUntil] = useState(() => Date.now() + wait * 1000);
  const [now, setNow] = useState(Date.now);
  const [busy, setBusy] = useState(false);
  const left = Math.ceil((until - now) / 1000);

  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(() => setNow(Date.now()), 1000);
    return () => clearTimeout(timer);
  }, [left, now]);

  async function again() {
    setBusy(true);
    try {
      const answer = await send();
      setUntil(Date.now() + (answer?.retry_after ?? 60) * 1000);
      say(t("code.sent-again"));
    } catch (error) {
      const problem = asProblem(error);
      if (problem.retryAfter) setUntil(Date.now() + problem.retryAfter * 1000);
      say(wordsOf(problem), { kind: "error" });
    } finally {
      setNow(Date.now());
      setBusy(false);
    }
  }

  return left > 0
    ? html`<p class="small soft centred">${t("code.resend-in", { time: waitWords(left) })}</p>`
    : html`<${Button} variant="quiet" icon="message" busy=${busy} onClick=${again}>${label}<//>`;
}
