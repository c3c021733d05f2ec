// Short messages that come and go at the edge of the screen.
import { wordsOf } from "./problems.js";
import { signal } from "./ui.js";

/** @typedef {{ id: number, text: string, kind: "done" | "info" | "error",
 *   action?: { label: string, run: () => void } | undefined }} Toast */

export const toasts = signal(/** @type {Toast[]} */ ([]));
let last = 0;

/**
 * Says `text`. With an action it stays until it is answered or closed.
 * @param {string} text
 * @param {{ kind?: Toast["kind"], action?: Toast["action"] }} [options]
 */
export function say(text, { kind = "done", action } = {}) {
  const id = ++last;
  const others = toasts.value.filter((toast) => toast.text !== text).slice(-2);
  toasts.value = [...others, { id, text, kind, action }];
  if (!action) setTimeout(() => dismiss(id), 3000 + text.length * 60);
}

/** @param {import("./problems.js").Problem} problem says why something did not work, unless it was called off */
export function sayProblem(problem) {
  if (problem.code !== "cancelled") say(wordsOf(problem), { kind: "error" });
}

/** @param {number} id */
export function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
