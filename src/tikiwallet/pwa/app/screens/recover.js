// A forgotten password: the code, then a wait (or a second factor), then a new password. The wait may
// take a day, so how far one is stays on this device.
import { Button } from "../components/controls.js";
import { Entry } from "../components/entry.js";
import { EmptyState, Notice } from "../components/feedback.js";
import { CodeField, Field, Form, PasswordField } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { post } from "../core/api.js";
import { formatAge, formatMoment } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { keepNote, readNote } from "../core/preferences.js";
import { Problem } from "../core/problems.js";
import { navigate } from "../core/router.js";
import { enter } from "../core/session.js";
import { say } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";

/**
 * @typedef {object} Recovery
 * @property {string} id
 * @property {string} phone
 * @property {string} [secret] what only this device has, once the code was right
 * @property {string} [readyAt]
 * @property {string[]} [needs]
 */

/** @returns {Recovery | null} */
const begun = () => JSON.parse(readNote("recovery") ?? "null");

export default function Recover() {
  const [recovery, setRecovery] = useState(begun);

  /** @param {Recovery | null} next */
  function go(next) {
    keepNote("recovery", next && JSON.stringify(next));
    setRecovery(next);
  }

  const step = !recovery ? "phone" : !recovery.secret ? "code" : "password";
  const back = step === "code" ? () => go(null) : "/sign-in";
  return html`<${Entry} title=${t("recover.title")} back=${back} key=${step}>
    ${!recovery && html`<${Phone} go=${go} />`}
    ${step === "code" && html`<${Code} recovery=${recovery} go=${go} />`}
    ${step === "password" && html`<${Password} recovery=${recovery} go=${go} />`}
  <//>`;
}

/** @typedef {(next: Recovery | null) => void} Go */

/** @param {{ go: Go }} props */
function Phone({ go }) {
  const form = useForm(
    { phone: readNote("phone") ?? "" },
    async ({ phone }) => {
      const { recovery_id } = await post("/v1/auth/recovery", { phone }, { quiet: true });
      go({ id: recovery_id, phone });
    },
    { check: ({ phone }) => ({ phone: phone ? null : t("phone.missing") }) },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("recover.text")}</p>
    <${PhoneField} ...${form.field("phone")} label=${t("phone.label")} />
    <${Button} type="submit" block busy=${form.busy}>${t("recover.send")}<//>
  <//>`;
}

/** @param {{ recovery: Recovery, go: Go }} props */
function Code({ recovery, go }) {
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      const body = { recovery_id: recovery.id, code };
      const answer = await post("/v1/auth/recovery/verify", body, { quiet: true });
      go({
        ...recovery,
        secret: answer.recovery_secret,
        readyAt: answer.ready_at,
        needs: answer.needs ?? [],
      });
    },
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  return html`<${Form} form=${form}>
    <p class="soft">
      ${t("code.sent-to")} <bdi dir="ltr"><strong>${recovery.phone}</strong></bdi>
    </p>
    <${CodeField} ...${form.field("code")} label=${t("code.label")} autofocus />
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
    <${Button} variant="quiet" block onClick=${() => go(null)}>${t("recover.again")}<//>
  <//>`;
}

/** @param {{ recovery: Recovery, go: Go }} props */
function Password({ recovery, go }) {
  const [now, setNow] = useState(Date.now);
  const ready = !recovery.readyAt || new Date(recovery.readyAt).getTime() <= now;
  const needsFactor = Boolean(recovery.needs?.includes("second_factor"));

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 15_000);
    return () => clearInterval(timer);
  }, []);

  const form = useForm(
    { factor_code: "", password: "" },
    async ({ factor_code, password }) => {
      const body = {
        recovery_id: recovery.id,
        recovery_secret: recovery.secret,
        password,
        ...(needsFactor && { factor_code }),
      };
      try {
        await post("/v1/auth/recovery/complete", body, { quiet: true });
      } catch (error) {
        if (error instanceof Problem && error.status === 404) go(null);
        throw error;
      }
      keepNote("recovery", null);
      await enter();
      say(t("recover.done"));
      navigate("/", { replace: true });
    },
    {
      check: ({ factor_code, password }) => ({
        factor_code: needsFactor && !factor_code ? t("code.missing") : null,
        password: password.length >= 8 ? null : t("password.short"),
      }),
      fields: { code_wrong: "factor_code", second_factor_required: "factor_code" },
    },
  );

  const anew = html`<${Button} variant="quiet" block onClick=${() => go(null)}>
    ${t("recover.anew")}
  <//>`;
  if (!ready && recovery.readyAt) {
    return html`<div class="stack">
      <${EmptyState} icon="hourglass" title=${t("recover.wait", { time: formatAge(recovery.readyAt) })}>
        ${t("recover.wait.text", { at: formatMoment(recovery.readyAt) })}
      <//>
      <${Notice}>${t("recover.wait.why")}<//>
      ${anew}
    </div>`;
  }
  return html`<${Form} form=${form}>
    ${needsFactor &&
    html`<${Field}
      ...${form.field("factor_code")}
      label=${t("recover.factor")}
      hint=${t("recover.factor.hint")}
      autocomplete="one-time-code"
      autocapitalize="none"
      spellcheck=${false}
    />`}
    <${PasswordField}
      ...${form.field("password")}
      label=${t("password.new")}
      hint=${t("password.hint")}
      autocomplete="new-password"
    />
    <${Notice}>${t("recover.limits")}<//>
    <${Button} type="submit" block busy=${form.busy}>${t("recover.save")}<//>
    ${anew}
  <//>`;
}
