// The screens before one is inside: the same frame for signing in, opening a wallet and recovery.
import { t } from "../core/i18n.js";
import { html } from "../core/ui.js";
import { Mark } from "./display.js";
import { Screen } from "./screen.js";

/** @param {Parameters<typeof Screen>[0]} props */
export const Entry = (props) => html`<div class="entry">
  <div class="entry-side" aria-hidden="true">
    <div class="entry-words"><${Mark} /><p>${t("landing.title")}</p></div>
    <div class="carved" />
  </div>
  <${Screen} ...${props} />
</div>`;
