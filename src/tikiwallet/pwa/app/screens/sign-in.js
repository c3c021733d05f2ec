// Signing in: phone and password, a passkey alone, or an identity provider; then a second factor.
import { Button } from "../components/controls.js";
import { Entry } from "../components/entry.js";
import { Form, PasswordField } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { SecondFactor } from "../components/second-factor.js";
import { get, post } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { askPasskey, havePasskeys } from "../core/passkeys.js";
import { keepNote, readNote } from "../core/preferences.js";
import { Problem, asProblem } from "../core/problems.js";
import { navigate, ownAddress } from "../core/router.js";
import { enter } from "../core/session.js";
import { sayProblem } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";

/** @typedef {import("../components/second-factor.js").Challenge} Challenge */

/** @param {{ query: URLSearchParams }} props */
export default function SignIn({ query }) {
  const [challenge, setChallenge] = useState(/** @type {Challenge | null} */ (null));
  const next = ownAddress(query.get("next"));

  async function arrived() {
    await enter();
    navigate(next, { replace: true });
  }

  if (challenge) {
    const back = () => setChallenge(null);
    return html`<${Entry} title=${t("factor.title")} back=${back} key="factor">
      <${SecondFactor} challenge=${challenge} arrived=${arrived} expired=${back} />
    <//>`;
  }
  return html`<${Entry} title=${t("sign-in.title")} back="/" key="password">
    <div class="stack stack-l">
      <${Password} arrived=${arrived} challenged=${setChallenge} />
      <p class="divider"><span>${t("sign-in.or")}</span></p>
      <div class="stack stack-s">
        ${havePasskeys() && html`<${PasskeyAlone} arrived=${arrived} />`}
        <${Providers} next=${next} />
        <${Button} href="/welcome" variant="quiet" block>${t("sign-in.new")}<//>
      </div>
    </div>
  <//>`;
}

/** @param {{ arrived: () => Promise<void>, challenged: (challenge: Challenge) => void }} props */
function Password({ arrived, challenged }) {
  const form = useForm(
    { phone: readNote("phone") ?? "", password: "" },
    async (values) => {
      try {
        await post("/v1/auth/login", values, { quiet: true });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "second_factor_required") throw error;
        keepNote("phone", values.phone);
        const { challenge_id, methods = ["totp", "recovery_code"] } = error.extra;
        return challenged({ id: challenge_id, methods });
      }
      keepNote("phone", values.phone);
      await arrived();
    },
    {
      check: ({ phone, password }) => ({
        phone: phone ? null : t("phone.missing"),
        password: password ? null : t("password.missing"),
      }),
      fields: { invalid_credentials: "password" },
    },
  );
  return html`<${Form} form=${form}>
    <${PhoneField} ...${form.field("phone")} label=${t("phone.label")} autocomplete="username" />
    <${PasswordField} ...${form.field("password")} label=${t("password.label")} />
    <${Button} type="submit" block busy=${form.busy}>${t("sign-in.title")}<//>
    <${Button} href="/recover" variant="quiet" block>${t("sign-in.forgot")}<//>
  <//>`;
}

/** @param {{ arrived: () => Promise<void> }} props */
function PasskeyAlone({ arrived }) {
  const [busy, setBusy] = useState(false);
  async function sign() {
    setBusy(true);
    try {
      const { challenge_id, public_key } = await post("/v1/auth/passkey/options", {}, { quiet: true });
      const credential = await askPasskey(public_key);
      await post("/v1/auth/passkey", { challenge_id, credential }, { quiet: true });
      await arrived();
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }
  return html`<${Button} variant="secondary" icon="fingerprint" block busy=${busy} onClick=${sign}>
    ${t("sign-in.passkey")}
  <//>`;
}

/** @param {{ next: string }} props */
function Providers({ next }) {
  const [items, setItems] = useState(/** @type {{ provider: string, name: string }[]} */ ([]));
  useEffect(() => {
    // None are shown until they are known; without them the other ways remain.
    get("/v1/auth/oidc", { quiet: true }).then((answer) => setItems(answer.items), () => {});
  }, []);
  return items.map(({ provider, name }) => {
    const start = `/v1/auth/oidc/${encodeURIComponent(provider)}/start?return_to=${encodeURIComponent(next)}`;
    return html`<${Button} key=${provider} href=${start} variant="secondary" icon="external" block>
      ${t("sign-in.with", { name })}
    <//>`;
  });
}
