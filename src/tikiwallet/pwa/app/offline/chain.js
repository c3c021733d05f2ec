// A PAY with the received payments that it passes on, its sources, and theirs in turn. They travel as one bundle: the
// PAY, then the PAY and the INVITE of each source in the order in which it is named, each followed by its own sources;
// what is named twice stands once, at its first place. Whether any of it holds is `checks`' question.
import { demand, sameBytes } from "./cbor.js";
import { TAG } from "./cose.js";
import { WHOLE_MAX } from "./frames.js";
import { BUNDLE_MAX, bundled, parse, read, unbundled } from "./messages.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./messages.js").Message<import("./cose.js").Kind>} AnyMessage */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */
/**
 * @typedef {object} Link a payment that is passed on
 * @property {Message<"pay">} pay
 * @property {Message<"invite">} invite that it answers
 * @property {Link[]} sources in the order in which it names them
 * @property {number} hops how often the money was passed on, by the longest way that it came
 */
/** @typedef {Omit<Link, "invite">} Chain a payment as it travels */

const PAY_MAX = 582; // bytes of a PAY with four sources
const AROUND = 3; // bytes before a message in a bundle; before all of them at most 2

/** @param {Bytes} data a PAY as it travels: bare, or the bundle with its sources @returns {Promise<Chain>} throws Malformed */
export async function readChain(data) {
  if (data[0] === TAG) return new Reader([data]).chain();
  const chain = await opened(data).chain();
  demand(chain.sources.length > 0, "source");
  return chain;
}

/** @param {Bytes} data as `bundleOf` made it @returns {Promise<Link>} throws Malformed */
export async function readLink(data) {
  const reader = opened(data);
  const link = await reader.link();
  reader.end();
  return link;
}

/** @param {Bytes} data */
function opened(data) {
  demand(data.length <= WHOLE_MAX, "length");
  return new Reader(unbundled(data));
}

/** @param {Bytes} data a PAY as it travels @returns {Bytes} the PAY alone, or nothing for nothing; throws Malformed */
export const payOf = (data) => (data[0] === TAG || !data.length ? data : /** @type {Bytes} */ (unbundled(data)[0]));

/** @param {Bytes} data a message, or a PAY as it travels: what it passes on is not read @returns {Promise<AnyMessage>} throws Malformed */
export const readHead = async (data) => (data[0] === TAG ? read(data) : parse("pay", payOf(data)));

/** @param {Bytes} data a PAY as it came @param {Bytes} invite that it answers @returns {Promise<Link>} to be passed on; throws Malformed */
export const linkOf = async (data, invite) => ({ ...(await readChain(data)), invite: await parse("invite", invite) });

/** @param {Bytes} pay @param {Link[]} sources @returns {Bytes} as it travels */
export const withSources = (pay, sources) => (sources.length ? bundled([pay, ...flat(sources)]) : pay);

/** @param {Link} link @returns {Bytes} as its payee keeps it, to pass it on */
export const bundleOf = (link) => bundled(flat([link]));

/** @param {Link[]} links @returns {boolean} could the largest PAY there is travel with these as its sources? */
export function fits(links) {
  const messages = flat(links);
  const length = messages.reduce((sum, one) => sum + AROUND + one.length, 2 + AROUND + PAY_MAX);
  return length <= WHOLE_MAX && messages.length < BUNDLE_MAX;
}

/** @param {Message<"pass">} own @param {Link[]} sources @returns {number} what may be paid out of both, in minor units */
export const coverOf = ({ amount }, sources) => sources.reduce((sum, { pay }) => sum + pay.amount, amount);

/** @param {Link[]} sources @returns {Link[]} all that is passed on, once each, oldest first */
export const linksOf = (sources) => [...gather(sources, new Map()).values()];

/** @param {Chain} chain @returns {Message<"pay">[]} all that are in it, oldest first */
export const paysOf = ({ pay, sources }) => [...linksOf(sources).map((link) => link.pay), pay];

/** @param {Link[]} links @param {Map<string, Link>} found by the hash of the PAY */
function gather(links, found) {
  for (const link of links) {
    const name = String(link.pay.hash);
    if (!found.has(name)) gather(link.sources, found).set(name, link);
  }
  return found;
}

/** @param {Link[]} links @returns {Bytes[]} the messages of these and all below, each once */
function flat(links, seen = new Set()) {
  return links.flatMap((one) => {
    const name = String(one.pay.hash);
    if (seen.has(name)) return [];
    seen.add(name);
    return [one.pay.raw, one.invite.raw, ...flat(one.sources, seen)];
  });
}

/** @param {Link[]} sources how often what comes of them was passed on */
const hopsOf = (sources) => Math.max(0, ...sources.map(({ hops }) => hops + 1));

class Reader {
  /** @param {Bytes[]} messages */
  constructor(messages) {
    this.messages = messages;
    this.at = 0;
    /** @type {Map<string, Link>} those that were read, and so stand nowhere else */
    this.links = new Map();
  }

  /** @returns {Promise<Chain>} */
  async chain() {
    const pay = await this.next("pay");
    const sources = await this.sourcesOf(pay);
    this.end();
    return { pay, sources, hops: hopsOf(sources) };
  }

  /** @returns {Promise<Link>} */
  async link() {
    const pay = await this.next("pay");
    const invite = await this.next("invite");
    demand(sameBytes(invite.hash, pay.requestHash), "source");
    const sources = await this.sourcesOf(pay);
    return { pay, invite, sources, hops: hopsOf(sources) };
  }

  /** @private @template {import("./cose.js").Kind} K @param {K} kind @returns {Promise<Message<K>>} */
  next(kind) {
    const raw = this.messages[this.at++];
    demand(raw !== undefined, "source");
    return parse(kind, raw);
  }

  /** @private @param {Message<"pay">} pay @returns {Promise<Link[]>} */
  async sourcesOf(pay) {
    const found = [];
    for (const hash of pay.sources ?? []) {
      const link = this.links.get(String(hash)) ?? (await this.link());
      demand(sameBytes(link.pay.hash, hash), "source");
      this.links.set(String(hash), link);
      found.push(link);
    }
    return found;
  }

  end() {
    demand(this.at === this.messages.length, "source");
  }
}
