// What stands around every screen: navigation, banners, messages, the notice of a newer version.
import { t } from "../core/i18n.js";
import { moving, shown, stuck } from "../core/router.js";
import { signedIn } from "../core/session.js";
import { asked } from "../core/step-up.js";
import { dismiss, toasts } from "../core/toasts.js";
import { applyUpdate, waiting } from "../core/updates.js";
import { classes, html, useEffect, useRef } from "../core/ui.js";
import { Button, IconButton } from "./controls.js";
import { Brand } from "./display.js";
import { EmptyState, OfflineBanner } from "./feedback.js";
import { Icon } from "./icons.js";

const TABS = /** @type {const} */ ([
  { tab: "home", href: "/", icon: "home" },
  { tab: "history", href: "/history", icon: "history" },
  { tab: "pay", href: "/pay", icon: "pay" },
  { tab: "receive", href: "/receive", icon: "receive" },
  { tab: "you", href: "/you", icon: "you" },
]);

/** @param {{ lit: string | undefined }} props */
const Navigation = ({ lit }) => html`<nav class="nav" aria-label=${t("nav.label")}>
  <div class="nav-brand"><${Brand} /></div>
  <ul>
    ${TABS.map(
      ({ tab, href, icon }) => html`<li key=${tab} class=${tab === "pay" ? "nav-pay" : ""}>
        <a href=${href} aria-current=${tab === lit ? "page" : undefined}>
          <${Icon} name=${icon} /><span>${t(`nav.${tab}`)}</span>
        </a>
      </li>`,
    )}
  </ul>
</nav>`;

function Toasts() {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const some = toasts.value;
  useEffect(() => {
    // Shown anew each time, so that it lies above a sheet that was opened since.
    if (!box.current?.showPopover) return;
    if (box.current.matches(":popover-open")) box.current.hidePopover();
    if (some.length) box.current.showPopover();
  }, [some]);
  return html`<div class="toasts" role="status" popover="manual" ref=${box}>
    ${some.map(
      ({ id, text, kind, action }) => html`<div class="toast" key=${id}>
        <${Icon} name=${kind === "error" ? "wrong" : kind === "info" ? "info" : "check"} />
        <span class="toast-words">${text}</span>
        ${action &&
        html`<${Button}
          variant="quiet"
          small
          onClick=${() => {
            dismiss(id);
            action.run();
          }}
          >${action.label}<//
        >`}
        <${IconButton} icon="close" label=${t("do.close")} onClick=${() => dismiss(id)} />
      </div>`,
    )}
  </div>`;
}

const UpdateBanner = () =>
  waiting.value &&
  html`<div class="banner" role="status">
    <span>${t("update.ready")}</span>
    <${Button} variant="gold" small onClick=${applyUpdate}>${t("update.apply")}<//>
  </div>`;

/** The screen itself failed to load: the network, or this version is gone from the server. */
const Stuck = () => html`<main class="screen" id="main">
  <${EmptyState}
    icon="offline"
    title=${t("stuck.title")}
    action=${html`<${Button} icon="refresh" onClick=${() => location.reload()}>${t("do.retry")}<//>`}
    >${t("stuck.text")}<//
  >
</main>`;

/** The whole app. */
export function Frame() {
  const question = asked.value;
  const here = shown.value;
  const around = Boolean(here && signedIn.value && here.route.who !== "out" && !here.route.focused);
  return html`<a class="button skip" href="#main">${t("skip")}</a>
    ${moving.value && html`<div class="progress" />`}
    <div class=${classes("frame", around && "frame-with-nav")}>
      <div class="frame-main">
        <${OfflineBanner} /><${UpdateBanner} />
        ${stuck.value
          ? html`<${Stuck} />`
          : here &&
            html`<${here.Screen} key=${here.path} params=${here.params} query=${here.query} />`}
      </div>
      ${around && html`<${Navigation} lit=${here?.route.tab} />`}
    </div>
    ${question && html`<${question.Sheet} done=${question.done} cancel=${question.cancel} />`}
    <${Toasts} />`;
}
