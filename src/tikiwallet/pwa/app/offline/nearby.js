// A conversation with a terminal nearby. It goes on over one link after another: the digits are compared once, and
// what a lost link may have swallowed is sent again, byte for byte.
import { read64, write64 } from "../core/base64.js";
import { keepNote, readNote } from "../core/preferences.js";
import { asProblem, Problem } from "../core/problems.js";
import { signedIn } from "../core/session.js";
import { signal } from "../core/ui.js";
import { NONE } from "./cbor.js";
import { held, hexOf } from "./holdings.js";
import { news, offerOf, parsed, takeIn } from "./meeting.js";
import { Kind, LinkLost, newSecret, openLink, placeOf } from "./webtransport.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {import("./webtransport.js").Link} Link */
/** @typedef {import("./meeting.js").Offer} Offer */
/**
 * @typedef {object} Nearby
 * @property {"connecting" | "comparing" | "waiting" | "open" | "lost" | "over"} phase waiting: for the terminal's person
 * @property {string} digits that both people compare
 * @property {import("./webtransport.js").Reason} reason why it is over
 * @property {Offer | null} offer what the terminal asks for
 * @property {string | null} exchange the payment of this conversation, by its request's id
 * @property {Problem | null} problem with what the terminal said
 */
/**
 * @typedef {object} Talk
 * @property {string} text the terminal's address
 * @property {Bytes} secret what the terminal knows this phone by
 * @property {boolean} agreed this side's person says that the digits agree
 * @property {boolean} wasOpen
 * @property {number} giveUpAt
 * @property {Link | null} link
 * @property {boolean} there the other side's person says so, too
 * @property {Set<string>} sent over this link
 * @property {number} news that came over it of what the issuer says
 */

const NOTE = "offline.nearby";
const PING_MS = 15_000;
const AGAIN_MS = 1_000;
// As long as a terminal keeps the line for who was lost (terminal/line.py).
const PATIENCE_MS = 30_000;
const NEWS_MAX = 64; // over one link
const FOREVER_MS = 2 ** 31 - 1;
/** @type {Nearby} */
const BEGINNING = { phase: "connecting", digits: "", reason: "ended", offer: null, exchange: null, problem: null };

export const nearby = signal(BEGINNING);
/** @type {Talk | null} */
let talk = null;

signedIn.subscribe((is) => {
  if (!is) leave();
});
held.subscribe(() => hand());

/** @param {Partial<Nearby>} news */
const change = (news) => void (nearby.value = { ...nearby.peek(), ...news });

/** Begins, or goes on with what was begun before the app was ended. @param {string} text of the terminal's code */
export function meet(text) {
  const before = JSON.parse(readNote(NOTE) ?? "{}");
  leave();
  const again = before.text === text;
  talk = {
    text,
    secret: again ? read64(before.secret) : newSecret(),
    agreed: again,
    wasOpen: false,
    giveUpAt: 0,
    link: null,
    there: false,
    sent: new Set(),
    news: 0,
  };
  if (again) change({ exchange: before.exchange });
  keep(talk);
  void converse(talk);
}

/** Says goodbye. */
export function leave() {
  const mine = talk;
  talk = null;
  keepNote(NOTE, null);
  nearby.value = BEGINNING;
  if (mine?.link) {
    say(mine, Kind.HANG_UP);
    mine.link.close();
  }
}

/** The digits agree. */
export function agree() {
  if (!talk) return;
  talk.agreed = true;
  keep(talk);
  change({ phase: "waiting" });
  say(talk, Kind.CONFIRMED);
  void open(talk);
}

/** @param {string | null} exchange that is under way from now on; null: there is none */
export function takeOn(exchange) {
  const { offer } = nearby.peek(); // one that came while somebody typed their own waits
  change({ offer: offer?.id === exchange ? null : offer, exchange, problem: null });
  if (talk) keep(talk);
  hand();
}

/** What was asked for is not paid. */
export const setAside = () => change({ offer: null, problem: null });

/** @param {Talk} mine noted, so that it goes on after the app was ended */
function keep({ text, secret, agreed }) {
  const { exchange } = nearby.peek();
  if (agreed) keepNote(NOTE, JSON.stringify({ text, secret: write64(secret), exchange }));
}

