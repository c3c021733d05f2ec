// What is done as soon as there is a network: hand in what was signed, hear what became of it, and learn the
// issuer's newest keys and lists.
import { get, post } from "../core/api.js";
import { read64, write64 } from "../core/base64.js";
import { asProblem, Problem } from "../core/problems.js";
import { signedIn } from "../core/session.js";
import { signal } from "../core/ui.js";
import { refreshMoney } from "../money/wallets.js";
import { NONE } from "./cbor.js";
import { reportDevice } from "./devices.js";
import { refresh } from "./holdings.js";
import { begin, forget, keepFact, now, readAll, readFact, write } from "./journal.js";
import { read as message } from "./messages.js";
import { alone, tell } from "./meeting.js";
import { once, uploadsOf } from "./uploads.js";

/** @typedef {import("./effects.js").Item} Item */
/** @typedef {import("./meeting.js").Side} Side */
/** @typedef {{ side: Side, id: string }} Machine */

/** How far it is, for whoever looks. */
export const syncing = signal(
  /** @type {{ busy: boolean, problem: import("../core/problems.js").Problem | null }} */ ({ busy: false, problem: null }),
);

/** What the service says otherwise than the machines. @type {Record<string, string>} */
const OUTCOMES = { settling: "recorded" };
const KEPT = 30 * 86_400; // seconds in which a service that was restored may ask again
const AT_ONCE = 100; // items the service takes in one upload
let isFollowing = false;
/** @type {Promise<void> | undefined} */
let underWay;

/** From now on whenever the network comes back and whenever the app is looked at. */
export function startSync() {
  void sync();
  if (isFollowing) return;
  isFollowing = true;
  addEventListener("online", () => void sync());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void sync());
}

/** Does all of it, once at a time; what goes wrong is in `syncing`. */
export function sync() {
  underWay ??= run().finally(() => (underWay = undefined));
  return underWay;
}

async function run() {
  if (!signedIn.peek() || !navigator.onLine || !(await readFact("device"))) return;
  syncing.value = { busy: true, problem: null };
  try {
    const { finishWanted } = await import("./passes.js");
    await finishWanted();
    const machines = await all();
    await learn(machines);
    if (await handIn(machines)) await refreshMoney();
    await tidy();
    syncing.value = { busy: false, problem: null };
  } catch (error) {
    syncing.value = { busy: false, problem: asProblem(error) };
  }
  await refresh();
}

/** @returns {Promise<Machine[]>} */
async function all() {
  const [passes, tills] = await Promise.all([readAll("passes"), readAll("tills")]);
  return [
    ...passes.map(({ id }) => ({ side: /** @type {Side} */ ("payer"), id })),
    ...tills.map(({ id }) => ({ side: /** @type {Side} */ ("payee"), id })),
  ];
}

/** Forgets passes of which the service asks nothing any more. */
async function tidy() {
  const old = (await now()) - KEPT;
  for (const { id, claimUntil } of await readAll("passes")) if (claimUntil < old) await forget("passes", id);
}

/** @param {Machine[]} machines are told the issuer's newest keys and lists */
async function learn(machines) {
  const news = [read64((await get("/v1/offline/keys")).message)];
  let since = 0;
  for (let more = true; more; ) {
    const list = await get("/v1/offline/revocations", { query: { since } });
    news.push(read64(list.message));
    since = list.epoch;
    more = list.more;
  }
  for (const { side, id } of machines) for (const data of news) await tell(side, id, { type: "received", data });
}

/**
 * How far the service knows the chains of passes, and whether it holds them for ended.
 * @returns {Promise<Map<string, { sequence: number, hash: Uint8Array, cumulative: number, ended: boolean }>>}
 */
async function knownTips() {
  const { items } = await get("/v1/offline/passes", { query: { limit: 100 } });
  return new Map(
    items
      .filter((/** @type {any} */ { tip }) => tip)
      .map((/** @type {any} */ { id, state, tip }) => [id, { ...tip, hash: read64(tip.hash), ended: state !== "open" }]),
  );
}

/** @param {Machine[]} machines @returns {Promise<boolean>} whether anything was handed in */
async function handIn(machines) {
  /** @type {Item[]} */
  const items = [];
  const tips = await knownTips();
  for (const { side, id } of machines) {
    const tip = tips.get(id) ?? { sequence: 0, hash: NONE, cumulative: 0, ended: false };
    const result = await tell(side, id, { type: "synced", ...tip });
    items.push(...result.items);
  }
  /** @type {Problem | null} */
  let refused = null;
  for (const some of await uploadsOf(once(items), AT_ONCE)) {
    const told = await post("/v1/offline/settlements", { items: some.map(written) });
    for (const [at, one] of told.items.entries()) {
      // Not taken in: it stays here, and is brought again.
      if (one.state === "refused") refused ??= new Problem(one.problem.code, one.problem);
      else await hear(machines, /** @type {Item} */ (some[at]), one);
    }
  }
  if (refused) throw refused;
  return items.length > 0;
}

/** @param {Item} item @returns {Record<string, string>} as the service takes it */
const written = (item) =>
  Object.fromEntries(Object.entries(item).filter(([, data]) => data.length).map(([name, data]) => [name, write64(data)]));

/** @param {import("./holdings.js").Exchange[]} exchanges saves them as a file that anybody can hand in */
export function saveAll(exchanges) {
  const oldest = [...exchanges].reverse().flatMap(({ items }) => items);
  const items = once(oldest.filter(({ pay, void: off }) => pay.length + off.length));
  const file = new Blob([JSON.stringify({ items: items.map(written) })], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `tikiwallet-offline-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** @param {Machine[]} machines @param {Item} item @param {any} told what the service says of it */
async function hear(machines, item, told) {
  const { hash } = await message([item.close, item.void, item.pay].find((data) => data.length) ?? NONE);
  for (const { side, id } of machines) await tell(side, id, { type: "outcome", hash, outcome: OUTCOMES[told.state] ?? told.state });
}

/** After the journal was lost or went back: the service calls back what this device held, and it may begin anew. Throws Problem. */
export async function beginAnew() {
  const device = await readFact("device");
  if (device) await reportDevice(device.id, "replaced");
  await alone(async () => {
    for (const row of await readAll("passes")) await write({ store: "passes", row: { ...row, replaced: true } });
  });
  for (const one of ["device", "wanted"]) await keepFact(one, undefined);
  await begin();
  await refresh();
}
