// The eight messages, and every bound that needs nothing else than the message. Whose signature holds is `trust`'s
// question, whether to act on it that of `checks`.
import { decode, demand, encode, sameBytes } from "./cbor.js";
import { KINDS, TAG, kidOf, open, prepare } from "./cose.js";
import {
  AMOUNT, CURRENCY, EPOCH, HASH, ID, PSEUDONYM, PUBLIC_KEY, SEQUENCE, SOME, TIME, integer, octets, record, several, text,
} from "./fields.js";
import { commitment } from "./phones.js";

/** @typedef {import("./cbor.js").Bytes} Bytes */
/** @typedef {import("./cose.js").Kind} Kind */
/** @typedef {import("./cose.js").Payload} Payload */
/** @typedef {import("./cose.js").Sealed} Sealed */
/** @typedef {import("./cose.js").Unsealed} Unsealed */
/** @typedef {import("./fields.js").Rule} Rule */
/**
 * @typedef {object} Limits
 * @property {number} mostPerPayment minor units
 * @property {number} payments how many
 * @property {number} hops how often money may be passed on before it has settled
 */
/**
 * @typedef {object} PassFields money set aside for one device, or, with no amount, leave to receive
 * @property {Bytes} id
 * @property {Bytes} key
 * @property {Bytes} pseudonym
 * @property {Bytes} phone commitment to its owner's number
 * @property {Bytes} salt
 * @property {string} name
 * @property {number} tier
 * @property {number} currency
 * @property {number} amount
 * @property {number} startSequence
 * @property {number} notBefore
 * @property {number} expiry
 * @property {Limits} limits
 * @property {number} epoch
 * @property {Bytes} [payeeLock] the one pseudonym that may be paid
 */
/** @typedef {Message<"pass">} Pass */
/**
 * @typedef {object} InviteFields what a payee asks for
 * @property {Pass} payee
 * @property {Bytes} requestId fresh, so that no older PAY answers it
 * @property {number} amount
 * @property {number} currency
 * @property {string} [memo]
 * @property {number} madeAt
 * @property {number} life seconds
 */
/**
 * @typedef {object} PayFields one link of a payer's chain
 * @property {Pass} payer
 * @property {number} sequence
 * @property {Bytes} previous hash of the PAY before it, of the PASS for the first
 * @property {number} amount
 * @property {number} cumulative of all payments of the pass up to this one
 * @property {Bytes} payeePass
 * @property {Bytes} requestHash
 * @property {number} time
 * @property {Bytes[]} [sources] hashes of the PAYs whose money is passed on
 */
/** @typedef {{ payHash: Bytes, status: number, time: number }} ReceiptFields the payee has taken a PAY, durably */
/** @typedef {{ requestId: Bytes, payeePass: Bytes, time: number }} VoidFields the payee will never take a PAY for this */
/** @typedef {{ passId: Bytes, sequence: number, cumulative: number, time: number }} CloseFields the payer pays no more */
/** @typedef {{ kid: Bytes, key: Bytes, notBefore: number, notAfter: number }} IssuerKey */
/** @typedef {{ serial: number, time: number, keys: IssuerKey[] }} KeysFields a higher serial replaces a lower one */
/** @typedef {{ epoch: number, since: number, time: number, passes: Bytes[] }} RevocationsFields what was revoked after `since` */
/**
 * @typedef {object} Fields members by kind
 * @property {PassFields} pass
 * @property {InviteFields} invite
 * @property {PayFields} pay
 * @property {ReceiptFields} receipt
 * @property {VoidFields} void
 * @property {CloseFields} close
 * @property {KeysFields} keys
 * @property {RevocationsFields} revocations
 */
/** @template {Kind} K @typedef {{ [One in K]: Fields[One] & Sealed & { kind: One } }[K]} Message one that was parsed */

/** How the receipt of an accepted payment says so. */
export const ACCEPTED = 1;

