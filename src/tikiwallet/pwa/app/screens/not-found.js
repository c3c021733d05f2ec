// No such page.
import { Button } from "../components/controls.js";
import { EmptyState } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { t } from "../core/i18n.js";
import { html } from "../core/ui.js";

export default function NotFound() {
  const home = html`<${Button} href="/">${t("missing.home")}<//>`;
  return html`<${Screen} title=${t("missing.title")} bare>
    <${EmptyState} icon="location" title=${t("missing.title")} action=${home}>${t("missing.text")}<//>
  <//>`;
}
