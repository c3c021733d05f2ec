// The sandbox's own page: the messages that would have gone out, and cards to try.
import { CopyButton, Button } from "../components/controls.js";
import { Bullet, ListItem } from "../components/display.js";
import { EmptyState, ErrorState, Notice } from "../components/feedback.js";
import { Form } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { Screen } from "../components/screen.js";
import { get } from "../core/api.js";
import { formatWhen } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { keepNote, readNote } from "../core/preferences.js";
import { asProblem } from "../core/problems.js";
import { me } from "../core/session.js";
import { html, useEffect, useState } from "../core/ui.js";
import NotFound from "./not-found.js";

/** @typedef {{ to: string, text: string, code: string | null, sent_at: string }} Message */

const LOOK_EVERY = 3000;
const CARDS = /** @type {const} */ ([
  { method: "pm_card_visa", key: "ok" },
  { method: "pm_card_authenticationRequired", key: "asks" },
  { method: "pm_card_chargeDeclined", key: "declined" },
  { method: "pm_card_chargeDeclinedInsufficientFunds", key: "empty" },
  { method: "pm_card_chargeDeclinedExpiredCard", key: "expired" },
]);

/** @param {{ query: URLSearchParams }} props */
export default function Dev({ query }) {
  const [phone, setPhone] = useState(
    query.get("phone") ?? me.value?.phone ?? readNote("dev-phone") ?? "",
  );
  const form = useForm(
    { phone },
    async (values) => {
      keepNote("dev-phone", values.phone);
      setPhone(values.phone);
    },
    { check: (values) => ({ phone: values.phone ? null : t("phone.missing") }) },
  );
  if (document.documentElement.dataset.sandbox !== "true") return html`<${NotFound} />`;
  return html`<${Screen} title=${t("dev.title")} back="/">
    <div class="stack stack-l">
      <${Notice}>${t("dev.text")}<//>
      <section class="section stack">
        <h2>${t("dev.inbox")}</h2>
        <${Form} form=${form}>
          <${PhoneField} ...${form.field("phone")} label=${t("phone.label")} />
          <${Button} type="submit" variant="secondary" block>${t("dev.look")}<//>
        <//>
        ${phone && html`<${Inbox} phone=${phone} key=${phone} />`}
      </section>
      <section class="section">
        <h2>${t("dev.cards")}</h2>
        <ul class="list">
          ${CARDS.map(
            ({ method, key }) => html`<${ListItem}
              key=${method}
              icon="card"
              iconKind=${key === "ok" ? undefined : "gold"}
              title=${html`<code>${method}</code>`}
              text=${t(`dev.card.${key}`)}
              end=${html`<${CopyButton} text=${() => method} label=${`${t("do.copy")}: ${method}`} bare />`}
            />`,
          )}
        </ul>
      </section>
      <ul class="list">
        <${ListItem} icon="code" title=${t("dev.docs")} href="/docs" />
        <${ListItem} icon="receipt" title="openapi.json" href="/openapi.json" />
        <${ListItem} icon="chart" title=${t("dev.metrics")} href="/metrics" />
      </ul>
    </div>
  <//>`;
}

/** @param {{ phone: string }} props looked at again every few seconds while it is in sight */
function Inbox({ phone }) {
  const [messages, setMessages] = useState(/** @type {Message[] | null} */ (null));
  const [problem, setProblem] = useState(
    /** @type {import("../core/problems.js").Problem | null} */ (null),
  );

  useEffect(() => {
    let current = true;
    async function look() {
      if (document.visibilityState !== "visible") return;
      try {
        const { items } = await get("/dev/inbox", { query: { phone } });
        if (current) setMessages(items);
        if (current) setProblem(null);
      } catch (error) {
        if (current) setProblem(asProblem(error));
      }
    }
    void look();
    const timer = setInterval(look, LOOK_EVERY);
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [phone]);

  if (problem && !messages) return html`<${ErrorState} problem=${problem} />`;
  if (!messages?.length) {
    return html`<${EmptyState} icon="message" title=${t("dev.nothing")}>${t("dev.nothing.text")}<//>`;
  }
  return html`<ul class="list" aria-live="polite">
    ${messages.map(
      (one) => html`<li class="item" key=${one.sent_at + one.text}>
        <${Bullet} icon="message" />
        <span class="item-words">
          <span class="item-text">${one.text}</span>
          <span class="item-text">${formatWhen(one.sent_at)}</span>
        </span>
        ${one.code && html`<${CopyButton} text=${() => one.code ?? ""} label=${one.code} />`}
      </li>`,
    )}
  </ul>`;
}
