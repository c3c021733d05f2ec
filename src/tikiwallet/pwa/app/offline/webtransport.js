// A link to a terminal nearby, over the local network: the phone's side of terminal/webtransport.py.
// One link is one exchange. Lost in the middle, it is opened again and the same bytes are sent.

import { read64 } from "../core/base64.js";
import { join } from "./cbor.js";
import { NONCE_BYTES, commitment, digits } from "./short-string.js";

/** What a frame holds (terminal/link.py). */
export const Kind = Object.freeze({ COMMIT: 1, NONCE: 2, REVEAL: 3, CONFIRMED: 4, MESSAGE: 5, PING: 6, HANG_UP: 7 });
const BODY_MOST = 16 * 1024;
const QUIET_MS = 150_000;
const HANDSHAKE_MS = 10_000;
// A person may have to allow the browser the local network first.
const OPEN_MS = 30_000;
const PERMISSION = "local-network-access";

/**
 * Why there is no link, or none any more. After each of them the same exchange goes on by QR codes. `refused`: this phone lets the app not into the local network;
 * `elsewhere`: the address is none of the local network; `ended`: in order.
 * @typedef {"unsupported" | "refused" | "elsewhere" | "unreachable" | "busy" | "stalled" | "malformed" |
 *   "lost" | "ended"} Reason
 */
export class LinkLost extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(`the link to the terminal: ${reason}`);
    this.reason = reason;
  }

  /** A problem's code, for its words. */
  get code() {
    if (this.reason === "refused") return "offline_link_refused";
    const wasThere = ["stalled", "lost", "ended"].includes(this.reason);
    return wasThere ? "offline_link_lost" : "offline_link_unreachable";
  }
}

/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {{ host: string, port: number, hash: Bytes }} Place */
/** @typedef {{ kind: number, body: Bytes }} Frame */

/** Where a terminal is, from its QR code `…/nearby#HOST:PORT/HASH`; null for any other text. @param {string} text */
export function placeOf(text) {
  const found = /\/nearby#(\[[0-9a-fA-F:]+\]|[0-9.]+):(\d{1,5})\/([A-Za-z0-9_-]{43})$/.exec(text);
  if (!found || Number(found[2]) > 65_535) return null;
  const [, host, port, digest] = found;
  return { host, port: Number(port), hash: read64(digest) };
}

/** What the terminal knows a phone by that comes back. @returns {Bytes} */
export const newSecret = () => crypto.getRandomValues(new Uint8Array(NONCE_BYTES));

/**
 * Opens a link and works out its digits. Throws `LinkLost`.
 * @param {Place} place @param {Bytes} [secret]
 */
export async function openLink(place, secret = newSecret()) {
  const link = new Link(place.hash);
  try {
    await link.open(place);
    await link.agree(secret);
  } catch (error) {
    link.close();
    throw (await wasRefused(error)) ? new LinkLost("refused") : error;
  }
  return link;
}

/** A browser says the same of what is not there and of what it may not reach. @param {unknown} error */
async function wasRefused(error) {
  if (!(error instanceof LinkLost) || error.reason !== "unreachable") return false;
  const name = /** @type {PermissionName} */ (PERMISSION);
  const status = await navigator.permissions.query({ name }).catch(() => undefined);
  return status?.state === "denied";
}

/** One open exchange. */
export class Link {
  /** Both people compare these. */
  digits = "";

  #worker = new Worker(new URL("./link-worker.js", import.meta.url), { type: "module" });
  /** @type {Frame[]} */
  #inbox = [];
  /** @type {Reason | undefined} */
  #over;
  #opened = false;
  #sides;
  #wake = () => {};

  /** @param {Bytes} sides */
  constructor(sides) {
    this.#sides = sides;
    this.#worker.onerror = () => this.#heard({ over: "unsupported" });
    this.#worker.onmessage = ({ data }) => this.#heard(data);
  }

  /** @param {{ opened?: true, frame?: Frame, over?: Reason }} said */
  #heard({ opened, frame, over }) {
    if (opened) this.#opened = true;
    if (frame && frame.kind !== Kind.PING) this.#inbox.push(frame);
    if (over) {
      this.#over ??= over;
      this.#worker.terminate();
    }
    this.#wake();
  }

  /**
   * What `look` finds, now or once something was heard; throws `LinkLost` when nothing more comes.
   * @template T @param {() => T | undefined} look @param {number} patience @returns {Promise<T>}
   */
  async #until(look, patience) {
    const end = performance.now() + patience;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#over) throw new LinkLost(this.#over);
      const left = end - performance.now();
      if (left <= 0) throw new LinkLost("stalled");
      await new Promise((resolve) => {
        const late = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(late);
          resolve(undefined);
        };
      });
    }
  }

  /** @param {Place} place */
  async open(place) {
    this.#worker.postMessage({ open: place });
    await this.#until(() => this.#opened || undefined, OPEN_MS);
  }

  /** Commit, hear, reveal: the digits are fixed before either side can choose them. @param {Bytes} secret */
  async agree(secret) {
    const own = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    this.send(Kind.COMMIT, await commitment(this.#sides, own));
    const { kind, body } = await this.receive(HANDSHAKE_MS);
    if (kind !== Kind.NONCE || body.length !== NONCE_BYTES) throw new LinkLost("malformed");
    this.send(Kind.REVEAL, join(own, secret));
    this.digits = await digits(this.#sides, own, body);
  }

  /** Hands over one frame; whether it arrives is known by the answer. @param {number} kind @param {Bytes} [body] */
  send(kind, body = new Uint8Array(0)) {
    if (body.length > BODY_MOST) throw new RangeError(`a frame holds ${BODY_MOST} bytes`);
    if (this.#over) throw new LinkLost(this.#over);
    this.#worker.postMessage({ send: { kind, body } });
  }

  /** The next frame that is no ping. Throws `LinkLost`. */
  receive(patience = QUIET_MS) {
    return this.#until(() => this.#inbox.shift(), patience);
  }

  /** Ends our side in order; nothing more is heard. */
  close() {
    if (this.#over) return;
    this.#over = "ended";
    this.#worker.postMessage({ end: true });
    // What was sent still has to leave.
    setTimeout(() => this.#worker.terminate(), 1_000);
  }
}
