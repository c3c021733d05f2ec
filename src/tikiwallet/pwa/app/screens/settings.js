// How the app looks and speaks on this device, and what the person wants to be told.
import { Button, Choices, Switch } from "../components/controls.js";
import { ListItem, Money } from "../components/display.js";
import { Notice } from "../components/feedback.js";
import { Form, Select } from "../components/fields.js";
import { AmountInput } from "../components/amount.js";
import { PinPad } from "../components/pinpad.js";
import { Screen } from "../components/screen.js";
import { Sheet } from "../components/sheet.js";
import { patch } from "../core/api.js";
import { currencyOptions } from "../core/currencies.js";
import { useForm } from "../core/forms.js";
import { formatMoney } from "../core/money.js";
import { LANGUAGES, language, setLanguage, t } from "../core/i18n.js";
import { install, isInstalled, keepStorage, needsShareMenu, offer } from "../core/install.js";
import { hideBalance, theme } from "../core/preferences.js";
import { Problem, asProblem, wordsOf } from "../core/problems.js";
import { keepMe, me, signedIn } from "../core/session.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/session.js").Me} Me */
/** @typedef {import("../core/i18n.js").Language} Language */

/** The most that anybody may pay without a PIN, in cents; the service holds it. */
const PIN_FREE_MOST = 100_000;

/** @param {object} change saves it and says so; a refusal is said, and nothing changes */
async function save(change) {
  try {
    keepMe(await patch("/v1/me", change));
    say(t("saved"));
  } catch (error) {
    sayProblem(asProblem(error));
  }
}

/** @param {Language} code */
async function speak(code) {
  try {
    await setLanguage(code, { keep: true });
  } catch {
    return say(t("problem.offline"), { kind: "error" });
  }
  // Messages of the service follow; the app itself is already there.
  if (signedIn.value) await patch("/v1/me", { language: code }).then(keepMe, () => {});
}

export default function Settings() {
  const person = me.value;
  const themes = /** @type {const} */ ([
    { value: "system", label: t("theme.system"), icon: "phone" },
    { value: "light", label: t("theme.light"), icon: "sun" },
    { value: "dark", label: t("theme.dark"), icon: "moon" },
  ]);
  return html`<${Screen} title=${t("settings.title")} back=${signedIn.value ? "/you" : "/"}>
    <div class="stack stack-l">
      <section class="section">
        <h2>${t("settings.looks")}</h2>
        <div class="card stack">
          <${Choices}
            label=${t("theme.label")}
            value=${theme.value}
            options=${themes}
            onChange=${(/** @type {import("../core/preferences.js").Theme} */ chosen) => (theme.value = chosen)}
          />
          <${Select}
            label=${t("settings.language")}
            value=${language.value}
            options=${Object.entries(LANGUAGES).map(([value, { name }]) => ({ value, label: name }))}
            onInput=${speak}
          />
          ${signedIn.value &&
          html`<${Switch}
            label=${t("settings.hide")}
            hint=${t("settings.hide.text")}
            checked=${hideBalance.value}
            onChange=${(/** @type {boolean} */ on) => (hideBalance.value = on)}
          />`}
        </div>
      </section>
      ${signedIn.value && person && html`<${Own} person=${person} />`}
      <${Install} />
    </div>
  <//>`;
}

/** @param {{ person: Me }} props what is kept with the person, not with the device */
function Own({ person }) {
  const [open, setOpen] = useState(false);
  const notices = person.notices ?? { security: true, payments: true, news: false };
  const threshold = person.pin_threshold ?? person.limits.payment_without_pin;
  return html`<section class="section">
      <h2>${t("settings.money")}</h2>
      <div class="stack">
        <div class="card">
          <${Select}
            label=${t("settings.currency")}
            hint=${t("settings.currency.text")}
            value=${person.home_currency ?? "SGD"}
            options=${currencyOptions()}
            onInput=${(/** @type {string} */ home_currency) => save({ home_currency })}
          />
        </div>
        <ul class="list">
          <${ListItem}
            icon="lock"
            title=${t("settings.threshold")}
            text=${threshold.amount
              ? html`${t("settings.threshold.above")} <${Money} money=${threshold} />`
              : t("settings.threshold.every")}
            arrow
            onClick=${() => setOpen(true)}
          />
        </ul>
      </div>
    </section>
    <section class="section">
      <h2>${t("settings.notices")}</h2>
      <div class="card stack">
        <${Switch}
          label=${t("notices.security")}
          hint=${t("notices.security.text")}
          checked
          disabled
          onChange=${() => {}}
        />
        <${Switch}
          label=${t("notices.payments")}
          hint=${t("notices.payments.text")}
          checked=${notices.payments}
          onChange=${(/** @type {boolean} */ payments) => save({ notices: { payments } })}
        />
        <${Switch}
          label=${t("notices.news")}
          hint=${t("notices.news.text")}
          checked=${notices.news}
          onChange=${(/** @type {boolean} */ news) => save({ notices: { news } })}
        />
      </div>
    </section>
    ${open && html`<${Threshold} person=${person} now=${threshold} close=${() => setOpen(false)} />`}`;
}

