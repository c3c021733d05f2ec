// Short answers. Each opens in its place; nothing here needs a network once the words are there.
import { ListItem } from "../components/display.js";
import { Icon } from "../components/icons.js";
import { Screen } from "../components/screen.js";
import { t } from "../core/i18n.js";
import { signedIn } from "../core/session.js";
import { html } from "../core/ui.js";

const QUESTIONS = /** @type {const} */ ({
  money: ["pay", "wrong", "pending", "fees", "proof"],
  safety: ["codes", "pin", "lost", "password", "stranger"],
  app: ["offline", "install", "language", "private", "leave"],
});

export default function Help() {
  return html`<${Screen} title=${t("help.title")} back=${signedIn.value ? "/you" : "/"}>
    <div class="stack stack-l">
      ${Object.entries(QUESTIONS).map(
        ([group, questions]) => html`<section class="section" key=${group}>
          <h2>${t(/** @type {keyof import("../core/i18n.js").HelpWords} */ (`help.${group}`))}</h2>
          <div class="list answers">
            ${questions.map(
              (one) => html`<details key=${one}>
                <summary class="item">
                  <span class="item-words item-title">${t(`help.q.${one}`)}</span><${Icon} name="down" />
                </summary>
                <p>${t(`help.a.${one}`)}</p>
              </details>`,
            )}
          </div>
        </section>`,
      )}
      <ul class="list">
        <${ListItem} icon="code" title=${t("help.api")} text=${t("help.api.text")} href="/docs" />
        ${document.documentElement.dataset.sandbox === "true" &&
        html`<${ListItem} icon="message" title=${t("help.dev")} text=${t("help.dev.text")} href="/dev" />`}
      </ul>
    </div>
  <//>`;
}