/** @param {Talk} mine until it is over */
async function converse(mine) {
  const place = placeOf(mine.text);
  while (place && talk === mine) {
    try {
      await speak(mine, await openLink(place, mine.secret));
      return end(mine, "ended");
    } catch (error) {
      if (!(error instanceof LinkLost)) console.error(error);
      await lose(mine, error instanceof LinkLost ? error.reason : "lost");
    }
  }
}

/** @param {Talk} mine @param {Nearby["reason"]} reason waits before another try, or gives up */
async function lose(mine, reason) {
  if (talk !== mine) return;
  if (mine.wasOpen) mine.giveUpAt = performance.now() + PATIENCE_MS;
  mine.wasOpen = false;
  if (performance.now() >= mine.giveUpAt) return end(mine, reason);
  change({ phase: "lost" });
  await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}

/** @param {Talk} mine @param {Nearby["reason"]} reason */
function end(mine, reason) {
  if (talk !== mine) return;
  talk = null;
  if (reason === "ended") keepNote(NOTE, null);
  change({ phase: "over", reason });
}

/** @param {Talk} mine @param {Link} link until the terminal hangs up; throws LinkLost */
async function speak(mine, link) {
  if (talk !== mine) return link.close();
  Object.assign(mine, { link, there: false, sent: new Set(), news: 0 });
  change({ phase: mine.agreed ? "waiting" : "comparing", digits: link.digits });
  if (mine.agreed) say(mine, Kind.CONFIRMED);
  const pinging = setInterval(() => say(mine, Kind.PING), PING_MS);
  try {
    for (;;) {
      const { kind, body } = await link.receive(FOREVER_MS);
      if (kind === Kind.HANG_UP) return;
      if (kind === Kind.CONFIRMED) {
        mine.there = true;
        await open(mine);
      } else if (kind === Kind.MESSAGE && mine.wasOpen) {
        await hear(mine, body);
      } else {
        throw new LinkLost("malformed");
      }
    }
  } finally {
    clearInterval(pinging);
    mine.link = null;
    link.close();
  }
}

/** @param {Talk} mine once both have said that the digits agree */
async function open(mine) {
  if (!mine.agreed || !mine.there || mine.wasOpen) return;
  mine.wasOpen = true;
  for (const message of await news()) say(mine, Kind.MESSAGE, message);
  if (mine.link) change({ phase: "open" });
  hand();
}

/** @param {Talk} mine @param {Bytes} data that the terminal said */
async function hear(mine, data) {
  try {
    const message = await parsed(data);
    const { offer } = nearby.peek();
    if (message.kind === "invite") {
      // A link that is new says again what is on the screen.
      if (offer?.id === hexOf(message.requestId)) return;
      const found = await offerOf(message);
      if (talk !== mine) return;
      if (found.isSigned) takeOn(found.id);
      else change({ offer: found, problem: null });
    } else if (message.kind === "void" && offer?.id === hexOf(message.requestId)) {
      change({ offer: null, problem: new Problem("offline_cancelled") });
    } else if ((message.kind !== "keys" && message.kind !== "revocations") || mine.news++ < NEWS_MAX) {
      await takeIn(message, data);
    }
  } catch (error) {
    change({ problem: asProblem(error) });
  }
}

/** Hands over what the payment of this conversation has come to, once over each link. */
function hand() {
  const { phase, exchange } = nearby.peek();
  const one = phase === "open" && held.peek()?.exchanges.find(({ id }) => id === exchange);
  if (!talk || !one) return;
  const data = dueOf(one);
  if (!data.length || talk.sent.has(hexOf(data))) return;
  talk.sent.add(hexOf(data));
  say(talk, Kind.MESSAGE, data);
}

/** @param {import("./holdings.js").Exchange} one @returns {Bytes} what the other side has to have */
function dueOf({ role, state, shown, items }) {
  if (role === "payer") return shown;
  const { receipt = NONE, void: off = NONE } = items.at(-1) ?? {};
  if (receipt.length || off.length) return receipt.length ? receipt : off;
  return state === "inviting" ? shown : NONE;
}

/** Whoever receives learns that a link is lost. @param {Talk} mine @param {number} kind @param {Bytes} [body] */
function say(mine, kind, body) {
  try {
    mine.link?.send(kind, body);
  } catch (error) {
    if (!(error instanceof LinkLost)) throw error;
  }
}
