// Passkeys: signing in and paying with a fingerprint or a face.
import { Button } from "../components/controls.js";
import { Badge, ListItem } from "../components/display.js";
import { EmptyState, Loaded, Notice } from "../components/feedback.js";
import { Field, Form } from "../components/fields.js";
import { Screen } from "../components/screen.js";
import { Sheet } from "../components/sheet.js";
import { addPasskey, deviceName, factors } from "../core/account.js";
import { del, patch } from "../core/api.js";
import { formatAge, formatDate } from "../core/dates.js";
import { useForm } from "../core/forms.js";
import { t } from "../core/i18n.js";
import { havePasskeys } from "../core/passkeys.js";
import { asProblem } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/account.js").Passkey} Passkey */

/** @param {Passkey} passkey */
const lastUse = ({ last_used_at, created_at }) =>
  last_used_at
    ? t("passkey.used", { age: formatAge(last_used_at) })
    : t("passkey.made", { date: formatDate(created_at) });

export default function Passkeys() {
  useResource(factors);
  const [chosen, setChosen] = useState(/** @type {Passkey | null} */ (null));
  const [busy, setBusy] = useState(false);

  async function add() {
    setBusy(true);
    try {
      await addPasskey(deviceName() || t("passkey.this-device"));
      say(t("passkey.added"));
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  const end =
    havePasskeys() &&
    html`<${Button} icon="plus" block busy=${busy} onClick=${add}>${t("passkey.add")}<//>`;
  return html`<${Screen} title=${t("passkeys.title")} back="/security" end=${end}>
    <div class="stack">
      ${!havePasskeys() && html`<${Notice} kind="warn">${t("passkey.none-here")}<//>`}
      <${Loaded} of=${factors}>
        ${(/** @type {import("../core/account.js").Factors} */ own) =>
          own.passkeys.length
            ? html`<ul class="list">
                ${own.passkeys.map(
                  (one) => html`<${ListItem}
                    key=${one.id}
                    icon="fingerprint"
                    title=${one.name}
                    text=${lastUse(one)}
                    end=${one.synced && html`<${Badge}>${t("passkey.synced")}<//>`}
                    arrow
                    onClick=${() => setChosen(one)}
                  />`,
                )}
              </ul>`
            : html`<${EmptyState} icon="fingerprint" title=${t("passkeys.empty")}>
                ${t("passkeys.empty.text")}
              <//>`}
      <//>
    </div>
    ${chosen && html`<${Edit} passkey=${chosen} close=${() => setChosen(null)} />`}
  <//>`;
}

/** @param {{ passkey: Passkey, close: () => void }} props */
function Edit({ passkey, close }) {
  const [busy, setBusy] = useState(false);
  const form = useForm(
    { name: passkey.name },
    async ({ name }) => {
      await patch(`/v1/me/passkeys/${passkey.id}`, { name: name.trim() });
      await factors.refresh();
      close();
    },
    { check: ({ name }) => ({ name: name.trim() ? null : t("name.missing") }) },
  );

  async function remove() {
    setBusy(true);
    try {
      await strongly(() => del(`/v1/me/passkeys/${passkey.id}`));
      await factors.refresh();
      say(t("passkey.removed"));
      close();
    } catch (error) {
      sayProblem(asProblem(error));
      setBusy(false);
    }
  }

  return html`<${Sheet} title=${passkey.name} onClose=${close}>
    <${Form} form=${form}>
      <p class="soft small">${lastUse(passkey)}</p>
      <${Field} ...${form.field("name")} label=${t("passkey.name")} maxlength="60" />
      <${Button} type="submit" block busy=${form.busy}>${t("do.save")}<//>
      <${Button} variant="danger-quiet" icon="trash" block busy=${busy} onClick=${remove}>
        ${t("passkey.remove")}
      <//>
    <//>
  <//>`;
}
