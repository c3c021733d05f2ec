// Another phone number: a code to the new one, and a wait in which the old one can object.
import { Button } from "../components/controls.js";
import { EmptyState, Notice } from "../components/feedback.js";
import { CodeField, Form } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { Screen } from "../components/screen.js";
import { del, post } from "../core/api.js";
import { formatMoment } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { goBack } from "../core/router.js";
import { loadMe, me } from "../core/session.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {{ id: string, phone: string }} Change */

export default function Number_() {
  const [change, setChange] = useState(/** @type {Change | null} */ (null));
  const [effective, setEffective] = useState(/** @type {string | null} */ (null));
  const back = change && !effective ? () => setChange(null) : "/profile";
  return html`<${Screen} title=${t("number.title")} back=${back} key=${effective ? "done" : change ? "code" : "phone"}>
    ${effective
      ? html`<${Done} at=${effective} />`
      : change
        ? html`<${Code} change=${change} done=${setEffective} />`
        : html`<${Phone} go=${setChange} />`}
  <//>`;
}

/** @param {{ go: (change: Change) => void }} props */
function Phone({ go }) {
  const form = useForm(
    { phone: "" },
    async ({ phone }) => {
      const { change_id } = await strongly(() => post("/v1/me/phone", { phone }));
      go({ id: change_id, phone });
    },
    { check: ({ phone }) => ({ phone: phone ? null : t("phone.missing") }) },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("number.text")} <bdi dir="ltr"><strong>${me.value?.phone}</strong></bdi></p>
    <${PhoneField} ...${form.field("phone")} label=${t("number.new")} />
    <${Notice}>${t("number.why")}<//>
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
  <//>`;
}

/** @param {{ change: Change, done: (effective: string) => void }} props */
function Code({ change, done }) {
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      const answer = await post("/v1/me/phone/verify", { change_id: change.id, code });
      void loadMe().catch(() => {});
      done(answer.effective_at);
    },
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("code.sent-to")} <bdi dir="ltr"><strong>${change.phone}</strong></bdi></p>
    <${CodeField} ...${form.field("code")} label=${t("code.label")} autofocus />
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
  <//>`;
}

/** @param {{ at: string }} props */
function Done({ at }) {
  const [busy, setBusy] = useState(false);
  async function cancel() {
    setBusy(true);
    try {
      await del("/v1/me/phone");
      say(t("number.cancelled"));
      goBack("/profile");
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }
  const later = new Date(at).getTime() > Date.now();
  return html`<div class="stack">
    <${EmptyState} icon=${later ? "hourglass" : "check"} title=${t(later ? "number.later" : "number.done")}>
      ${later && t("number.later.text", { at: formatMoment(at) })}
    <//>
    <${Button} block onClick=${() => goBack("/profile")}>${t("do.done")}<//>
    ${later &&
    html`<${Button} variant="danger-quiet" block busy=${busy} onClick=${cancel}>${t("number.cancel")}<//>`}
  </div>`;
}