/** @param {{ person: Me, now: import("../core/money.js").Money, close: () => void }} props */
function Threshold({ person, now, close }) {
  const [amount, setAmount] = useState(/** @type {number | null} */ (now.amount));
  const [always, setAlways] = useState(now.amount === 0);
  const [asking, setAsking] = useState(false);
  const [pinError, setPinError] = useState(/** @type {string | null} */ (null));
  const [busy, setBusy] = useState(false);

  /** @param {object | null} pin_threshold null: the service's own @param {string} [pin] */
  async function send(pin_threshold, pin) {
    setBusy(true);
    try {
      keepMe(await patch("/v1/me", { pin_threshold, ...(pin && { pin }) }));
      say(t("saved"));
      close();
    } catch (error) {
      const problem = asProblem(error);
      const wantsPin = ["pin_required", "reauthentication_required"].includes(problem.code);
      if (wantsPin && person.pin_set && !pin) setAsking(true);
      else if (pin) setPinError(wordsOf(problem));
      else if (wantsPin) throw new Problem("pin_not_set");
      else throw problem;
    } finally {
      setBusy(false);
    }
  }

  const most = { amount: PIN_FREE_MOST, currency: now.currency };
  const tooMuch = !always && (amount ?? 0) > PIN_FREE_MOST;
  const wanted = () => ({ amount: always ? 0 : (amount ?? 0), currency: now.currency });
  const form = useForm({}, () => send(wanted()));
  const options = [
    { value: "some", label: t("settings.threshold.some") },
    { value: "every", label: t("settings.threshold.always") },
  ];
  return html`<${Sheet} title=${t("settings.threshold")} onClose=${close}>
    ${asking
      ? html`<div class="stack centred">
          <p>${t("settings.threshold.pin")}</p>
          <${PinPad}
            label=${t("pin.current")}
            error=${pinError}
            busy=${busy}
            onDone=${(/** @type {string} */ pin) => {
              setPinError(null);
              void send(wanted(), pin);
            }}
          />
        </div>`
      : html`<${Form} form=${form}>
          <p class="soft">${t("settings.threshold.text")}</p>
          <${Choices}
            label=${t("settings.threshold.when")}
            value=${always ? "every" : "some"}
            options=${options}
            onChange=${(/** @type {string} */ chosen) => setAlways(chosen === "every")}
          />
          ${!always &&
          html`<${AmountInput}
            currency=${now.currency}
            amount=${amount}
            onChange=${setAmount}
            error=${tooMuch ? t("settings.threshold.most", { most: formatMoney(most) }) : null}
          />`}
          <${Button} type="submit" block busy=${form.busy} disabled=${!always && (!amount || tooMuch)}>${t("do.save")}<//>
          <${Button}
            variant="quiet"
            block
            onClick=${() => send(null).catch((error) => sayProblem(asProblem(error)))}
            >${t("settings.threshold.default")}<//
          >
        <//>`}
  <//>`;
}

/** Installed, it opens like any app, and the browser does not throw its memory away. */
function Install() {
  if (isInstalled()) return null;
  if (!offer.value && !needsShareMenu()) return null;
  return html`<section class="section">
    <h2>${t("install.title")}</h2>
    <div class="card stack">
      <p>${t("install.text")}</p>
      ${offer.value
        ? html`<${Button} icon="install" onClick=${async () => (await install()) && keepStorage()}>${t("install.do")}<//>`
        : html`<${Notice} icon="share">${t("install.share")}<//>`}
    </div>
  </section>`;
}
