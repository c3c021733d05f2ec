// Opening a wallet: phone and name, the code, a PIN, a currency, and a passkey for who wants one.
import { NewPin } from "../components/new-pin.js";
import { Button } from "../components/controls.js";
import { Entry } from "../components/entry.js";
import { Bullet } from "../components/display.js";
import { Notice } from "../components/feedback.js";
import { CodeField, Field, Form, PasswordField, Select } from "../components/fields.js";
import { PhoneField } from "../components/phone.js";
import { Resend } from "../components/resend.js";
import { addPasskey, deviceName } from "../core/account.js";
import { patch, post, put } from "../core/api.js";
import { countryOf, currencyIn } from "../core/countries.js";
import { currencyOptions } from "../core/currencies.js";
import { useForm } from "../core/forms.js";
import { language, t } from "../core/i18n.js";
import { havePasskeys } from "../core/passkeys.js";
import { keepNote } from "../core/preferences.js";
import { Problem, asProblem } from "../core/problems.js";
import { navigate, ownAddress } from "../core/router.js";
import { enter, keepMe, loadMe, me, signedIn } from "../core/session.js";
import { strongly } from "../core/step-up.js";
import { sayProblem } from "../core/toasts.js";
import { html, useEffect, useState } from "../core/ui.js";

/** @typedef {"about" | "code" | "pin" | "currency" | "passkey"} Step */
/** @typedef {{ step: Step, registration: string, phone: string, slow?: boolean }} Progress */

const STEPS = /** @type {Step[]} */ (["about", "code", "pin", "currency", "passkey"]);
// Phones drop a page while one reads the message: the way so far outlives that, in this tab.
const KEPT = "tw.sign-up";

/** @returns {Progress} */
function begun() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  return kept ?? { step: "about", registration: "", phone: "" };
}

/** @param {{ query: URLSearchParams }} props */
export default function SignUp({ query }) {
  const [progress, setProgress] = useState(begun);
  const { step } = progress;

  /** @param {Partial<Progress>} change */
  function go(change) {
    const next = { ...progress, ...change };
    sessionStorage.setItem(KEPT, JSON.stringify(next));
    setProgress(next);
  }

  function finish() {
    sessionStorage.removeItem(KEPT);
    navigate(ownAddress(query.get("return_to")), { replace: true });
  }

  useEffect(() => {
    // Identity providers lead back to here; what is about signing in goes on there.
    if (query.has("oidc_error") || query.has("challenge_id")) {
      return navigate(`/sign-in?${query}`, { replace: true });
    }
    // Who is signed in and on no later step has a wallet already; who lost the session begins anew.
    const late = STEPS.indexOf(step) >= STEPS.indexOf("pin");
    if (signedIn.value && !late) finish();
    else if (!signedIn.value && late) go({ step: "about" });
  }, []);

  const back = step === "about" ? "/" : step === "code" ? () => go({ step: "about" }) : undefined;
  return html`<${Entry} title=${t(`sign-up.${step}.title`)} back=${back} key=${step}>
    <div class="stack stack-l">
      <div class="steps" role="img" aria-label=${t("sign-up.step", { n: STEPS.indexOf(step) + 1, of: STEPS.length })}>
        ${STEPS.map((one, i) => html`<i key=${one} class=${i <= STEPS.indexOf(step) ? "on" : ""} />`)}
      </div>
      ${step === "about" && html`<${About} ticket=${query.get("oidc")} phone=${progress.phone} go=${go} />`}
      ${step === "code" && html`<${Code} progress=${progress} go=${go} />`}
      ${step === "pin" && html`<${Pin} go=${go} />`}
      ${step === "currency" && html`<${Currency} go=${go} finish=${finish} />`}
      ${step === "passkey" && html`<${Passkey} finish=${finish} />`}
    </div>
  <//>`;
}

/** @typedef {(change: Partial<Progress>) => void} Go */

