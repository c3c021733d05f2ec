// A sheet over the screen: the browser's own dialog, so focus stays inside and Escape closes it.
import { t } from "../core/i18n.js";
import { html, useEffect, useId, useRef } from "../core/ui.js";
import { IconButton } from "./controls.js";

/**
 * Drawn only while open: `${open && html`<${Sheet} ...>`}`.
 * @param {{ title: string, onClose: () => void, children?: import("../core/ui.js").Children }} props
 */
export function Sheet({ title, onClose, children }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return html`<dialog
    class="sheet"
    ref=${dialog}
    aria-labelledby=${id}
    onCancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      onClose();
    }}
    onClick=${(/** @type {MouseEvent} */ event) => event.target === dialog.current && onClose()}
  >
    <div class="sheet-inside">
      <header class="sheet-bar">
        <h2 id=${id}>${title}</h2>
        <${IconButton} icon="close" label=${t("do.close")} onClick=${onClose} />
      </header>
      ${children}
    </div>
  </dialog>`;
}
