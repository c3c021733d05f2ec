// Another phone number: a code to the new one, and a wait in which the old one can object, unless the
// old one agrees by a code of its own.
import { Button } from "../components/controls.js";
import { EmptyState, ErrorState, Notice, SkeletonList } from "../components/feedback.js";
import { CodeField, Form } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { Screen } from "../components/screen.js";
import { del, get, post } from "../core/api.js";
import { formatMoment } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { keepNote } from "../core/preferences.js";
import { asProblem } from "../core/problems.js";
import { goBack } from "../core/router.js";
import { loadMe, me } from "../core/session.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";

/** @typedef {{ change_id: string, phone: string, effective_at: string | null }} Change */
/** @typedef {Change | null | undefined} State null: none; undefined: not known yet */

export default function PhoneNumber() {
  const [change, setChange] = useState(/** @type {State} */ (undefined));
  const [problem, setProblem] = useState(
    /** @type {import("../core/problems.js").Problem | null} */ (null),
  );

  async function load() {
    setProblem(null);
    try {
      setChange((await get("/v1/me/phone")).pending);
    } catch (error) {
      setProblem(asProblem(error));
    }
  }
  useEffect(() => void load(), []);

  const step = change?.effective_at ? "wait" : change ? "code" : "phone";
  return html`<${Screen} title=${t("number.title")} back="/profile" key=${step}>
    ${problem
      ? html`<${ErrorState} problem=${problem} retry=${load} />`
      : change === undefined
        ? html`<${SkeletonList} rows=${2} />`
        : change === null
          ? html`<${Phone} go=${setChange} />`
          : html`<div class="stack stack-l">
              ${change.effective_at ? html`<${Waiting} change=${change} go=${setChange} />` : html`<${NewCode} change=${change} go=${setChange} />`}
              <${Cancel} go=${setChange} />
            </div>`}
  <//>`;
}

/** @typedef {(change: State) => void} Go */

/** @param {{ go: Go }} props */
function Phone({ go }) {
  const form = useForm(
    { phone: "" },
    async ({ phone }) => {
      const { change_id } = await strongly(() => post("/v1/me/phone", { phone }));
      go({ change_id, phone, effective_at: null });
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

/** Whether it holds already: then the person has it. @param {string | null} at */
async function settled(at) {
  if (!at || new Date(at).getTime() > Date.now()) return false;
  const fresh = await loadMe().catch(() => null);
  if (fresh) keepNote("phone", fresh.phone);
  say(t("number.done"));
  goBack("/profile");
  return true;
}

/** @param {{ change: Change, go: Go }} props */
function NewCode({ change, go }) {
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      const body = { change_id: change.change_id, code };
      const { effective_at } = await post("/v1/me/phone/verify", body);
      if (!(await settled(effective_at))) go({ ...change, effective_at });
    },
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("code.sent-to")} <bdi dir="ltr"><strong>${change.phone}</strong></bdi></p>
    <${CodeField} ...${form.field("code")} label=${t("code.label")} autofocus />
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
  <//>`;
}

/** @param {{ change: Change, go: Go }} props */
function Waiting({ change, go }) {
  const at = change.effective_at ?? "";
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      const body = { change_id: change.change_id, code };
      const { effective_at } = await post("/v1/me/phone/confirm", body);
      if (!(await settled(effective_at))) go({ ...change, effective_at });
    },
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  return html`<div class="stack">
    <${EmptyState} icon="hourglass" title=${t("number.later")}>
      ${t("number.later.text", { at: formatMoment(at) })}
    <//>
    <section class="card">
      <h2>${t("number.now")}</h2>
      <${Form} form=${form}>
        <p class="soft">${t("number.now.text")} <bdi dir="ltr"><strong>${me.value?.phone}</strong></bdi></p>
        <${CodeField} ...${form.field("code")} label=${t("code.label")} />
        <${Button} variant="soft" type="submit" block busy=${form.busy}>${t("do.confirm")}<//>
      <//>
    </section>
  </div>`;
}

/** @param {{ go: Go }} props */
function Cancel({ go }) {
  const [busy, setBusy] = useState(false);
  async function cancel() {
    setBusy(true);
    try {
      await del("/v1/me/phone");
      say(t("number.cancelled"));
      go(null);
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }
  return html`<${Button} variant="danger-quiet" block busy=${busy} onClick=${cancel}>${t("number.cancel")}<//>`;
}
