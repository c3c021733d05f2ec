// The camera, reading QR codes; where there is none, pictures of codes.
import { t } from "../core/i18n.js";
import { html, useEffect, useRef, useState } from "../core/ui.js";
import { Notice } from "./feedback.js";
import { Icon } from "./icons.js";

const EVERY = 140; // ms between looks: fast enough for a hand, light enough for a phone
const LONGEST = 960; // px of a picture's longer side; more only costs time

/** @typedef {(image: ImageData) => Promise<string | null>} Reader */

/** @returns {Promise<Reader>} the browser's own, else ours, loaded when it is first used */
async function loadReader() {
  const Native = /** @type {any} */ (globalThis).BarcodeDetector;
  if ((await Native?.getSupportedFormats().catch(() => []))?.includes("qr_code")) {
    const detector = new Native({ formats: ["qr_code"] });
    return async (image) => (await detector.detect(image).catch(() => []))[0]?.rawValue || null;
  }
  const { decodeQR } = await import("../vendor/lazy/qr-reader.js");
  return async (image) => {
    try {
      return decodeQR(image) || null;
    } catch {
      return null; // no code in this one
    }
  };
}

/** @param {CanvasImageSource} source @param {number} width @param {number} height @returns {ImageData | null} */
function pixels(source, width, height) {
  const scale = Math.min(1, LONGEST / Math.max(width, height, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context || !canvas.width) return null;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** @param {unknown} error @returns {"refused" | "none" | "busy"} why there is no camera */
function reasonOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "none";
}

/**
 * @param {{ onText: (text: string) => string | null | Promise<string | null> }} props says why a text is of no use
 *   here, or nothing of one that others follow; null ends the looking
 */
export function Camera({ onText }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [problem, setProblem] = useState(/** @type {"refused" | "none" | "busy" | null} */ (null));
  const [ready, setReady] = useState(false);
  const [about, setAbout] = useState(/** @type {string | null} */ (null));
  const take = useRef(onText);
  take.current = onText;

  /** @param {string} found */
  async function isTaken(found) {
    const words = await take.current(found);
    setAbout(words);
    return words === null;
  }

  useEffect(() => {
    /** @type {MediaStream | undefined} */
    let stream;
    let timer = 0;
    let stopped = false;
    const look = async () => {
      const read = await loadReader();
      let useless = "";
      const again = async () => {
        const screen = video.current;
        if (stopped || !screen) return;
        const image = screen.readyState >= 2 ? pixels(screen, screen.videoWidth, screen.videoHeight) : null;
        const found = image && (await read(image));
        if (stopped) return;
        if (found && found !== useless) {
          if (await isTaken(found)) return;
          useless = found;
        }
        timer = setTimeout(again, EVERY);
      };
      void again();
    };
    const begin = async () => {
      try {
        if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
        stream = await navigator.mediaDevices.getUserMedia({
          video: { facingMode: "environment", width: { ideal: 1280 } },
          audio: false,
        });
        if (stopped || !video.current) return stop();
        video.current.srcObject = stream;
        await video.current.play();
        setReady(true);
        await look();
      } catch (error) {
        if (!stopped) setProblem(reasonOf(error));
      }
    };
    const stop = () => {
      stopped = true;
      clearTimeout(timer);
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    void begin();
    return stop;
  }, []);

  /** @param {{ currentTarget: HTMLInputElement }} event */
  async function fromPicture({ currentTarget }) {
    const file = currentTarget.files?.[0];
    currentTarget.value = "";
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      const image = pixels(picture, picture.width, picture.height);
      const found = image && (await (await loadReader())(image));
      if (found) await isTaken(found);
      else setAbout(t("scan.nothing"));
    } catch {
      setAbout(t("scan.no-picture"));
    }
  }

  return html`<div class="stack">
    ${problem
      ? html`<${Notice} kind="warn" icon="camera" live title=${t(`scan.${problem}`)}>${t(`scan.${problem}.text`)}<//>`
      : html`<div class="scan">
          <video ref=${video} playsinline muted aria-label=${t("scan.view")} />
          ${ready ? html`<i class="scan-frame" />` : html`<p>${t("scan.starting")}</p>`}
        </div>`}
    ${about && html`<${Notice} kind="warn" live>${about}<//>`}
    <label class="button button-secondary picture">
      <${Icon} name="photo" /><span>${t("scan.picture")}</span>
      <input class="unseen" type="file" accept="image/*" onChange=${fromPicture} />
    </label>
  </div>`;
}
