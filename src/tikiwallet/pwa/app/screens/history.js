// Everything that happened, newest first: searched, filtered, day by day.
import { Button, Chip, IconButton } from "../components/controls.js";
import { Movement } from "../components/movement.js";
import { Age, EmptyState, ErrorState, Notice, SkeletonList } from "../components/feedback.js";
import { Field } from "../components/fields.js";
import { usePull, useSwipe } from "../components/gestures.js";
import { Icon } from "../components/icons.js";
import { Screen } from "../components/screen.js";
import { formatDay } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { wordsOf } from "../core/problems.js";
import { useResource } from "../core/resource.js";
import { classes, html, signal, useEffect, useMemo, useRef, useState } from "../core/ui.js";
import { byDay, countFilters, Feed, NO_FILTERS } from "../money/entries.js";
import { receiptText, repeatLink } from "../money/receipts.js";
import { share } from "../money/share.js";
import { titleOf } from "../money/words.js";
import { wallets } from "../money/wallets.js";

/** @typedef {import("../money/wallets.js").Entry} Entry */
/** @typedef {import("../money/entries.js").Filters} Filters */

const PAUSE = 350; // ms after the last letter before the search begins

/** What is asked for, and of which wallet; kept while other screens are visited. */
const filters = signal(/** @type {Filters} */ (NO_FILTERS));
const only = signal("");

export default function History() {
  useResource(wallets);
  const list = wallets.data.value;
  const ids = (list ?? []).filter(({ id }) => !only.value || id === only.value).map(({ id }) => id);
  const [round, setRound] = useState(0);
  const [FilterSheet, setFilterSheet] = useState(/** @type {any} */ (null));
  const wanted = filters.value;
  const feed = useMemo(() => new Feed(ids, wanted), [ids.join(" "), wanted, round]);
  useEffect(() => {
    if (ids.length) void feed.open();
    return () => feed.close();
  }, [feed]);
  const refresh = async () => {
    setRound((before) => before + 1);
    await wallets.refresh();
  };
  const bar = usePull(refresh);
  const openFilters = async () => {
    const module = await import("./history/filters.js");
    setFilterSheet(() => module.FilterSheet);
  };
  const count = countFilters(wanted);

  return html`<${Screen}
    title=${t("history.title")}
    actions=${html`<${IconButton} icon="refresh" label=${t("home.refresh")} onClick=${() => void refresh()} />`}
  >
    <div class="pull" ref=${bar} aria-hidden="true"><${Icon} name="refresh" /></div>
    <div class="stack">
      <${Search} onFilter=${openFilters} count=${count} />
      ${list &&
      list.length > 1 &&
      html`<div class="row chips" role="group" aria-label=${t("home.wallets")}>
        <${Chip} pressed=${only.value === ""} onClick=${() => (only.value = "")}>${t("history.all")}<//>
        ${list.map(
          (one) => html`<${Chip} key=${one.id} pressed=${only.value === one.id} onClick=${() => (only.value = one.id)}>
            ${one.currency}
          <//>`,
        )}
      </div>`}
      ${count > 0 &&
      html`<p class="row row-apart small">
        <span>${t("history.filtered", { count })}</span>
        <${Button} variant="quiet" small icon="close" onClick=${() => (filters.value = { ...NO_FILTERS, text: wanted.text })}>
          ${t("history.clear")}
        <//>
      </p>`}
      ${list?.length === 0 ? html`<${Quiet} />` : html`<${Entries} feed=${feed} />`}
    </div>
    ${FilterSheet &&
    html`<${FilterSheet}
      value=${wanted}
      onDone=${(/** @type {Filters} */ chosen) => {
        filters.value = chosen;
        setFilterSheet(null);
      }}
      onClose=${() => setFilterSheet(null)}
    />`}
  <//>`;
}

