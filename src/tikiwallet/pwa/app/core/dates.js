// Times as people read them: today's by the clock, others by day, ages in words.
import { locale, t } from "./i18n.js";

/** @param {string | number} at RFC 3339 or milliseconds @returns {boolean} */
const isToday = (at) => new Date(at).toDateString() === new Date().toDateString();

/** @param {string | number} at @param {Intl.DateTimeFormatOptions} options */
const show = (at, options) => new Intl.DateTimeFormat(locale(), options).format(new Date(at));

/** @param {string | number} at @returns {string} "14:05" today, else "3 Nov, 14:05" */
export function formatWhen(at) {
  if (isToday(at)) return formatClock(at);
  const thisYear = new Date(at).getFullYear() === new Date().getFullYear();
  return show(at, {
    day: "numeric",
    month: "short",
    year: thisYear ? undefined : "numeric",
    hour: "numeric",
    minute: "2-digit",
  });
}

/** @param {string | number} at @returns {string} "14:05" */
export const formatClock = (at) => show(at, { timeStyle: "short" });

/** @param {string | number} at @returns {string} in full, as on a receipt */
export const formatMoment = (at) => show(at, { dateStyle: "long", timeStyle: "medium" });

/** @param {string | number} at @returns {string} "21 November 2026" */
export const formatDate = (at) => show(at, { dateStyle: "long" });

/** @param {string | number} at @returns {string} the heading of a day in a list */
export function formatDay(at) {
  if (isToday(at)) return t("day.today");
  if (isToday(new Date(at).getTime() + 86_400_000)) return t("day.yesterday");
  return show(at, { weekday: "long", day: "numeric", month: "long" });
}

/** @type {[number, Intl.RelativeTimeFormatUnit][]} */
const UNITS = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
];

/** @param {string | number} at @returns {string} "5 minutes ago", "in 2 hours"; "just now" under a minute */
export function formatAge(at) {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000;
  for (const [size, unit] of UNITS) {
    if (Math.abs(seconds) >= size) {
      const format = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
      return format.format(Math.trunc(seconds / size), unit);
    }
  }
  return t("day.now");
}
