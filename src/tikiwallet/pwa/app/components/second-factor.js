// The second factor of a sign-in, by the way that the person chooses among theirs.
import { post } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { askPasskey, havePasskeys } from "../core/passkeys.js";
import { asProblem } from "../core/problems.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";
import { Button } from "./controls.js";
import { ListItem } from "./display.js";
import { CodeField, Field, Form } from "./fields.js";
import { Resend } from "./resend.js";

/** @typedef {"totp" | "sms" | "passkey" | "recovery_code"} Method */
/** @typedef {{ id: string, methods: Method[] }} Challenge */

const ICONS = /** @type {const} */ ({
  totp: "clock",
  sms: "message",
  passkey: "fingerprint",
  recovery_code: "key",
});

/**
 * @param {{ challenge: Challenge, arrived: () => Promise<void>, expired: () => void }} props
 *   `expired`: this sign-in must begin anew
 */
export function SecondFactor({ challenge, arrived, expired }) {
  const offered = challenge.methods.filter((method) => method !== "passkey" || havePasskeys());
  const [method, setMethod] = useState(/** @type {Method | null} */ (null));
  const [wait, setWait] = useState(30);
  const [busy, setBusy] = useState(false);

  /** @param {unknown} error @returns {import("../core/problems.js").Problem | null} null: all begins anew */
  function over(error) {
    const problem = asProblem(error);
    if (problem.code !== "second_factor_unknown") return problem;
    sayProblem(problem);
    expired();
    return null;
  }

  const sendSms = () =>
    post("/v1/auth/second-factor/sms", { challenge_id: challenge.id }, { quiet: true });

  async function withPasskey() {
    const path = "/v1/auth/second-factor/passkey";
    const { public_key } = await post(`${path}/options`, { challenge_id: challenge.id }, { quiet: true });
    const credential = await askPasskey(public_key);
    await post(path, { challenge_id: challenge.id, credential }, { quiet: true });
    await arrived();
  }

  /** @param {Method} chosen */
  async function choose(chosen) {
    if (busy) return;
    setBusy(true);
    try {
      if (chosen === "passkey") return await withPasskey();
      if (chosen === "sms") {
        setWait((await sendSms())?.retry_after ?? 60);
        say(t("code.sent"));
      }
      setMethod(chosen);
    } catch (error) {
      const problem = over(error);
      if (problem) sayProblem(problem);
    } finally {
      setBusy(false);
    }
  }

  if (!method) {
    return html`<div class="stack">
      <p class="soft">${t("factor.text")}</p>
      <ul class="list">
        ${offered.map(
          (one) => html`<${ListItem}
            key=${one}
            icon=${ICONS[one]}
            title=${t(`factor.${one}`)}
            text=${t(`factor.${one}.text`)}
            arrow
            onClick=${() => choose(one)}
          />`,
        )}
      </ul>
    </div>`;
  }
  return html`<div class="stack stack-l">
    <${FactorCode} key=${method} method=${method} challenge=${challenge} arrived=${arrived} over=${over} />
    ${method === "sms" && html`<${Resend} send=${sendSms} wait=${wait} />`}
    ${offered.length > 1 &&
    html`<${Button} variant="quiet" block onClick=${() => setMethod(null)}>${t("factor.other")}<//>`}
  </div>`;
}

/**
 * @param {{ method: Method, challenge: Challenge, arrived: () => Promise<void>,
 *   over: (error: unknown) => import("../core/problems.js").Problem | null }} props
 */
function FactorCode({ method, challenge, arrived, over }) {
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      try {
        const body = { challenge_id: challenge.id, code: code.trim(), method };
        await post("/v1/auth/second-factor", body, { quiet: true });
      } catch (error) {
        const problem = over(error);
        if (problem) throw problem;
        return;
      }
      await arrived();
    },
    { check: ({ code }) => ({ code: code ? null : t("code.missing") }) },
  );
  const field = form.field("code");
  return html`<${Form} form=${form}>
    ${method === "recovery_code"
      ? html`<${Field}
          ...${field}
          label=${t("factor.recovery_code")}
          hint=${t("factor.recovery_code.hint")}
          autocomplete="off"
          autocapitalize="none"
          spellcheck=${false}
          autofocus
        />`
      : html`<${CodeField} ...${field} label=${t("code.label")} hint=${t(`factor.${method}.text`)} autofocus />`}
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
  <//>`;
}