/** @param {{ onFilter: () => void, count: number }} props */
function Search({ onFilter, count }) {
  const [text, setText] = useState(filters.peek().text);
  useEffect(() => {
    if (text === filters.peek().text) return undefined;
    const timer = setTimeout(() => (filters.value = { ...filters.peek(), text }), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="search" role="search">
    <${Field}
      label=${t("history.search")}
      type="search"
      value=${text}
      placeholder=${t("history.search.hint")}
      before=${html`<${Icon} name="search" />`}
      maxlength="100"
      autocomplete="off"
      enterkeyhint="search"
      onInput=${setText}
    />
    <${Button} class="search-filter" variant=${count ? "soft" : "secondary"} icon="filter" onClick=${onFilter}>
      ${t("history.filter")}${count > 0 && html` · ${count}`}
    <//>
  </div>`;
}

const Quiet = () => html`<${EmptyState}
  icon="receipt"
  title=${t("home.quiet")}
  action=${html`<${Button} href="/topup" icon="plus">${t("home.topup")}<//>`}
  >${t("home.quiet.text")}<//
>`;

/** @param {{ feed: Feed }} props */
function Entries({ feed }) {
  const items = feed.items.value;
  const problem = feed.problem.value;
  const more = () => void feed.more();
  if (!items) {
    return problem
      ? html`<${ErrorState} problem=${problem} retry=${more} busy=${feed.loading.value} />`
      : html`<${SkeletonList} rows=${6} />`;
  }
  if (items.length === 0 && feed.ended.value) {
    return feed.isPlain
      ? html`<${Quiet} />`
      : html`<${EmptyState} icon="search" title=${t("history.nothing")}>${t("history.nothing.text")}<//>`;
  }
  return html`<${Age} at=${feed.at.value} problem=${problem} />
    ${byDay(items).map(
      ([day, entries]) => html`<section key=${day.slice(0, 10)} class="section day">
        <h2>${formatDay(day)}</h2>
        <ul class="list">
          ${entries.map((entry) => html`<${Row} key=${entry.id} entry=${entry} />`)}
        </ul>
      </section>`,
    )}
    ${problem && html`<${Notice} kind="warn" live>${wordsOf(problem)}<//>`}
    ${!feed.ended.value && html`<${More} feed=${feed} />`}
    ${feed.ended.value && html`<p class="soft small centred">${t("history.end")}</p>`}`;
}

/** Loads on when it comes into sight; a button for everybody else. @param {{ feed: Feed }} props */
function More({ feed }) {
  const mark = useRef(/** @type {HTMLDivElement | null} */ (null));
  const length = feed.items.value?.length;
  useEffect(() => {
    if (!mark.current || feed.problem.peek()) return undefined;
    const watch = new IntersectionObserver(
      (seen) => seen.some((one) => one.isIntersecting) && void feed.more(),
      { rootMargin: "400px" },
    );
    watch.observe(mark.current);
    return () => watch.disconnect();
  }, [feed, length]);
  return html`<div class="centred" ref=${mark}>
    <${Button} variant="secondary" busy=${feed.loading.value} onClick=${() => void feed.more()}>${t("history.more")}<//>
  </div>`;
}

/** An entry with what can be done with it: by a swipe, or by the button at its end. @param {{ entry: Entry }} props */
function Row({ entry }) {
  const { isOpen, setOpen, ...touch } = useSwipe();
  const again = repeatLink(entry);
  return html`<li class=${classes("movement", isOpen && "movement-open")} ...${touch}>
    <div class="movement-row">
      <a class="item" href=${`/payments/${entry.payment_id}`}><${Movement} entry=${entry} clock /></a>
      <${IconButton}
        icon=${isOpen ? "close" : "more"}
        label=${t(isOpen ? "entry.less" : "entry.more", { name: titleOf(entry) })}
        aria-expanded=${String(isOpen)}
        onClick=${() => setOpen(!isOpen)}
      />
    </div>
    ${isOpen &&
    html`<div class="movement-do">
      ${again && html`<${Button} variant="soft" small icon="repeat" href=${again}>${t("entry.repeat")}<//>`}
      <${Button} variant="soft" small icon="share" onClick=${() => share({ text: receiptText(entry) })}>${t("do.share")}<//>
      <${Button} variant="soft" small icon="receipt" href=${`/payments/${entry.payment_id}`}>${t("entry.details")}<//>
    </div>`}
  </li>`;
}
