// The second step of signing in: an authenticator app, codes by SMS, and codes for when both are gone.
import { Button, CopyButton, Switch } from "../components/controls.js";
import { ListItem } from "../components/display.js";
import { Loaded, Notice } from "../components/feedback.js";
import { CodeField, Form } from "../components/fields.js";
import { QR } from "../components/qr.js";
import { Screen } from "../components/screen.js";
import { Sheet } from "../components/sheet.js";
import { factors } from "../core/account.js";
import { del, post, put } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/account.js").Factors} Factors */
/** @typedef {{ secret: string, uri: string }} Setup */

export default function Authenticator() {
  useResource(factors);
  const [setup, setSetup] = useState(/** @type {Setup | null} */ (null));
  const [codes, setCodes] = useState(/** @type {string[] | null} */ (null));
  const [busy, setBusy] = useState(false);

  /** @param {() => Promise<void>} change */
  async function make(change) {
    if (busy) return;
    setBusy(true);
    try {
      await change();
      await factors.refresh();
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  /** @param {boolean} on */
  const switchTotp = (on) =>
    make(async () => {
      if (on) setSetup(await strongly(() => post("/v1/me/totp")));
      else await strongly(() => del("/v1/me/totp"));
    });
  /** @param {boolean} enabled */
  const switchSms = (enabled) =>
    make(() => strongly(() => put("/v1/me/sms-factor", { enabled })));
  const renew = () =>
    make(async () => {
      const { recovery_codes } = await strongly(() => post("/v1/me/recovery-codes"));
      setCodes(recovery_codes);
    });

  return html`<${Screen} title=${t("second.title")} back="/security">
    <div class="stack stack-l">
      <p class="soft">${t("second.text")}</p>
      <${Loaded} of=${factors}>
        ${(/** @type {Factors} */ own) => html`<div class="stack stack-l">
          <div class="card stack">
            <${Switch} label=${t("totp.title")} hint=${t("totp.about")} checked=${own.totp} disabled=${busy} onChange=${switchTotp} />
            <${Switch} label=${t("sms.title")} hint=${t("sms.about")} checked=${own.sms} disabled=${busy} onChange=${switchSms} />
          </div>
          ${(own.totp || own.sms || own.passkeys.length > 0) &&
          html`<ul class="list">
            <${ListItem}
              icon="key"
              iconKind=${own.recovery_codes_left < 3 ? "gold" : undefined}
              title=${t("recovery-codes.title")}
              text=${t("recovery-codes.left", { count: own.recovery_codes_left })}
              end=${html`<span class="link">${t("recovery-codes.renew")}</span>`}
              onClick=${renew}
            />
          </ul>`}
        </div>`}
      <//>
    </div>
    ${setup &&
    html`<${TotpSetup}
      setup=${setup}
      close=${() => {
        setSetup(null);
        void factors.refresh();
      }}
      done=${(/** @type {string[]} */ made) => {
        setSetup(null);
        setCodes(made);
        void factors.refresh();
      }}
    />`}
    ${codes && html`<${Codes} codes=${codes} close=${() => setCodes(null)} />`}
  <//>`;
}

/** @param {{ setup: Setup, close: () => void, done: (codes: string[]) => void }} props */
function TotpSetup({ setup, close, done }) {
  const form = useForm(
    { code: "" },
    async ({ code }) => done((await post("/v1/me/totp/confirm", { code })).recovery_codes),
    { check: ({ code }) => ({ code: code.length === 6 ? null : t("code.missing") }) },
  );
  const grouped = setup.secret.replace(/(.{4})/g, "$1 ").trim();
  return html`<${Sheet} title=${t("totp.setup")} onClose=${close}>
    <div class="stack">
      <p>${t("totp.scan")}</p>
      <${QR} text=${setup.uri} label=${t("totp.qr")} />
      <p class="small soft">${t("totp.type")}</p>
      <p class="secret mono" dir="ltr">${grouped}</p>
      <div class="row">
        <${CopyButton} text=${() => setup.secret} label=${t("totp.copy")} />
        <${Button} href=${setup.uri} variant="secondary" icon="external" small>${t("totp.open")}<//>
      </div>
      <${Form} form=${form}>
        <${CodeField} ...${form.field("code")} label=${t("totp.code")} />
        <${Button} type="submit" block busy=${form.busy}>${t("totp.confirm")}<//>
      <//>
    </div>
  <//>`;
}

/** @param {{ codes: string[], close: () => void }} props shown once: they cannot be read again */
function Codes({ codes, close }) {
  const text = codes.join("\n");
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`TikiWallet\n\n${text}\n`], { type: "text/plain" }));
    link.download = "tikiwallet-recovery-codes.txt";
    link.click();
    URL.revokeObjectURL(link.href);
    say(t("saved"));
  }
  return html`<${Sheet} title=${t("recovery-codes.title")} onClose=${close}>
    <div class="stack">
      <${Notice} kind="warn">${t("recovery-codes.text")}<//>
      <ol class="codes mono" dir="ltr">
        ${codes.map((code) => html`<li key=${code}>${code}</li>`)}
      </ol>
      <div class="row">
        <${CopyButton} text=${() => text} />
        <${Button} variant="secondary" icon="download" small onClick=${save}>${t("recovery-codes.save")}<//>
      </div>
      <${Button} block onClick=${close}>${t("recovery-codes.done")}<//>
    </div>
  <//>`;
}
