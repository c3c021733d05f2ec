// Accounts elsewhere that sign in here: Google, Apple, or whatever this installation knows.
import { Button } from "../components/controls.js";
import { Bullet } from "../components/display.js";
import { EmptyState, Loaded, Notice } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { identities } from "../core/account.js";
import { del, post } from "../core/api.js";
import { formatAge, formatDate } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { Problem, asProblem, wordsOf } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { strongly } from "../core/step-up.js";
import { say, sayProblem } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";

/** @typedef {import("../core/account.js").Identities} Identities */

/** @param {{ query: URLSearchParams }} props */
export default function Accounts({ query }) {
  useResource(identities);
  const [busy, setBusy] = useState(/** @type {string | null} */ (null));
  const refusal = query.get("oidc_error");

  /** @param {string} provider @param {() => Promise<void>} act */
  async function make(provider, act) {
    setBusy(provider);
    try {
      await act();
    } catch (error) {
      sayProblem(asProblem(error));
    } finally {
      setBusy(null);
    }
  }

  /** @param {string} provider */
  const link = (provider) =>
    make(provider, async () => {
      const path = `/v1/me/identities/${encodeURIComponent(provider)}/start`;
      const { location: there } = await strongly(() => post(path, { return_to: "/security/accounts" }));
      location.assign(there);
    });
  /** @param {string} provider */
  const unlink = (provider) =>
    make(provider, async () => {
      await strongly(() => del(`/v1/me/identities/${encodeURIComponent(provider)}`));
      await identities.refresh();
      say(t("accounts.unlinked"));
    });

  return html`<${Screen} title=${t("accounts.title")} back="/security">
    <div class="stack">
      ${refusal && html`<${Notice} kind="error" live>${wordsOf(new Problem(refusal))}<//>`}
      <p class="soft">${t("accounts.text")}</p>
      <${Loaded} of=${identities}>
        ${(/** @type {Identities} */ { offered, linked }) =>
          offered.length + linked.length === 0
            ? html`<${EmptyState} icon="link" title=${t("accounts.none")} />`
            : html`<ul class="list">
                ${linked.map(
                  (one) => html`<${Account}
                    key=${one.provider}
                    name=${one.name}
                    text=${one.last_used_at
                      ? t("passkey.used", { age: formatAge(one.last_used_at) })
                      : t("passkey.made", { date: formatDate(one.linked_at) })}
                    busy=${busy === one.provider}
                    label=${t("accounts.unlink")}
                    act=${() => unlink(one.provider)}
                  />`,
                )}
                ${offered
                  .filter(({ provider }) => !linked.some((one) => one.provider === provider))
                  .map(
                    (one) => html`<${Account}
                      key=${one.provider}
                      name=${one.name}
                      text=${t("accounts.not-linked")}
                      busy=${busy === one.provider}
                      label=${t("accounts.link")}
                      act=${() => link(one.provider)}
                    />`,
                  )}
              </ul>`}
      <//>
    </div>
  <//>`;
}

/** @param {{ name: string, text: string, busy: boolean, label: string, act: () => void }} props */
const Account = ({ name, text, busy, label, act }) => html`<li class="item">
  <${Bullet} icon="link" />
  <span class="item-words">
    <span class="item-title">${name}</span><span class="item-text">${text}</span>
  </span>
  <${Button} variant="secondary" small busy=${busy} aria-label=${`${label}: ${name}`} onClick=${act}>
    ${label}
  <//>
</li>`;
