// A new password; every other device is signed out by it.
import { Button } from "../components/controls.js";
import { Notice } from "../components/feedback.js";
import { Form, PasswordField } from "../components/fields.js";
import { Screen } from "../components/screen.js";
import { put } from "../core/api.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { goBack } from "../core/router.js";
import { say } from "../core/toasts.js";
import { html } from "../core/ui.js";

export default function Password() {
  const form = useForm(
    { current_password: "", password: "" },
    async (values) => {
      await put("/v1/me/password", values);
      say(t("password.saved"));
      goBack("/security");
    },
    {
      check: ({ current_password, password }) => ({
        current_password: current_password ? null : t("password.missing"),
        password: password.length >= 8 ? null : t("password.short"),
      }),
      fields: { password_wrong: "current_password", invalid_credentials: "current_password" },
    },
  );
  return html`<${Screen} title=${t("password.title")} back="/security">
    <${Form} form=${form}>
      <${PasswordField} ...${form.field("current_password")} label=${t("password.current")} />
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