const PASS_MAX = 255;
const NAME_MAX = 20;
const MEMO_MAX = 24;
const LIFE_MAX = 3_600;
const HOPS_MAX = 3;
export const SOURCES_MAX = 4;
const KEYS_MAX = 16;
/** In one list; further ones follow from its epoch on. */
export const REVOKED_MAX = 900;
export const BUNDLE_MAX = 100;

const passOctets = octets(1, PASS_MAX);
/** @type {Rule} */
const PASS = {
  read: (item) => parse("pass", /** @type {Bytes} */ (passOctets.read(item))),
  write: (held) => held.raw,
};
const LIMITS = record({ mostPerPayment: AMOUNT, payments: integer(0, 255), hops: integer(0, HOPS_MAX) });
const ISSUER_KEY = record({ kid: octets(4), key: PUBLIC_KEY, notBefore: TIME, notAfter: TIME });

/** @typedef {[number, Rule, boolean?]} Place key in the payload, rule, whether it may be absent */
/** @type {{ [K in Kind]: { [N in keyof Required<Fields[K]>]: Place } }} */
const PLACES = {
  pass: {
    id: [1, ID],
    key: [2, PUBLIC_KEY],
    pseudonym: [3, PSEUDONYM],
    phone: [4, octets(16)],
    salt: [5, octets(8)],
    name: [6, text(NAME_MAX)],
    tier: [7, integer(0, 23)],
    currency: [8, CURRENCY],
    amount: [9, AMOUNT],
    startSequence: [10, SEQUENCE],
    notBefore: [11, TIME],
    expiry: [12, TIME],
    limits: [13, LIMITS],
    epoch: [14, EPOCH],
    payeeLock: [15, PSEUDONYM, true],
  },
  invite: {
    payee: [1, PASS],
    requestId: [2, ID],
    amount: [3, SOME],
    currency: [4, CURRENCY],
    memo: [5, text(MEMO_MAX), true],
    madeAt: [6, TIME],
    life: [7, integer(1, LIFE_MAX)],
  },
  pay: {
    payer: [1, PASS],
    sequence: [2, SEQUENCE],
    previous: [3, HASH],
    amount: [4, SOME],
    cumulative: [5, SOME],
    payeePass: [6, ID],
    requestHash: [7, HASH],
    time: [8, TIME],
    sources: [9, several(HASH, 1, SOURCES_MAX), true],
  },
  receipt: { payHash: [1, HASH], status: [2, integer(ACCEPTED, ACCEPTED)], time: [3, TIME] },
  void: { requestId: [1, ID], payeePass: [2, ID], time: [3, TIME] },
  close: { passId: [1, ID], sequence: [2, SEQUENCE], cumulative: [3, AMOUNT], time: [4, TIME] },
  keys: { serial: [1, EPOCH], time: [2, TIME], keys: [3, several(ISSUER_KEY, 1, KEYS_MAX)] },
  revocations: { epoch: [1, EPOCH], since: [2, EPOCH], time: [3, TIME], passes: [4, several(ID, 0, REVOKED_MAX)] },
};

/** What holds between members. @type {{ [K in Kind]?: (fields: Fields[K]) => void | Promise<void> }} */
const CHECKS = {
  pass: ({ notBefore, expiry }) => demand(notBefore < expiry, "expiry"),
  pay({ amount, cumulative, sources = [] }) {
    demand(cumulative >= amount, "cumulative");
    demand(new Set(sources.map(String)).size === sources.length, "sources");
  },
  async keys({ keys }) {
    const names = await Promise.all(keys.map(({ key }) => kidOf(key)));
    demand(keys.every(({ kid }, i) => sameBytes(kid, names[i] ?? [])), "kid");
    demand(new Set(names.map(String)).size === keys.length, "kid");
    demand(keys.every(({ notBefore, notAfter }) => notBefore <= notAfter), "expiry");
  },
  revocations({ epoch, since, passes }) {
    demand(since <= epoch, "epoch");
    demand(passes.every((pass, i) => i === 0 || isBefore(/** @type {Bytes} */ (passes[i - 1]), pass)), "order");
  },
};

