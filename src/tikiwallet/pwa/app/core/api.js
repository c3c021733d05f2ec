// Calls to the service. Cookies hold the session; unsafe calls carry its CSRF token. Every call has a
// time limit, and a session that ran out is renewed once, by one tab at a time.
import { Problem } from "./problems.js";
import { signal } from "./ui.js";

/** Whether the service could be reached last; screens show cached data meanwhile. */
export const reachable = signal(navigator.onLine);
addEventListener("offline", () => (reachable.value = false));
addEventListener("online", () => (reachable.value = true));

const READ_LIMIT = 12_000;
const WRITE_LIMIT = 25_000;
const REFRESHED = "tw.refreshed";
// A revoked token too: the refused refresh is what clears the cookies.
const RENEWABLE = new Set(["token_missing", "token_expired", "token_invalid", "token_revoked"]);

/** @type {() => void} */
let onSignedOut = () => {};

/** @param {() => void} act what to do when the session is over */
export const whenSignedOut = (act) => (onSignedOut = act);

/** @returns {string | null} the session's CSRF token; there is one as long as there is a session */
export function csrfToken() {
  const found = /(?:^|; )(?:__(?:Host|Secure)-)?tw_csrf=([^;]+)/.exec(document.cookie);
  return found ? decodeURIComponent(/** @type {string} */ (found[1])) : null;
}

/**
 * @typedef {object} Options
 * @property {Record<string, string | number | string[] | null | undefined>} [query]
 * @property {string} [key] Idempotency-Key: see `Intent`
 * @property {AbortSignal} [signal]
 * @property {number} [limit] milliseconds
 * @property {boolean} [quiet] an ended session is not announced (sign-in itself)
 */

/** @param {string} path @param {Options} [options] @returns {Promise<any>} */
export const get = (path, options) => call("GET", path, undefined, options);
/** @param {string} path @param {unknown} [body] @param {Options} [options] @returns {Promise<any>} */
export const post = (path, body = {}, options) => call("POST", path, body, options);
/** @param {string} path @param {unknown} body @param {Options} [options] @returns {Promise<any>} */
export const put = (path, body, options) => call("PUT", path, body, options);
/** @param {string} path @param {unknown} body @param {Options} [options] @returns {Promise<any>} */
export const patch = (path, body, options) => call("PATCH", path, body, options);
/** @param {string} path @param {Options} [options] @returns {Promise<any>} */
export const del = (path, options) => call("DELETE", path, undefined, options);

/**
 * @param {string} method @param {string} path @param {unknown} body @param {Options} [options]
 * @returns {Promise<any>} the answer's JSON, or null; throws Problem
 */
async function call(method, path, body, options = {}) {
  const began = Date.now();
  try {
    return await once(method, path, body, options);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401 || options.quiet) throw error;
    if (!RENEWABLE.has(error.code)) throw error;
    await renew(began);
    return once(method, path, body, options);
  }
}

/**
 * Renews the session unless another tab did since `began`: a refresh token that is used twice ends
 * the session, so only one tab may try.
 * @param {number} began
 */
async function renew(began) {
  const attempt = async () => {
    if (Number(localStorage.getItem(REFRESHED)) >= began) return;
    try {
      await once("POST", "/v1/auth/refresh", {}, {});
      localStorage.setItem(REFRESHED, String(Date.now()));
    } catch (error) {
      if (error instanceof Problem && error.status === 401) onSignedOut();
      throw error;
    }
  };
  // Older browsers lack locks; there the risk of two tabs at the same moment remains.
  if (navigator.locks) await navigator.locks.request("tw-refresh", attempt);
  else await attempt();
}

/** @param {string} method @param {string} path @param {unknown} body @param {Options} options */
async function once(method, path, body, options) {
  const headers = new Headers({
    Accept: "application/json",
    "Accept-Language": document.documentElement.lang, // text messages speak as the app does
  });
  if (body !== undefined) headers.set("Content-Type", "application/json");
  if (method !== "GET") {
    const token = csrfToken();
    if (token) headers.set("X-CSRF-Token", token);
    headers.set("Tikiwallet-Session", "cookie");
  }
  if (options.key) headers.set("Idempotency-Key", options.key);
  const limit = AbortSignal.timeout(
    options.limit ?? (method === "GET" ? READ_LIMIT : WRITE_LIMIT),
  );
  const response = await fetched(address(path, options.query), {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    credentials: "same-origin",
    signal: eitherOf(limit, options.signal),
  });
  reachable.value = true;
  if (response.status === 204 || response.status === 202) {
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw fromDocument(response, answer ?? {});
}

/** @param {AbortSignal} limit @param {AbortSignal | undefined} own */
function eitherOf(limit, own) {
  if (!own) return limit;
  return "any" in AbortSignal ? AbortSignal.any([limit, own]) : own;
}

/** @param {string} path @param {Options["query"]} query */
function address(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  return search.size ? `${path}?${search}` : path;
}

/** @param {string} url @param {RequestInit} init */
async function fetched(url, init) {
  try {
    return await fetch(url, init);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "AbortError") throw error; // the caller's own doing
    if (name === "TimeoutError") throw new Problem("timeout");
    reachable.value = false;
    throw new Problem("offline");
  }
}

const KNOWN = new Set(["type", "title", "status", "code", "detail", "instance", "errors"]);

/** @param {Response} response @param {Record<string, any>} body */
function fromDocument(response, body) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const { pointer, message } of body.errors ?? []) {
    const name = String(pointer).replace(/^\//, "").split("/")[0] ?? "";
    fields[name] ??= message;
  }
  const retry = Number(response.headers.get("Retry-After"));
  return new Problem(body.code ?? "unreadable", {
    status: response.status,
    title: body.title,
    detail: body.detail,
    fields,
    retryAfter: retry > 0 ? retry : null,
    extra: Object.fromEntries(Object.entries(body).filter(([name]) => !KNOWN.has(name))),
  });
}
