// A forgotten password or a lost phone: prove who one is, wait (or show a second factor), then choose a
// new password. The wait may take a day, so how far one is stays on this device.
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
 * @property {string} [phone] it got the code; else the number is gone and a username was given
 * @property {boolean} [slow] the message is on its way, but the provider is slow
 * @property {string} [secret] what only this device has, once it was proven
 * @property {string} [readyAt] with the second factor, if one is needed
 * @property {string | null} [withoutAt] and without it
 * @property {boolean} [needsFactor]
 */
/** @typedef {(next: Recovery | null) => void} Go */

/** @returns {Recovery | null} */
const begun = () => JSON.parse(readNote("recovery") ?? "null");

export default function Recover() {
  const [recovery, setRecovery] = useState(begun);

  /** @type {Go} */
  function go(next) {
    keepNote("recovery", next && JSON.stringify(next));
    setRecovery(next);
  }

  const step = !recovery ? "who" : !recovery.secret ? "proof" : "password";
  const back = step === "proof" ? () => go(null) : "/sign-in";
  return html`<${Entry} title=${t("recover.title")} back=${back} key=${step}>
    ${!recovery && html`<${Who} go=${go} />`}
    ${step === "proof" && (recovery?.phone ? html`<${Code} recovery=${recovery} go=${go} />` : html`<${OtherProof} recovery=${recovery} go=${go} />`)}
    ${step === "password" && html`<${Password} recovery=${recovery} go=${go} />`}
  <//>`;
}

/** @param {{ go: Go }} props by phone; or by username, when the number is gone as well */
function Who({ go }) {
  const [gone, setGone] = useState(false);
  const form = useForm(
    { phone: readNote("phone") ?? "", username: "" },
    async ({ phone, username }) => {
      const who = gone ? { username: username.trim().replace(/^@/, "") } : { phone };
      const answer = await post("/v1/auth/recovery", who, { quiet: true });
      const slow = answer.delivery === "on_its_way";
      go({ id: answer.recovery_id, ...(gone ? {} : { phone, slow }) });
    },
    {
      check: ({ phone, username }) => ({
        phone: gone || phone ? null : t("phone.missing"),
        username: !gone || username.trim() ? null : t("username.own-missing"),
      }),
    },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t(gone ? "recover.gone.text" : "recover.text")}</p>
    ${gone
      ? html`<${Field}
          ...${form.field("username")}
          label=${t("username.own")}
          before="@"
          autocomplete="username"
          autocapitalize="none"
          spellcheck=${false}
        />`
      : html`<${PhoneField} ...${form.field("phone")} label=${t("phone.label")} />`}
    <${Button} type="submit" block busy=${form.busy}>${t(gone ? "do.continue" : "recover.send")}<//>
    <${Button} variant="quiet" block onClick=${() => setGone(!gone)}>
      ${t(gone ? "recover.not-gone" : "recover.gone")}
    <//>
  <//>`;
}

/** @param {Recovery} recovery @param {object} proof @returns {Promise<Recovery>} throws Problem */
async function prove(recovery, proof) {
  const body = { recovery_id: recovery.id, ...proof };
  const answer = await post("/v1/auth/recovery/verify", body, { quiet: true });
  return {
    ...recovery,
    secret: answer.recovery_secret,
    readyAt: answer.ready_at,
    withoutAt: answer.ready_without_at,
    needsFactor: answer.needs.includes("second_factor"),
  };
}

/** @param {{ recovery: Recovery, go: Go }} props */
function Code({ recovery, go }) {
  const form = useForm({ code: "" }, async ({ code }) => go(await prove(recovery, { code })), {
    check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }),
  });
  return html`<${Form} form=${form}>
    <p class="soft">
      ${t("code.sent-to")} <bdi dir="ltr"><strong>${recovery.phone}</strong></bdi>
    </p>
    ${recovery.slow && html`<${Notice}>${t("code.slow")}<//>`}
    <${CodeField} ...${form.field("code")} label=${t("code.label")} autofocus />
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
    <${Button} variant="quiet" block onClick=${() => go(null)}>${t("recover.again")}<//>
  <//>`;
}

/** @param {{ recovery: Recovery, go: Go }} props without the phone: a code that was kept, or the password */
function OtherProof({ recovery, go }) {
  const [byPassword, setByPassword] = useState(false);
  const form = useForm(
    { code: "", password: "" },
    async ({ code, password }) => {
      go(await prove(recovery, byPassword ? { password } : { code: code.trim() }));
    },
    {
      check: ({ code, password }) => ({
        code: byPassword || code ? null : t("code.missing"),
        password: !byPassword || password ? null : t("password.missing"),
      }),
      fields: byPassword ? { code_wrong: "password" } : {},
    },
  );
  return html`<${Form} form=${form}>
    ${byPassword
      ? html`<${PasswordField} ...${form.field("password")} label=${t("password.label")} />`
      : html`<${Field}
          ...${form.field("code")}
          label=${t("recover.factor")}
          hint=${t("recover.factor.hint")}
          autocomplete="one-time-code"
          autocapitalize="none"
          spellcheck=${false}
        />`}
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
    <${Button} variant="quiet" block onClick=${() => setByPassword(!byPassword)}>
      ${t(byPassword ? "recover.by-code" : "recover.by-password")}
    <//>
  <//>`;
}

/** @param {string | null | undefined} at @param {number} now */
const isPast = (at, now) => Boolean(at) && new Date(String(at)).getTime() <= now;

/** @param {{ recovery: Recovery, go: Go }} props */
function Password({ recovery, go }) {
  const [now, setNow] = useState(Date.now);
  const withoutFactor = !recovery.needsFactor || isPast(recovery.withoutAt, now);
  const ready = isPast(recovery.readyAt, now) || isPast(recovery.withoutAt, now);

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000);
    return () => clearInterval(timer);
  }, []);

  const form = useForm(
    { factor_code: "", password: "" },
    async ({ factor_code, password }) => {
      const body = {
        recovery_id: recovery.id,
        recovery_secret: recovery.secret,
        password,
        ...(factor_code.trim() && { factor_code: factor_code.trim() }),
      };
      try {
        await post("/v1/auth/recovery/complete", body, { quiet: true });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.code === "recovery_not_ready") go({ ...recovery, readyAt: error.extra.ready_at });
        if (error.code === "recovery_invalid") keepNote("recovery", null);
        throw error;
      }
      keepNote("recovery", null);
      await enter();
      say(t("recover.done"));
      navigate("/", { replace: true });
    },
    {
      check: ({ factor_code, password }) => ({
        factor_code: withoutFactor || factor_code.trim() ? null : t("code.missing"),
        password: password.length >= 8 ? null : t("password.short"),
      }),
      fields: { code_wrong: "factor_code", recovery_factor_required: "factor_code" },
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
    ${!withoutFactor &&
    html`<${Field}
        ...${form.field("factor_code")}
        label=${t("recover.factor")}
        hint=${t("recover.factor.hint")}
        autocomplete="one-time-code"
        autocapitalize="none"
        spellcheck=${false}
      />
      ${recovery.withoutAt &&
      html`<p class="small soft">${t("recover.without", { at: formatMoment(recovery.withoutAt) })}</p>`}`}
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