/** @param {Bytes} one @param {Bytes} other of the same length */
function isBefore(one, other) {
  const at = one.findIndex((byte, i) => byte !== other[i]);
  return at >= 0 && Number(one[at]) < Number(other[at]);
}

/** @template {Kind} K @param {K} kind @param {Payload} payload @returns {Promise<Fields[K]>} all that must be there, and nothing else */
async function members(kind, payload) {
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const [name, [key, rule, isOptional]] of /** @type {[string, Place][]} */ (Object.entries(PLACES[kind]))) {
    const item = payload.get(key);
    demand(item !== undefined || isOptional === true, "missing");
    if (item !== undefined) found[name] = await rule.read(item);
  }
  demand(payload.size === Object.keys(found).length + 1, "unknown");
  const fields = /** @type {Fields[K]} */ (found);
  await CHECKS[kind]?.(fields);
  return fields;
}

/** @param {Bytes} raw @returns {Promise<Message<Kind>>} one of whatever kind; throws Malformed */
export async function read(raw) {
  const { payload, ...sealed } = await open(raw);
  return /** @type {Message<Kind>} */ ({ ...(await members(sealed.kind, payload)), ...sealed });
}

/** @template {Kind} K @param {K} kind @param {Bytes} raw @returns {Promise<Message<K>>} throws Malformed */
export async function parse(kind, raw) {
  const { payload, ...sealed } = await open(raw);
  demand(sealed.kind === kind, "kind");
  return /** @type {Message<K>} */ ({ ...(await members(kind, payload)), ...sealed });
}

/** @template {Kind} K @param {K} kind @param {Fields[K]} fields @returns {Promise<Payload>} throws Malformed when a bound is broken */
export async function payloadOf(kind, fields) {
  /** @type {Payload} */
  const payload = new Map([[0, KINDS.indexOf(kind) + 1]]);
  for (const [name, [key, rule]] of /** @type {[keyof Fields[K], Place][]} */ (Object.entries(PLACES[kind]))) {
    if (fields[name] !== undefined) payload.set(key, rule.write(fields[name]));
  }
  await members(kind, payload);
  return payload;
}

/** @template {Kind} K @param {K} kind @param {Fields[K]} fields @returns {Promise<Unsealed>} what a device is to sign; throws Malformed */
export const unsealed = async (kind, fields) => prepare(kind, await payloadOf(kind, fields));

/** @template {Kind} K @param {K} kind @param {Fields[K]} fields @param {import("./p256.js").Signer} signer @returns {Promise<Bytes>} */
export async function seal(kind, fields, signer) {
  const { toSign, withSignature } = await unsealed(kind, fields);
  return withSignature(await signer.sign(toSign));
}

/** @param {PassFields} pass @param {string} phone as +919876543210 @returns {Promise<boolean>} whether its owner has this number */
export const isOf = async (pass, phone) => sameBytes(await commitment(pass.salt, phone), pass.phone);

/** @param {Bytes[]} messages @returns {Bytes} all as one: a PAY and the chain of its sources, say */
export function bundled(messages) {
  checkBundle(messages);
  return encode(messages);
}

/** @param {Bytes} data @returns {Bytes[]} the messages in a bundle, none of them read yet; throws Malformed */
export function unbundled(data) {
  const messages = decode(data);
  demand(Array.isArray(messages), "bundle");
  checkBundle(messages);
  return messages;
}

/** @param {import("./cbor.js").Item[]} messages @returns {asserts messages is Bytes[]} */
function checkBundle(messages) {
  demand(messages.length > 0 && messages.length <= BUNDLE_MAX, "bundle");
  demand(messages.every((one) => one instanceof Uint8Array && one[0] === TAG), "bundle");
}
