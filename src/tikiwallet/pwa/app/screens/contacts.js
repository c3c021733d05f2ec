// People one pays, favourites first.
import { Button, IconButton } from "../components/controls.js";
import { Avatar } from "../components/display.js";
import { Age, EmptyState, ErrorState, SkeletonList } from "../components/feedback.js";
import { Field } from "../components/fields.js";
import { Icon } from "../components/icons.js";
import { Screen } from "../components/screen.js";
import { del, put } from "../core/api.js";
import { formatWhen } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { asProblem, wordsOf } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { say } from "../core/toasts.js";
import { html, useState } from "../core/ui.js";
import { contacts, knownPeople } from "../money/people.js";
import { recent } from "../money/wallets.js";

/** @typedef {import("../money/people.js").Contact} Contact */

/** @param {Contact} contact shows the star at once, and takes it back when the server refuses */
async function toggleFavourite({ to, name, favourite }) {
  const list = contacts.data.value;
  if (!list || !to.startsWith("@")) return;
  /** @param {boolean} is */
  const show = (is) =>
    contacts.set((contacts.data.peek() ?? list).map((one) => (one.to === to ? { ...one, favourite: is } : one)));
  show(!favourite);
  try {
    const path = `/v1/contacts/${encodeURIComponent(to.slice(1))}`;
    if (favourite) await del(path);
    else await put(path, {});
    say(t(favourite ? "contacts.unstarred" : "contacts.starred", { name }));
  } catch (error) {
    show(favourite);
    say(wordsOf(asProblem(error)), { kind: "error" });
  }
}

export default function Contacts() {
  useResource(contacts);
  useResource(recent);
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const all = knownPeople();
  const people = all.filter(({ to, name }) => `${name} ${to}`.toLowerCase().includes(wanted));
  const canStar = contacts.data.value !== undefined;
  const problem = contacts.problem.value;
  const waiting = all.length === 0 && !canStar && !problem;
  return html`<${Screen} title=${t("contacts.title")} back="/">
    <div class="stack">
      ${all.length > 5 &&
      html`<${Field}
        label=${t("contacts.search")}
        type="search"
        value=${text}
        before=${html`<${Icon} name="search" />`}
        autocomplete="off"
        onInput=${setText}
      />`}
      <${Age} at=${contacts.at.value} problem=${canStar ? problem : null} />
      ${waiting && html`<${SkeletonList} />`}
      ${!waiting && all.length === 0 && problem && problem.code !== "not_found"
        ? html`<${ErrorState} problem=${problem} retry=${() => void contacts.refresh()} busy=${contacts.loading.value} />`
        : !waiting &&
          all.length === 0 &&
          html`<${EmptyState}
            icon="users"
            title=${t("contacts.none")}
            action=${html`<${Button} href="/pay" icon="pay">${t("contacts.first")}<//>`}
            >${t("contacts.none.text")}<//
          >`}
      ${all.length > 0 && people.length === 0 && html`<p class="soft centred">${t("contacts.nobody")}</p>`}
      ${people.length > 0 &&
      html`<ul class="list">
        ${people.map(
          (one) => html`<li key=${one.to} class="movement">
            <div class="movement-row">
              <a class="item" href=${`/pay?to=${one.to}`}>
                <${Avatar} name=${one.name} />
                <span class="item-words">
                  <span class="item-title"><span class="unseen">${t("nav.pay")}: </span><bdi>${one.name}</bdi></span>
                  <span class="item-text"><bdi>${one.to}</bdi> · ${formatWhen(one.last_at)}</span>
                </span>
              </a>
              ${canStar &&
              html`<${IconButton}
                icon="star"
                class=${one.favourite ? "starred" : ""}
                label=${t("contacts.star", { name: one.name })}
                aria-pressed=${String(one.favourite)}
                onClick=${() => void toggleFavourite(one)}
              />`}
            </div>
          </li>`,
        )}
      </ul>`}
    </div>
  <//>`;
}
