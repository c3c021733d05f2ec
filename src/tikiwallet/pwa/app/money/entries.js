// A person's history: the entries of several wallets merged by time, page by page, filtered.
import { get } from "../core/api.js";
import { asProblem } from "../core/problems.js";
import { recall, remember } from "../core/storage.js";
import { batch, signal } from "../core/ui.js";

/** @typedef {import("./wallets.js").Entry} Entry */
/** @typedef {import("../core/problems.js").Problem} Problem */
/**
 * @typedef {object} Filters
 * @property {string} text
 * @property {"" | "in" | "out"} direction
 * @property {string} kind
 * @property {string} status
 * @property {string} from days, as date inputs have them
 * @property {string} to
 */

/** @type {Filters} */
export const NO_FILTERS = { text: "", direction: "", kind: "", status: "", from: "", to: "" };

const PAGE = 20;
const WANTED = 12; // entries a step shows at least, while there are some
const MOST_PAGES = 8; // and how many pages it reads for that at most

/** @param {Filters} filters @returns {number} how many are set, the text aside */
export const countFilters = ({ text: _, ...rest }) => Object.values(rest).filter(Boolean).length;

/** @param {string} day @param {number} more days @returns {string | undefined} midnight here, RFC 3339 */
function midnight(day, more) {
  if (!day) return undefined;
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year ?? 0, (month ?? 1) - 1, (date ?? 1) + more).toISOString();
}

/** One wallet's pages, read as they are needed. */
class Source {
  /** @param {string} wallet @param {Filters} filters */
  constructor(wallet, filters) {
    this.path = `/v1/wallets/${wallet}/entries`;
    this.query = {
      limit: PAGE,
      q: filters.text.trim() || undefined,
      kind: filters.kind || undefined,
      from: midnight(filters.from, 0),
      to: midnight(filters.to, 1),
    };
    /** @type {Entry[]} */
    this.waiting = [];
    /** @type {string | null | undefined} */
    this.cursor = undefined;
  }

  get hasMore() {
    return this.cursor !== null;
  }

  /** @param {AbortSignal} stop */
  async read(stop) {
    const query = { ...this.query, cursor: this.cursor };
    const page = await get(this.path, { query, signal: stop });
    this.waiting.push(...page.items);
    this.cursor = page.next_cursor;
  }
}

/** A list that grows downwards. Its first, unfiltered page is remembered for starts without a network. */
export class Feed {
  /** @param {string[]} wallets @param {Filters} filters */
  constructor(wallets, filters) {
    this.wallets = wallets;
    this.filters = filters;
    this.name = `history ${wallets.join(" ")}`;
    this.items = signal(/** @type {Entry[] | undefined} */ (undefined));
    this.at = signal(/** @type {number | undefined} */ (undefined));
    this.loading = signal(false);
    this.problem = signal(/** @type {Problem | null} */ (null));
    this.ended = signal(false);
    this.stop = new AbortController();
    this.sources = wallets.map((wallet) => new Source(wallet, filters));
    this.isPlain = !filters.text && countFilters(filters) === 0;
  }

  /** Shows what was seen last, then the first page. */
  async open() {
    if (this.isPlain) {
      void recall(this.name).then((seen) => {
        if (!seen || this.items.value) return;
        batch(() => {
          this.items.value = seen.data;
          this.at.value = seen.at;
        });
      });
    }
    await this.more();
  }

  /** Reads on; what fails is in `problem`, and the next call tries again. */
  async more() {
    if (this.loading.value || this.ended.value) return;
    this.loading.value = true;
    try {
      const found = await this.#step();
      const isFirst = this.at.value === undefined || !this.#begun;
      const before = isFirst ? [] : (this.items.value ?? []);
      this.#begun = true;
      batch(() => {
        this.items.value = [...before, ...found];
        this.at.value = Date.now();
        this.problem.value = null;
        this.ended.value = this.sources.every((one) => !one.hasMore && !one.waiting.length);
      });
      if (isFirst && this.isPlain) void remember(this.name, found);
    } catch (error) {
      if (!this.stop.signal.aborted) this.problem.value = asProblem(error);
    } finally {
      this.loading.value = false;
    }
  }

  /** Nothing of it is wanted any more. */
  close() {
    this.stop.abort();
  }

  #begun = false;
  /** Found by a step that failed before it was done. @type {Entry[]} */
  #kept = [];

  /** @returns {Promise<Entry[]>} the next entries over all wallets, newest first */
  async #step() {
    const found = this.#kept;
    for (let pages = 0; found.length < WANTED; ) {
      const short = this.sources.filter((one) => one.hasMore && !one.waiting.length);
      if (short.length) {
        if (pages++ >= MOST_PAGES) break;
        await Promise.all(short.map((one) => one.read(this.stop.signal)));
        continue;
      }
      const next = this.#newest();
      if (!next) break;
      if (this.#fits(next)) found.push(next);
    }
    this.#kept = [];
    return found;
  }

  #newest() {
    /** @type {Source | undefined} */
    let best;
    for (const one of this.sources) {
      const [first] = one.waiting;
      if (!first) continue;
      const leader = best?.waiting[0];
      if (!leader || first.created_at > leader.created_at) best = one;
    }
    return best?.waiting.shift();
  }

  /** @param {Entry} entry */
  #fits({ direction, status }) {
    const wanted = this.filters;
    return (
      (!wanted.direction || direction === wanted.direction) &&
      (!wanted.status || status === wanted.status)
    );
  }
}

/** @param {Entry[]} entries @returns {[string, Entry[]][]} by day, in their order */
export function byDay(entries) {
  /** @type {Map<string, Entry[]>} */
  const days = new Map();
  for (const entry of entries) {
    const day = new Date(entry.created_at).toDateString();
    const list = days.get(day);
    if (list) list.push(entry);
    else days.set(day, [entry]);
  }
  return [...days.values()].map((list) => [/** @type {Entry} */ (list[0]).created_at, list]);
}
