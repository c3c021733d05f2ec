// "Is it you?": password (and code, of whichever kind), or a passkey, before anything sensitive.
import { post } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { askPasskey, havePasskeys } from "../core/passkeys.js";
import { Problem, asProblem } from "../core/problems.js";
import { sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";
import { Button } from "./controls.js";
import { Field, Form, PasswordField } from "./fields.js";
import { Resend } from "./resend.js";
import { Sheet } from "./sheet.js";

/** @param {{ done: () => void, cancel: () => void }} props */
export function StepUpSheet({ done, cancel }) {
  const [methods, setMethods] = useState(/** @type {string[]} */ ([])); // once a code is needed
  const needsCode = methods.length > 0;
  const [busy, setBusy] = useState(false);
  const form = useForm(
    { password: "", code: "" },
    async ({ password, code }) => {
      try {
        await post("/v1/auth/reauthenticate", { password, ...(code && { code }) });
      } catch (error) {
        // The field appears now; nothing was wrong with the password.
        if (error instanceof Problem && error.code === "factor_code_required") {
          return setMethods(error.extra.methods);
        }
        throw error;
      }
      done();
    },
    {
      check: ({ password, code }) => ({
        password: password ? null : t("password.missing"),
        code: needsCode && !code ? t("code.missing") : null,
      }),
      fields: { password_wrong: "password" },
    },
  );

  const sendSms = () => post("/v1/auth/reauthenticate/sms");

  async function withPasskey() {
    setBusy(true);
    try {
      const { public_key } = await post("/v1/auth/reauthenticate/passkey/options");
      await post("/v1/auth/reauthenticate/passkey", { credential: await askPasskey(public_key) });
      done();
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  return html`<${Sheet} title=${t("step-up.title")} onClose=${cancel}>
    <div class="stack">
      <p class="soft">${t("step-up.text")}</p>
      <${Form} form=${form}>
        <${PasswordField} ...${form.field("password")} label=${t("password.label")} />
        ${needsCode &&
        html`<${Field}
          ...${form.field("code")}
          label=${t("step-up.code")}
          hint=${t(methods.includes("totp") ? "step-up.code-hint" : "factor.sms.text")}
          autocomplete="one-time-code"
          autocapitalize="none"
          spellcheck=${false}
        />`}
        <${Button} type="submit" block busy=${form.busy}>${t("do.confirm")}<//>
      <//>
      ${methods.includes("sms") &&
      html`<${Resend} wait=${0} label=${t("factor.sms")} send=${sendSms} />`}
      ${havePasskeys() &&
      html`<${Button} variant="secondary" icon="fingerprint" block busy=${busy} onClick=${withPasskey}>
        ${t("passkey.use")}
      <//>`}
    </div>
  <//>`;
}
