// Whose signatures hold: the pinned root signs issuer keys, those sign passes and revocations, and the key in a pass
// signs its device's messages.
import { Malformed, sameBytes } from "./cbor.js";
import { isSignedBy, kidOf } from "./cose.js";
/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./messages.js").IssuerKey} IssuerKey */
/** @template {import("./cose.js").Kind} K @typedef {import("./messages.js").Message<K>} Message */

const REMEMBERED = 256; // passes

/** What one root vouches for. */
export class Trust {
  /** @param {Bytes} root 33 bytes */
  constructor(root) {
    this.root = root;
    this.serial = -1;
    /** @type {Map<string, IssuerKey>} by their kid */
    this.keys = new Map();
    /**
     * Passes found to be the issuer's, by all their bytes: their hash leaves the signature out, and a spoilt one must
     * not pass where others refuse it.
     * @type {Set<string>}
     */
    this.issued = new Set();
  }

  /** @param {Bytes} root @param {Message<"keys">} keys @returns {Promise<Trust>} throws Malformed when it did not sign them */
  static async begin(root, keys) {
    const trust = new Trust(root);
    if (!(await trust.learn(keys))) throw new Malformed("root");
    return trust;
  }

  /** @param {Message<"keys">} message @returns {Promise<boolean>} false when these keys are not the root's or not newer */
  async learn(message) {
    if (!sameBytes(message.kid, await kidOf(this.root)) || !(await isSignedBy(message, this.root))) return false;
    if (message.serial <= this.serial) return false; // asked last: others may have been learnt meanwhile
    this.serial = message.serial;
    this.keys = new Map(message.keys.map((key) => [String(key.kid), key]));
    this.issued.clear();
    return true;
  }

  /** @param {Message<"pass" | "revocations">} message @returns {Promise<boolean>} whether an issuer key signed it, in its time */
  async hasIssued(message) {
    if (message.kind === "revocations") return this.hasSigned(message, message.time);
    const name = String(message.raw);
    const { serial } = this;
    if (this.issued.has(name)) return true;
    const isIssued = await this.hasSigned(message, message.notBefore);
    if (serial !== this.serial) return this.hasIssued(message); // those keys are no more
    if (!isIssued) return false;
    if (this.issued.size >= REMEMBERED) this.issued.clear();
    this.issued.add(name);
    return true;
  }

  /** @param {Message<"invite" | "pay">} message @returns {Promise<boolean>} whether its pass is the issuer's, its signature the pass's */
  async holds(message) {
    const pass = message.kind === "invite" ? message.payee : message.payer;
    return (await this.hasIssued(pass)) && isSignedBy(message, pass.key);
  }

  /** @private @param {Message<"pass" | "revocations">} message @param {number} time */
  async hasSigned(message, time) {
    const key = this.keys.get(String(message.kid));
    return key !== undefined && key.notBefore <= time && time <= key.notAfter && isSignedBy(message, key.key);
  }
}
