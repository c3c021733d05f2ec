// What a screen says about itself: loading, empty, wrong, old, offline.
import { reachable } from "../core/api.js";
import { formatAge } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { wordsOf } from "../core/problems.js";
import { classes, html } from "../core/ui.js";
import { Button } from "./controls.js";
import { Icon } from "./icons.js";

/** @typedef {import("../core/ui.js").Children} Children */
/** @typedef {import("./icons.js").IconName} IconName */

const NOTICE_ICONS = /** @type {const} */ ({ info: "info", warn: "alert", error: "wrong" });

/**
 * Words to heed, inside a screen. `live`: read out when it appears.
 * @param {{ kind?: "info" | "warn" | "error", title?: string, live?: boolean, icon?: IconName,
 *   children?: Children }} props
 */
export const Notice = ({ kind = "info", title, live = false, icon, children }) => html`<div
  class=${classes("notice", kind !== "info" && `notice-${kind}`)}
  role=${live ? "alert" : undefined}
>
  <${Icon} name=${icon ?? NOTICE_ICONS[kind]} />
  <div class="notice-words">${title && html`<strong>${title}</strong>`}${children}</div>
</div>`;

/** @param {{ icon: IconName, title: string, children?: Children, action?: Children }} props */
export const EmptyState = ({ icon, title, children, action }) => html`<div class="state">
  <div class="state-picture"><${Icon} name=${icon} /></div>
  <h2>${title}</h2>
  ${children && html`<p>${children}</p>`} ${action}
</div>`;

/**
 * Nothing could be shown; `retry` tries again.
 * @param {{ problem: import("../core/problems.js").Problem, retry?: () => void, busy?: boolean }} props
 */
export const ErrorState = ({ problem, retry, busy = false }) => html`<div
  class="state state-bad"
  role="alert"
>
  <div class="state-picture">
    <${Icon} name=${problem.code === "offline" ? "offline" : "alert"} />
  </div>
  <h2>${t(problem.code === "offline" ? "error.offline.title" : "error.title")}</h2>
  <p>${wordsOf(problem)}</p>
  ${retry &&
  html`<${Button} variant="secondary" icon="refresh" busy=${busy} onClick=${retry}>${t("do.retry")}<//>`}
</div>`;

/**
 * A place where something will be. Sizes are in `em`, so it stands in for text exactly.
 * @param {{ width?: string, height?: string, circle?: boolean }} props
 */
export const Skeleton = ({ width = "100%", height = "1em", circle = false }) => html`<span
  class=${classes("skeleton", circle && "skeleton-circle")}
  style=${circle ? {} : { inlineSize: width, blockSize: height }}
  aria-hidden="true"
/>`;

/** @param {{ rows?: number }} props a list that loads; said once to screen readers */
export const SkeletonList = ({ rows = 4 }) => html`<div class="list" role="status">
  <span class="unseen">${t("loading")}</span>
  ${Array.from(
    { length: rows },
    (_, i) => html`<div class="item" key=${i}>
      <${Skeleton} circle />
      <div class="item-words stack stack-s">
        <${Skeleton} width=${`${58 - ((i * 17) % 30)}%`} />
        <${Skeleton} width=${`${34 - ((i * 11) % 14)}%`} height="0.8em" />
      </div>
    </div>`,
  )}
</div>`;

/** @param {{ at: number | undefined, problem?: unknown }} props how old what is shown is, if it is old */
export const Age = ({ at, problem = null }) =>
  at !== undefined && (problem || Date.now() - at > 90_000)
    ? html`<p class="age">${t("age", { age: formatAge(at) })}</p>`
    : null;

/** Stands above every screen while the service cannot be reached. */
export const OfflineBanner = () =>
  reachable.value
    ? null
    : html`<div class="banner" role="status">
        <${Icon} name="offline" /><span>${t("offline.banner")}</span>
      </div>`;

/**
 * Data that loads, is old, is missing or is there: `children` draws it once there is some.
 * @template T
 * @param {{ of: import("../core/resource.js").Resource<T>, wait?: Children,
 *   children: (data: T) => Children }} props
 */
export function Loaded({ of, wait, children }) {
  const data = of.data.value;
  const problem = of.problem.value;
  if (data !== undefined) {
    return html`<${Age} at=${of.at.value} problem=${problem} />${children(data)}`;
  }
  if (problem) {
    const retry = () => void of.refresh();
    return html`<${ErrorState} problem=${problem} retry=${retry} busy=${of.loading.value} />`;
  }
  return wait ?? html`<${SkeletonList} />`;
}
