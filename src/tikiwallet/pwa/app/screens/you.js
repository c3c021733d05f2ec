// The person, and where everything about them is changed.
import { Avatar, ListItem } from "../components/display.js";
import { Notice, Skeleton } from "../components/feedback.js";
import { Screen } from "../components/screen.js";
import { formatMoment } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { navigate } from "../core/router.js";
import { me, signOut } from "../core/session.js";
import { sayProblem } from "../core/toasts.js";
import { html } from "../core/ui.js";

export default function You() {
  const person = me.value;
  async function leave() {
    try {
      await signOut();
      navigate("/", { replace: true });
    } catch (error) {
      sayProblem(asProblem(error));
    }
  }
  return html`<${Screen} title=${t("you.title")}>
    <div class="stack stack-l">
      <a class="you" href="/profile">
        ${person
          ? html`<${Avatar} name=${person.display_name} large />
              <span class="item-words">
                <span class="you-name">${person.display_name}</span>
                <span class="item-text">
                  <bdi>@${person.username}</bdi> · <bdi dir="ltr">${person.phone}</bdi>
                </span>
              </span>`
          : html`<${Skeleton} circle /><span class="item-words"><${Skeleton} width="60%" /></span>`}
      </a>
      ${person?.restricted_until &&
      html`<${Notice} kind="warn">
        ${t("you.restricted", { until: formatMoment(person.restricted_until) })}
      <//>`}
      ${person && !person.pin_set &&
      html`<${Notice} kind="warn" title=${t("you.no-pin")}>
        <a class="tap" href="/security/pin">${t("you.no-pin.do")}</a>
      <//>`}
      <ul class="list">
        <${ListItem} icon="you" title=${t("profile.title")} text=${t("you.profile.text")} href="/profile" />
        <${ListItem} icon="shield" title=${t("security.title")} text=${t("you.security.text")} href="/security" />
        <${ListItem} icon="settings" title=${t("settings.title")} text=${t("you.settings.text")} href="/settings" />
        <${ListItem} icon="help" title=${t("you.help")} text=${t("you.help.text")} href="/help" />
      </ul>
      <ul class="list">
        <${ListItem} icon="logout" iconKind="danger" title=${t("you.sign-out")} onClick=${leave} danger />
      </ul>
    </div>
  <//>`;
}
