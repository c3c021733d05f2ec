// The person, and where everything about them is changed.
import { Avatar, ListItem } from "../components/display.js";
import { Screen } from "../components/screen.js";
import { t } from "../core/i18n.js";
import { asProblem, wordsOf } from "../core/problems.js";
import { me, signOut } from "../core/session.js";
import { say } from "../core/toasts.js";
import { html } from "../core/ui.js";

export default function You() {
  const person = me.value;
  const leave = () => signOut().catch((error) => say(wordsOf(asProblem(error)), { kind: "error" }));
  return html`<${Screen} title=${t("you.title")}>
    ${person &&
    html`<div class="row">
      <${Avatar} name=${person.display_name} large />
      <div><h2>${person.display_name}</h2><p class="soft">@${person.username}</p></div>
    </div>`}
    <ul class="list">
      <${ListItem} icon="logout" title=${t("you.sign-out")} onClick=${leave} danger />
    </ul>
  <//>`;
}
