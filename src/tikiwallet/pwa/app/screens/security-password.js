// A new password; every other device is signed out by it.
import { Button } from "../components/controls.js";
import { Notice } from "../components/feedback.js";
import { Form, PasswordField } from "../components/fields.js";
import { Screen } from "../components/screen.js";
import { identities } from "../core/account.js";
import { put } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { useResource } from "../core/resource.js";
import { goBack } from "../core/router.js";
import { strongly } from "../core/step-up.js";
import { say } from "../core/toasts.js";
import { html } from "../core/ui.js";

export default function Password() {
  // Who signed up with an account elsewhere has none yet, and leaves the field empty.
  useResource(identities);
  const mayLack = (identities.data.value?.linked.length ?? 0) > 0;
  const form = useForm(
    { current_password: "", password: "" },
    async ({ current_password, password }) => {
      const body = { password, ...(current_password && { current_password }) };
      await strongly(() => put("/v1/me/password", body));
      say(t("password.saved"));
      goBack("/security");
    },
    {
      check: ({ current_password, password }) => ({
        current_password: current_password || mayLack ? null : t("password.missing"),
        password: password.length >= 8 ? null : t("password.short"),
      }),
      fields: { password_wrong: "current_password", invalid_credentials: "current_password" },
    },
  );
  return html`<${Screen} title=${t("password.title")} back="/security">
    <${Form} form=${form}>
      <${PasswordField} ...${form.field("current_password")} label=${t("password.current")} hint=${mayLack ? t("password.none-yet") : undefined} optional=${mayLack} />
      <${PasswordField}
        ...${form.field("password")}
        label=${t("password.new")}
        hint=${t("password.hint")}
        autocomplete="new-password"
      />
      <${Notice}>${t("password.others")}<//>
      <${Button} type="submit" block busy=${form.busy}>${t("do.save")}<//>
    <//>
  <//>`;
}
