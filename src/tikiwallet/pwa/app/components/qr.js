// QR codes as one SVG path. The encoder loads with the first code that is shown.
import { html, useEffect, useState } from "../core/ui.js";
import { Skeleton } from "./feedback.js";

const TURN_MS = 500; // a camera looks at each code more than once

/** @typedef {{ size: number, path: string }} Drawn */

/** @param {string} text @param {"L" | "M"} ecc @returns {Promise<Drawn>} */
async function draw(text, ecc) {
  const { encode } = await import("../vendor/qr.js");
  const { data, size } = encode(text, { ecc, border: 0 });
  let path = "";
  data.forEach((row, y) => {
    for (let x = 0; x < size; x++) {
      let run = 0;
      while (row[x + run]) run += 1;
      if (run) path += `M${x} ${y}h${run}v1h-${run}z`;
      x += run;
    }
  });
  return { size, path };
}

/**
 * @param {{ text: string | string[], label: string, ecc?: "L" | "M" }} props of several texts each in turn. `label` says
 *   what it leads to; the text is offered beside it. `ecc`: how much of it may be dirty; what is only ever on a screen
 *   can be larger instead
 */
export function QR({ text, label, ecc = "M" }) {
  const texts = [text].flat();
  const [turn, setTurn] = useState(0);
  const [drawn, setDrawn] = useState(/** @type {Drawn | null} */ (null));
  useEffect(() => {
    if (texts.length < 2) return;
    const timer = setInterval(() => setTurn((last) => last + 1), TURN_MS);
    return () => clearInterval(timer);
  }, [texts.length]);
  const shown = /** @type {string} */ (texts[turn % texts.length]);
  useEffect(() => {
    let current = true;
    void draw(shown, ecc).then((done) => current && setDrawn(done));
    return () => {
      current = false;
    };
  }, [shown, ecc]);
  if (!drawn) return html`<div class="qr"><${Skeleton} height="100%" /></div>`;
  return html`<svg
    class="qr"
    viewBox=${`0 0 ${drawn.size} ${drawn.size}`}
    role="img"
    aria-label=${label}
    shape-rendering="crispEdges"
  >
    <path fill="currentColor" d=${drawn.path} />
  </svg>`;
}
