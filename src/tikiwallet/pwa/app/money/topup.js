// A top-up on its way: asked for once, looked at until it has an end.
import { get, post } from "../core/api.js";
import { Intent } from "../core/intent.js";
import { asProblem } from "../core/problems.js";
import { signedIn } from "../core/session.js";
import { signal } from "../core/ui.js";
import { refreshMoney } from "./wallets.js";

/** @typedef {import("../core/problems.js").Problem} Problem */
/** @typedef {{ wallet: string, amount: import("../core/money.js").Money, method: string }} Request */
/**
 * @typedef {object} Told the server's answer
 * @property {string} id
 * @property {"processing" | "requires_action" | "succeeded" | "failed"} status
 * @property {string | null} failure_code
 * @property {{ url: string } | null} next_action
 */
/**
 * @typedef {{ stage: "form", problem?: Problem }
 *   | { stage: "sending", request: Request }
 *   | { stage: "waiting", request: Request, problem?: Problem }
 *   | { stage: "asked", request: Request, url: string, isSandbox: boolean, busy: boolean, problem?: Problem,
 *       answer: (outcome: "approve" | "decline") => Promise<void> }
 *   | { stage: "done", request: Request }
 *   | { stage: "failed", request: Request, code: string }} State
 */

const WAITS = [1, 1, 2, 2, 3, 5, 8, 15, 30]; // seconds between looks

export const topUp = signal(/** @type {State} */ ({ stage: "form" }));
const intent = new Intent("topup");
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let looks = 0;

/** Back to the form, for another one. */
export function cancelTopUp() {
  clearTimeout(timer);
  topUp.value = { stage: "form" };
}
signedIn.subscribe((is) => {
  if (!is) cancelTopUp();
});

/** @param {Request} request */
export async function startTopUp(request) {
  looks = 0;
  topUp.value = { stage: "sending", request };
  await begin(request);
}

/** Asks with the same key until there is an answer: a card is charged once. @param {Request} request */
async function begin(request) {
  try {
    const told = await post("/v1/topups", request, { key: intent.key(request) });
    intent.settle();
    follow(request, told);
  } catch (error) {
    const problem = asProblem(error);
    if (!problem.isTransient || problem.code === "too_many_requests") {
      intent.settle();
      topUp.value = { stage: "form", problem };
      return;
    }
    topUp.value = { stage: "waiting", request, problem };
    later(() => begin(request), problem.retryAfter);
  }
}

/** @param {Request} request @param {Told} told */
function follow(request, told) {
  if (told.status === "succeeded") {
    topUp.value = { stage: "done", request };
    void refreshMoney();
  } else if (told.status === "failed") {
    topUp.value = { stage: "failed", request, code: told.failure_code ?? "other" };
  } else if (told.status === "requires_action" && told.next_action) {
    ask(request, told.id, told.next_action.url);
  } else {
    topUp.value = { stage: "waiting", request };
    later(() => look(request, told.id));
  }
}

/** @param {Request} request @param {string} id */
async function look(request, id) {
  try {
    follow(request, await get(`/v1/topups/${id}`));
  } catch (error) {
    topUp.value = { stage: "waiting", request, problem: asProblem(error) };
    later(() => look(request, id));
  }
}

/** The card's bank wants to hear from the person. In the sandbox we are the bank. @param {Request} request @param {string} id @param {string} url */
function ask(request, id, url) {
  const isSandbox = new URL(url).pathname.startsWith("/dev/challenges/");
  /** @param {{ busy: boolean, problem?: Problem }} more */
  const show = (more) =>
    (topUp.value = { stage: "asked", request, url, isSandbox, answer, ...more });
  /** @param {"approve" | "decline"} outcome */
  async function answer(outcome) {
    show({ busy: true });
    try {
      await post(new URL(url).pathname, { outcome });
      await look(request, id);
    } catch (error) {
      show({ busy: false, problem: asProblem(error) });
    }
  }
  show({ busy: false });
}

/** @param {() => void} act @param {number | null} [least] seconds */
function later(act, least) {
  clearTimeout(timer);
  const wait = /** @type {number} */ (WAITS[Math.min(looks++, WAITS.length - 1)]);
  timer = setTimeout(act, Math.max(wait, least ?? 0) * 1000);
}
