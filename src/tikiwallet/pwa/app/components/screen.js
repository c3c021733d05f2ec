// A screen: its bar with the one heading, its content, and the button that ends it.
import { t } from "../core/i18n.js";
import { goBack } from "../core/router.js";
import { classes, html, useEffect, useRef } from "../core/ui.js";
import { IconButton } from "./controls.js";

/** @typedef {import("../core/ui.js").Children} Children */

let first = true;

/**
 * @param {object} props
 * @param {string} props.title also the page's title; focus goes to it when the screen is entered
 * @param {string | (() => void)} [props.back] where "back" leads when there is no page before, or what it does
 * @param {Children} [props.actions] icon buttons at the end of the bar
 * @param {Children} [props.end] stays at the lower edge: the button that goes on
 * @param {boolean} [props.wide]
 * @param {boolean} [props.bare] no bar is shown; the heading is there for screen readers
 * @param {Children} props.children
 */
export function Screen({ title, back, actions, end, wide = false, bare = false, children }) {
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => {
    document.title = `${title} · TikiWallet`;
  }, [title]);
  useEffect(() => {
    // Not on the first page: there the reader begins at the top anyway.
    if (!first && !document.activeElement?.closest("main")) heading.current?.focus();
    first = false;
  }, []);
  return html`<main class=${classes("screen", wide && "screen-wide")} id="main">
    ${bare
      ? html`<h1 class="unseen" tabindex="-1" ref=${heading}>${title}</h1>`
      : html`<header class="screen-bar">
          ${back &&
          html`<${IconButton}
            icon="back"
            label=${t("do.back")}
            onClick=${() => (typeof back === "string" ? goBack(back) : back())}
          />`}
          <h1 tabindex="-1" ref=${heading}>${title}</h1>
          ${actions}
        </header>`}
    ${children} ${end && html`<div class="screen-end">${end}</div>`}
  </main>`;
}
