// Where the link in a text message leads: whoever did not ask for a new password or number stops it.
import { Button } from "../components/controls.js";
import { Entry } from "../components/entry.js";
import { EmptyState } from "../components/feedback.js";
import { Form } from "../components/fields.js";
import { post } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { html, useState } from "../core/ui.js";

export default function RecoveryCancel() {
  const [stopped, setStopped] = useState(false);
  // Behind the #, so that no server and no program that looks at links gets to see it.
  const form = useForm({ token: location.hash.slice(1) }, async ({ token }) => {
    await post("/v1/auth/recovery/cancel", { token }, { quiet: true });
    setStopped(true);
  });
  const home = html`<${Button} href="/">${t("missing.home")}<//>`;
  return html`<${Entry} title=${t("cancel.title")} back="/">
    ${stopped
      ? html`<${EmptyState} icon="shield" title=${t("cancel.done")} action=${home}>${t("cancel.done.text")}<//>`
      : html`<${Form} form=${form}>
          <${EmptyState} icon="alert" title=${t("cancel.ask")}>${t("cancel.text")}<//>
          <${Button} variant="danger" type="submit" block busy=${form.busy}>${t("cancel.do")}<//>
          <${Button} variant="quiet" href="/" block>${t("cancel.mine")}<//>
        <//>`}
  <//>`;
}
