// Home: what there is, how to move it, what happened last.
import { Button, IconButton } from "../components/controls.js";
import { Avatar, Money } from "../components/display.js";
import { MovementItem } from "../components/movement.js";
import { Age, EmptyState, ErrorState, Skeleton, SkeletonList } from "../components/feedback.js";
import { usePull } from "../components/gestures.js";
import { Icon } from "../components/icons.js";
import { Recoveries } from "../components/recovering.js";
import { Screen } from "../components/screen.js";
import { formatWhen } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { nameOf } from "../core/money.js";
import { hideBalance } from "../core/preferences.js";
import { useResource } from "../core/resource.js";
import { me } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { notices } from "../money/notices.js";
import { offlinePart } from "../money/offline.js";
import { contacts, knownPeople } from "../money/people.js";
import { chooseWallet, mainWallet, recent, refreshMoney, wallets } from "../money/wallets.js";

/** @typedef {import("../money/wallets.js").Wallet} Wallet */

const PEOPLE = 8;

/** @param {{ wallet: Wallet }} props what is set aside for paying without a network, and where that is done */
function OfflinePart({ wallet: { offline, returning = 0, currency } }) {
  const here = offlinePart(currency);
  const amount = here?.left ?? offline;
  return html`<a class="balance-part balance-link" href="/offline">
      <${Icon} name="offline" />
      ${amount > 0
        ? html`<span>${t("home.offline-part")} <${Money} money=${{ amount, currency }} private />${here &&
            html` · ${t("home.offline-until", { when: formatWhen(here.expires) })}`}</span>`
        : html`<span>${t("home.offline")}</span>`}
      <${Icon} name="next" />
    </a>
    ${returning > 0 &&
    html`<p class="balance-part">
      <${Icon} name="undo" />${t("home.returning")}
      <${Money} money=${{ amount: returning, currency }} private />
    </p>`}`;
}

/** @param {{ wallet: Wallet }} props */
const Balance = ({ wallet }) => html`<section class="balance" aria-label=${t("home.balance")}>
  <div class="balance-top">
    <h2>${nameOf(wallet.currency)}</h2>
    <${IconButton}
      icon=${hideBalance.value ? "eye-off" : "eye"}
      label=${t(hideBalance.value ? "home.show" : "home.hide")}
      aria-pressed=${String(hideBalance.value)}
      onClick=${() => (hideBalance.value = !hideBalance.value)}
    />
  </div>
  <p><${Money} money=${{ amount: wallet.available, currency: wallet.currency }} large private /></p>
  ${wallet.held > 0 &&
  html`<p class="balance-part">
    <${Icon} name="hourglass" />${t("home.held")}
    <${Money} money=${{ amount: wallet.held, currency: wallet.currency }} private />
  </p>`}
  <${OfflinePart} wallet=${wallet} />
  <${Button} class="balance-pay" variant="gold" icon="pay" href="/pay">${t("nav.pay")}<//>
  <div class="balance-do">
    <${Button} variant="deep" icon="receive" href="/receive">${t("nav.receive")}<//>
    <${Button} variant="deep" icon="plus" href="/topup">${t("home.topup")}<//>
  </div>
  <div class="carved" />
</section>`;

/** @param {{ list: Wallet[], main: Wallet, onAdd: () => void }} props every wallet, in sight */
const Wallets = ({ list, main, onAdd }) => html`<ul class="wallets" aria-label=${t("home.wallets")}>
  ${list.map(
    (one) => html`<li key=${one.id}>
      <button
        class="wallet"
        type="button"
        aria-pressed=${String(one.id === main.id)}
        onClick=${() => chooseWallet(one.id)}
      >
        <span class="wallet-code">${one.currency}</span>
        <${Money} money=${{ amount: one.available, currency: one.currency }} private />
      </button>
    </li>`,
  )}
  <li>
    <button class="wallet wallet-add" type="button" onClick=${onAdd}>
      <${Icon} name="plus" /><span>${t("home.add")}</span>
    </button>
  </li>
</ul>`;

// As high as what comes, so that nothing below it moves when it does.
const SomebodyWaiting = () => html`<li>
  <div class="people-waiting" role="status">
    <span class="unseen">${t("loading")}</span>
    <${Skeleton} circle /><${Skeleton} width="4em" height="1.5em" />
  </div>
</li>`;

