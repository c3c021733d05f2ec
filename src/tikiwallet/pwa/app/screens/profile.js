// How others see the person, their number, their data, and leaving.
import { Button, CopyButton } from "../components/controls.js";
import { Avatar, ListItem, Money } from "../components/display.js";
import { Notice, SkeletonList } from "../components/feedback.js";
import { Field, Form, PasswordField } from "../components/fields.js";
import { Screen } from "../components/screen.js";
import { Sheet } from "../components/sheet.js";
import { identities } from "../core/account.js";
import { get, patch, post } from "../core/api.js";
import { formatDate } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { navigate } from "../core/router.js";
import { keepMe, leave, me } from "../core/session.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/session.js").Me} Me */

export default function Profile() {
  const person = me.value;
  return html`<${Screen} title=${t("profile.title")} back="/you">
    ${person ? html`<${About} person=${person} />` : html`<${SkeletonList} />`}
  <//>`;
}

/** @param {{ person: Me }} props */
function About({ person }) {
  const [open, setOpen] = useState(/** @type {"name" | "close" | null} */ (null));
  const [busy, setBusy] = useState(false);
  const shut = () => setOpen(null);

  async function download() {
    setBusy(true);
    try {
      const data = await strongly(() => get("/v1/me/export", { limit: 120_000 }));
      const link = document.createElement("a");
      const file = new Blob([JSON.stringify(data, null, 2)], { type: "application/json" });
      link.href = URL.createObjectURL(file);
      link.download = `tikiwallet-${person.username}.json`;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  return html`<div class="stack stack-l">
    <div class="profile">
      <${Avatar} name=${person.display_name} large />
      <h2>${person.display_name}</h2>
      <p class="soft"><bdi>@${person.username}</bdi></p>
      <div class="row">
        <${Button} variant="secondary" icon="edit" small onClick=${() => setOpen("name")}>
          ${t("profile.rename")}
        <//>
        <${CopyButton} text=${() => `@${person.username}`} label=${t("profile.copy")} />
      </div>
    </div>
    <section class="card">
      <h2>${t("profile.facts")}</h2>
      <dl class="facts">
        <div><dt>${t("profile.since")}</dt><dd>${formatDate(person.created_at)}</dd></div>
        <div>
          <dt>${t("profile.ceiling")}</dt>
          <dd><${Money} money=${person.limits.wallet_ceiling} /></dd>
        </div>
        <div><dt>${t("profile.tier")}</dt><dd>${t(person.tier === "sandbox" ? "profile.tier.sandbox" : "profile.tier.other", { tier: person.tier })}</dd></div>
      </dl>
    </section>
    <ul class="list">
      <${ListItem}
        icon="phone"
        title=${t("number.title")}
        text=${html`<bdi dir="ltr">${person.phone}</bdi>`}
        href="/profile/number"
      />
      <${ListItem}
        icon="download"
        title=${t("profile.export")}
        text=${t(busy ? "loading" : "profile.export.text")}
        onClick=${() => !busy && download()}
      />
    </ul>
    <ul class="list">
      <${ListItem}
        icon="trash"
        iconKind="danger"
        danger
        title=${t("profile.close")}
        text=${t("profile.close.text")}
        onClick=${() => setOpen("close")}
      />
    </ul>
    ${open === "name" && html`<${Rename} person=${person} close=${shut} />`}
    ${open === "close" && html`<${CloseAccount} close=${shut} />`}
  </div>`;
}

/** @param {{ person: Me, close: () => void }} props */
function Rename({ person, close }) {
  const form = useForm(
    { display_name: person.display_name },
    async ({ display_name }) => {
      keepMe(await patch("/v1/me", { display_name: display_name.trim() }));
      say(t("saved"));
      close();
    },
    {
      check: ({ display_name }) => ({
        display_name: display_name.trim() ? null : t("name.missing"),
      }),
    },
  );
  return html`<${Sheet} title=${t("profile.rename")} onClose=${close}>
    <${Form} form=${form}>
      <${Field}
        ...${form.field("display_name")}
        label=${t("name.label")}
        hint=${t("name.hint")}
        autocomplete="name"
        maxlength="60"
      />
      <${Button} type="submit" block busy=${form.busy}>${t("do.save")}<//>
    <//>
  <//>`;
}

/** @param {{ close: () => void }} props */
function CloseAccount({ close }) {
  useResource(identities);
  const mayLack = (identities.data.value?.linked.length ?? 0) > 0;
  const form = useForm(
    { password: "" },
    async ({ password }) => {
      await strongly(() => post("/v1/me/close", password ? { password } : {}));
      await leave();
      navigate("/", { replace: true });
      say(t("close.done"));
    },
    {
      check: ({ password }) => ({ password: password || mayLack ? null : t("password.missing") }),
      fields: { password_wrong: "password", invalid_credentials: "password" },
    },
  );
  return html`<${Sheet} title=${t("profile.close")} onClose=${close}>
    <${Form} form=${form}>
      <${Notice} kind="warn">${t("close.text")}<//>
      <${PasswordField}
        ...${form.field("password")}
        label=${t("password.label")}
        hint=${mayLack ? t("password.none-yet") : undefined}
        optional=${mayLack}
      />
      <${Button} variant="danger" type="submit" block busy=${form.busy}>${t("close.do")}<//>
      <${Button} variant="quiet" block onClick=${close}>${t("close.keep")}<//>
    <//>
  <//>`;
}