/** @param {{ ticket: string | null, phone: string, go: Go }} props `ticket`: from an identity provider, in place of a password */
function About({ ticket, phone, go }) {
  const form = useForm(
    { phone, username: "", password: "" },
    async (values) => {
      const secret = ticket ? { oidc_ticket: ticket } : { password: values.password };
      const { registration_id, delivery } = await post(
        "/v1/auth/register",
        { phone: values.phone, username: values.username.trim().replace(/^@/, ""), ...secret },
        { quiet: true },
      );
      const slow = delivery === "on_its_way";
      go({ step: "code", registration: registration_id, phone: values.phone, slow });
    },
    {
      check: ({ phone: number, username, password }) => ({
        phone: number ? null : t("phone.missing"),
        username: username.trim() ? null : t("username.missing"),
        password: ticket || password.length >= 8 ? null : t("password.short"),
      }),
    },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("sign-up.about.text")}</p>
    <${PhoneField} ...${form.field("phone")} label=${t("phone.label")} hint=${t("phone.hint")} />
    <${Field}
      ...${form.field("username")}
      label=${t("username.label")}
      hint=${t("username.hint")}
      before="@"
      autocomplete="username"
      autocapitalize="none"
      spellcheck=${false}
      maxlength="31"
    />
    ${!ticket &&
    html`<${PasswordField}
      ...${form.field("password")}
      label=${t("password.label")}
      hint=${t("password.hint")}
      autocomplete="new-password"
    />`}
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
    <p class="centred small">${t("sign-up.have")}${"  "}<a class="tap" href="/sign-in">${t("sign-in.title")}</a></p>
  <//>`;
}

/** @param {{ progress: Progress, go: Go }} props */
function Code({ progress, go }) {
  const { registration, phone } = progress;
  const form = useForm(
    { code: "" },
    async ({ code }) => {
      await post("/v1/auth/verify", { registration_id: registration, code }, { quiet: true });
      keepNote("phone", phone);
      go({ step: "pin" });
      await enter();
    },
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  const again = () =>
    post("/v1/auth/register/resend", { registration_id: registration }, { quiet: true });
  return html`<${Form} form=${form}>
    <p class="soft">${t("code.sent-to")} <bdi dir="ltr"><strong>${phone}</strong></bdi></p>
    ${progress.slow && html`<${Notice}>${t("code.slow")}<//>`}
    <${CodeField} ...${form.field("code")} label=${t("code.label")} autofocus />
    <${Button} type="submit" block busy=${form.busy}>${t("do.continue")}<//>
    <${Resend} send=${again} />
    ${document.documentElement.dataset.sandbox === "true" &&
    html`<${Notice}>
      ${t("code.sandbox")} <a href=${`/dev?phone=${encodeURIComponent(phone)}`} target="_blank">${t("code.sandbox-link")}</a>
    <//>`}
  <//>`;
}

/** @param {{ go: Go }} props */
function Pin({ go }) {
  /** @param {string} pin */
  async function save(pin) {
    try {
      await strongly(() => put("/v1/me/pin", { pin })); // asks only who took long to get here
    } catch (error) {
      // Set already, in a try whose answer was lost.
      if (!(error instanceof Problem) || error.code !== "current_pin_required") throw error;
    }
    if (me.value) keepMe({ ...me.value, pin_set: true });
    go({ step: "currency" });
  }
  return html`<p class="soft">${t("sign-up.pin.text")}</p>
    <${NewPin} save=${save} />`;
}

/** @param {{ go: Go, finish: () => void }} props */
function Currency({ go, finish }) {
  const form = useForm(
    { currency: currencyIn(countryOf(me.value?.phone ?? "")) },
    async ({ currency }) => {
      await post("/v1/wallets", { currency });
      // A convenience: without it the wallet works, and settings can say so later.
      await patch("/v1/me", { home_currency: currency, language: language.value }).then(
        keepMe,
        () => {},
      );
      if (havePasskeys()) go({ step: "passkey" });
      else finish();
    },
  );
  return html`<${Form} form=${form}>
    <p class="soft">${t("sign-up.currency.text")}</p>
    <${Select} ...${form.field("currency")} label=${t("currency.label")} options=${currencyOptions()} />
    <${Button} type="submit" block busy=${form.busy}>${t("sign-up.currency.do")}<//>
  <//>`;
}

/** @param {{ finish: () => void }} props */
function Passkey({ finish }) {
  const [busy, setBusy] = useState(false);
  async function add() {
    setBusy(true);
    try {
      await addPasskey(deviceName() || t("passkey.this-device"));
      void loadMe().catch(() => {});
      finish();
    } catch (error) {
      setBusy(false);
      sayProblem(asProblem(error));
    }
  }
  return html`<div class="stack">
    <div class="state">
      <div class="state-picture"><${Bullet} icon="fingerprint" /></div>
      <p>${t("sign-up.passkey.text")}</p>
    </div>
    <${Button} icon="fingerprint" block busy=${busy} onClick=${add}>${t("passkey.add")}<//>
    <${Button} variant="quiet" block onClick=${finish}>${t("do.later")}<//>
  </div>`;
}