function People() {
  const people = knownPeople().slice(0, PEOPLE);
  const waits = contacts.data.value === undefined && contacts.problem.value === null;
  if (people.length === 0 && !waits) return null;
  return html`<section class="section">
    <div class="row row-apart section-bar">
      <h2>${t("home.people")}</h2>
      <a class="section-link" href="/contacts">${t("home.all-people")}</a>
    </div>
    <ul class="people">
      ${people.map(
        ({ to, name }) => html`<li key=${to}>
          <a href=${`/pay?to=${to}`}>
            <${Avatar} name=${name} /><span class="unseen">${t("nav.pay")}: </span><bdi>${name}</bdi>
          </a>
        </li>`,
      )}
      ${people.length === 0 && html`<${SomebodyWaiting} />`}
    </ul>
  </section>`;
}

function Recent() {
  const entries = recent.data.value;
  const problem = recent.problem.value;
  return html`<section class="section">
    <div class="row row-apart section-bar">
      <h2>${t("home.recent")}</h2>
      ${entries?.length ? html`<a class="section-link" href="/history">${t("home.all-recent")}</a>` : null}
    </div>
    ${entries === undefined
      ? problem
        ? html`<${ErrorState} problem=${problem} retry=${() => void recent.refresh()} busy=${recent.loading.value} />`
        : html`<${SkeletonList} rows=${4} />`
      : entries.length
        ? html`<ul class="list">${entries.slice(0, 6).map((entry) => html`<${MovementItem} key=${entry.id} entry=${entry} />`)}</ul>`
        : html`<div class="card card-sunken">
            <${EmptyState} icon="receipt" title=${t("home.quiet")}>${t("home.quiet.text")}<//>
          </div>`}
  </section>`;
}

const Bell = () => {
  const unread = notices.data.value?.unread ?? 0;
  return html`<span class="bell">
    <${IconButton}
      icon="bell"
      href="/notices"
      label=${unread ? t("home.notices", { count: unread }) : t("notices.title")}
    />
    ${unread > 0 && html`<i aria-hidden="true">${unread > 9 ? "9+" : unread}</i>`}
  </span>`;
};

const Waiting = () => html`<div class="balance" role="status">
    <span class="unseen">${t("loading")}</span>
    <${Skeleton} width="9em" /><${Skeleton} width="7em" height="2.75em" />
    <${Skeleton} width="12em" height="2.25em" />
    <${Skeleton} height="3.25em" /><${Skeleton} height="3.25em" />
  </div>
  <div class="wallets"><${Skeleton} width="9em" height="var(--target)" /></div>`;

/** @param {{ list: Wallet[] }} props */
function Funds({ list }) {
  const [AddWallet, setAddWallet] = useState(/** @type {any} */ (null));
  const main = mainWallet(list);
  const add = async () => {
    const module = await import("./home/add-wallet.js");
    setAddWallet(() => module.AddWallet);
  };
  return html`${main
      ? html`<${Balance} wallet=${main} /><${Wallets} list=${list} main=${main} onAdd=${add} />`
      : html`<div class="card">
          <${EmptyState}
            icon="wallet"
            title=${t("home.none")}
            action=${html`<${Button} icon="plus" onClick=${add}>${t("home.open")}<//>`}
            >${t("home.none.text")}<//
          >
        </div>`}
    ${AddWallet && html`<${AddWallet} onClose=${() => setAddWallet(null)} />`}`;
}

export default function Home() {
  useResource(wallets);
  useResource(recent);
  useResource(contacts);
  useResource(notices);
  const bar = usePull(refreshMoney);
  const person = me.value;
  const list = wallets.data.value;
  const problem = wallets.problem.value;
  const name = person?.display_name ?? "";
  return html`<${Screen} title=${t("nav.home")} bare wide>
    <div class="pull" ref=${bar} aria-hidden="true"><${Icon} name="refresh" /></div>
    <div class="home-bar">
      <a class="home-you" href="/you">
        <${Avatar} name=${name} /><span class="unseen">${t("nav.you")}: </span><bdi>${name}</bdi>
      </a>
      <${IconButton} icon="refresh" label=${t("home.refresh")} aria-busy=${wallets.loading.value ? "true" : undefined} onClick=${() => void refreshMoney()} />
      <${Bell} />
    </div>
    <div class="home">
      <div class="stack">
        <${Recoveries} />
        ${list === undefined
          ? problem
            ? html`<${ErrorState} problem=${problem} retry=${() => void refreshMoney()} busy=${wallets.loading.value} />`
            : html`<${Waiting} />`
          : html`<${Age} at=${wallets.at.value} problem=${problem} /><${Funds} list=${list} />`}
        <${People} />
      </div>
      <${Recent} />
    </div>
  <//>`;
}
