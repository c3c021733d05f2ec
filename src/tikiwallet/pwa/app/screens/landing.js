// The front page for those who are signed out: what it is, at one glance.
import { Button } from "../components/controls.js";
import { Avatar, Brand, Bullet, Money } from "../components/display.js";
import { Icon } from "../components/icons.js";
import { Screen } from "../components/screen.js";
import { LANGUAGES, language, setLanguage, t } from "../core/i18n.js";
import { html } from "../core/ui.js";

const POINTS = /** @type {const} */ ([
  { key: "fast", icon: "at" },
  { key: "sure", icon: "shield" },
  { key: "kept", icon: "proof" },
  { key: "light", icon: "bolt" },
]);

/** @param {number} amount */
const sgd = (amount) => ({ amount, currency: "SGD" });

/** What a wallet looks like: a picture, not a control. */
const Example = () => html`<figure class="example" aria-label=${t("landing.example")}>
  <div class="example-card">
    <p>${t("landing.example.balance")}</p>
    <${Money} money=${sgd(128450)} large />
    <div class="carved" />
  </div>
  <ul>
    <li>
      <${Avatar} name="Mei Lin" />
      <span class="item-words">
        <span class="item-title">${t("landing.example.in")}</span>
        <span class="item-text">${t("landing.example.when")}</span>
      </span>
      <${Money} money=${sgd(4200)} direction="in" />
    </li>
    <li>
      <${Bullet} icon="store" kind="gold" />
      <span class="item-words">
        <span class="item-title">${t("landing.example.out")}</span>
        <span class="item-text">${t("landing.example.when")}</span>
      </span>
      <${Money} money=${sgd(680)} direction="out" />
    </li>
  </ul>
</figure>`;

/** All languages, each in its own words. */
const Languages = () => html`<span class="field-box field-select landing-language">
  <select
    aria-label=${t("landing.language")}
    onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ event) =>
      setLanguage(/** @type {import("../core/i18n.js").Language} */ (event.currentTarget.value), { keep: true })}
  >
    ${Object.entries(LANGUAGES).map(
      ([code, { name }]) => html`<option key=${code} value=${code} lang=${code} selected=${code === language.value}>
        ${name}
      </option>`,
    )}
  </select>
  <${Icon} name="down" />
</span>`;

export default function Landing() {
  const sandbox = document.documentElement.dataset.sandbox === "true";
  return html`<div class="landing">
    <header class="landing-bar">
      <${Brand} />
      <div class="row"><${Languages} /><${Button} href="/sign-in" variant="secondary" small>${t("landing.sign-in")}<//></div>
    </header>
    <${Screen} title=${t("landing.title")} bare wide>
      <section class="hero">
        <div class="hero-words">
          <p class="hero-title" aria-hidden="true">${t("landing.title")}</p>
          <p class="hero-lead">${t("landing.lead")}</p>
          <div class="hero-do">
            <${Button} href="/welcome">${t("landing.start")}<//>
            <${Button} href="/sign-in" variant="secondary">${t("landing.have")}<//>
          </div>
          ${sandbox && html`<p class="small soft hero-note"><${Icon} name="info" />${t("landing.sandbox")}</p>`}
        </div>
        <${Example} />
      </section>
      <ul class="points">
        ${POINTS.map(
          ({ key, icon }) => html`<li key=${key}>
            <${Bullet} icon=${icon} />
            <h2>${t(`landing.${key}`)}</h2>
            <p>${t(`landing.${key}.text`)}</p>
          </li>`,
        )}
      </ul>
      <footer class="landing-foot">
        <span>${t("landing.open")}</span><a href="/help">${t("landing.help")}</a>
      </footer>
    <//>
  </div>`;
}
