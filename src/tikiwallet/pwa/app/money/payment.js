// Sending a payment so that it happens once: whatever becomes of the connection, the same thing is asked
// again under the same key until the outcome is known.
import { post } from "../core/api.js";
import { Intent } from "../core/intent.js";
import { askPasskey } from "../core/passkeys.js";
import { asProblem, Problem } from "../core/problems.js";
import { me, signedIn } from "../core/session.js";
import { signal } from "../core/ui.js";
import { amountsOf, changeDraft, clearDraft } from "./draft.js";
import { recent, tellBalance } from "./wallets.js";

/** @typedef {import("../core/money.js").Money} Money */
/** @typedef {{ to: string, amount: Money }} Part */
/** @typedef {{ from_wallet: string, payees: Part[], memo?: string }} Content */
/**
 * @typedef {object} Told the server's answer
 * @property {string} id
 * @property {string} created_at
 * @property {{ wallet_id: string, currency: string, available: number, held: number, posted: number }} balance
 */
/**
 * @typedef {{ stage: "ready", problem?: Problem }
 *   | { stage: "sending" }
 *   | { stage: "pin", problem?: Problem | undefined, busy?: boolean }
 *   | { stage: "unknown", asking: boolean, problem: Problem }
 *   | { stage: "done", told: Told }
 *   | { stage: "refused", problem: Problem }} State
 */

const WAITS = [1, 2, 3, 5, 8, 13, 20, 30]; // seconds between questions, the last one for all that follow
const LIMIT = 12_000;
const ABOUT_PIN = new Set(["pin_wrong", "pin_locked", "pin_malformed", "confirmation_invalid", "passkey_invalid"]);

export class Payment {
  /** @param {Content} content @param {Record<string, string>} names by what it is paid to */
  constructor(content, names) {
    this.content = content;
    this.names = names;
    this.total = content.payees.reduce((sum, { amount }) => sum + amount.amount, 0);
    this.currency = /** @type {Part} */ (content.payees[0]).amount.currency;
    this.state = signal(/** @type {State} */ ({ stage: "ready" }));
    this.intent = new Intent("pay");
    /** The PIN or the passkey's answer; only ever in memory. @type {Record<string, unknown>} */
    this.proof = {};
    this.maybeSent = false;
    this.tries = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.askNow = () => void this.#ask();
  }

  /** Begins: asks for the PIN at once where the person's own threshold says that it is needed. */
  async start() {
    if (!navigator.onLine) return this.#to({ stage: "ready", problem: new Problem("offline_unsent") });
    const { pin_threshold, limits, pin_set } = me.value ?? {};
    const free = pin_threshold ?? limits?.payment_without_pin;
    const needsPin = pin_set && free?.currency === this.currency && this.total > free.amount;
    if (needsPin) this.#to({ stage: "pin" });
    else await this.#ask();
  }

  /** Takes up what may have been sent before a reload. */
  async resume() {
    this.maybeSent = true;
    this.#to({ stage: "unknown", asking: true, problem: new Problem("unavailable") });
    await this.#ask();
  }

  /** @param {string} pin */
  async withPin(pin) {
    this.proof = { pin };
    await this.#ask();
  }

  /** A passkey in place of the PIN: it signs exactly this payment. */
  async withPasskey() {
    this.#to({ stage: "pin", busy: true });
    try {
      const { confirmation_id, public_key } = await post("/v1/payments/confirmation", this.content);
      this.proof = { confirmation: { id: confirmation_id, credential: await askPasskey(public_key) } };
    } catch (error) {
      return this.#to({ stage: "pin", problem: asProblem(error) });
    }
    await this.#ask();
  }

  /** Back to the screen where it can be changed; only before anything was sent. */
  cancel() {
    clearTimeout(this.timer);
    this.#to({ stage: "ready" });
  }

  /** @param {State} next */
  #to(next) {
    this.state.value = next;
  }

  async #ask() {
    clearTimeout(this.timer);
    const before = this.state.peek();
    if (before.stage === "unknown") this.#to({ ...before, asking: true });
    else if (before.stage === "pin") this.#to({ stage: "pin", busy: true });
    else this.#to({ stage: "sending" });
    try {
      const body = { ...this.content, ...this.proof };
      const key = this.intent.key(this.content);
      this.#done(await post("/v1/payments", body, { key, limit: LIMIT }));
    } catch (error) {
      this.#failed(asProblem(error));
    }
  }

  /** @param {Told} told */
  #done(told) {
    this.#end();
    clearDraft();
    tellBalance(told.balance);
    void recent.refresh();
    this.#to({ stage: "done", told });
  }

  /** @param {Problem} problem */
  #failed(problem) {
    const { code } = problem;
    if (code === "pin_required" || ABOUT_PIN.has(code)) {
      // The server looks for an outcome before it asks for a PIN: nothing was paid so far.
      this.maybeSent = false;
      this.proof = {};
      changeDraft({ sent: false });
      if (me.value?.pin_set === false) {
        this.#end();
        return this.#to({ stage: "refused", problem: new Problem("pin_not_set") });
      }
      return this.#to({ stage: "pin", problem: code === "pin_required" ? undefined : problem });
    }
    if (problem.isTransient && (this.maybeSent || code !== "too_many_requests")) {
      this.maybeSent = true;
      changeDraft({ sent: true });
      return this.#wait(problem);
    }
    if (code !== "too_many_requests") this.#end();
    this.#to({ stage: "refused", problem });
  }

  /** @param {Problem} problem */
  #wait(problem) {
    this.#to({ stage: "unknown", asking: false, problem });
    const wait = /** @type {number} */ (WAITS[Math.min(this.tries++, WAITS.length - 1)]);
    this.timer = setTimeout(this.askNow, Math.max(wait, problem.retryAfter ?? 0) * 1000);
    addEventListener("online", this.askNow, { once: true });
  }

  /** The outcome is known. */
  #end() {
    clearTimeout(this.timer);
    removeEventListener("online", this.askNow);
    this.proof = {};
    this.intent.settle();
    changeDraft({ sent: false });
  }
}

/** The payment that is being confirmed, sent or told about. */
export const underWay = signal(/** @type {Payment | null} */ (null));
signedIn.subscribe((is) => {
  if (is) return;
  underWay.peek()?.cancel();
  underWay.value = null;
});

/**
 * @param {import("./draft.js").Draft} of @param {import("./wallets.js").Wallet} wallet
 * @returns {Payment | null} null while something is missing
 */
export function paymentOf(of, wallet) {
  const amounts = amountsOf(of);
  if (!amounts) return null;
  const payees = of.payees.map(({ to }, i) => ({
    to,
    amount: { amount: /** @type {number} */ (amounts[i]), currency: wallet.currency },
  }));
  const memo = of.memo.trim();
  const content = { from_wallet: wallet.id, payees, ...(memo ? { memo } : {}) };
  const names = Object.fromEntries(of.payees.map(({ to, name }) => [to, name ?? to]));
  return new Payment(content, names);
}
