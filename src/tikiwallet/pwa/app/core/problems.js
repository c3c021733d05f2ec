// What can go wrong with a call, as values that screens turn into words.
import { t, tryWords } from "./i18n.js";

/** A refusal of the server (RFC 9457), or a call that got no answer (`offline`, `timeout`). */
export class Problem extends Error {
  /**
   * @param {string} code stable, the server's or `offline`, `timeout`, `unreadable`
   * @param {{ status?: number, title?: string, detail?: string | null,
   *   fields?: Record<string, string>, retryAfter?: number | null,
   *   extra?: Record<string, any> }} [about]
   */
  constructor(code, about = {}) {
    super(about.detail || about.title || code);
    this.name = "Problem";
    this.code = code;
    this.status = about.status ?? 0;
    this.title = about.title ?? "";
    this.detail = about.detail ?? "";
    /** Messages by field, from the document's `errors`. */
    this.fields = about.fields ?? {};
    /** Seconds until another try makes sense. */
    this.retryAfter = about.retryAfter ?? null;
    /** Other members of the document, such as `challenge_id`. */
    this.extra = about.extra ?? {};
  }

  /** Whether the answer is unknown, so that the same call may be made again. */
  get isTransient() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** @param {unknown} error @returns {Problem} bugs of ours become `internal_error` */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem("internal_error");
}

/**
 * The words for a problem: ours in the person's language, else the server's own.
 * @param {Problem} problem
 */
export function wordsOf(problem) {
  const seconds = problem.retryAfter ?? 0;
  if (problem.code === "too_many_requests" && seconds > 0) {
    return t("problem.wait", { time: waitWords(seconds) });
  }
  const own = tryWords(`problem.${problem.code}`, problem.extra);
  return own ?? (problem.detail || problem.title || t("problem.internal_error"));
}

/** @param {number} seconds @returns {string} "40 seconds", "3 minutes", "2 hours" */
export function waitWords(seconds) {
  if (seconds < 90) return t("wait.seconds", { count: Math.ceil(seconds) });
  if (seconds < 5400) return t("wait.minutes", { count: Math.ceil(seconds / 60) });
  return t("wait.hours", { count: Math.ceil(seconds / 3600) });
}
