// Reading a QR code: by the camera, from a picture, or from what was pasted.
import { Button } from "../../components/controls.js";
import { Field } from "../../components/fields.js";
import { Notice } from "../../components/feedback.js";
import { Icon } from "../../components/icons.js";
import { Sheet } from "../../components/sheet.js";
import { t } from "../../core/i18n.js";
import { html, useEffect, useRef, useState } from "../../core/ui.js";

const EVERY = 140; // ms between looks: fast enough for a hand, light enough for a phone
const LONGEST = 960; // px of a picture's longer side; more only costs time

/** @returns {Promise<(image: ImageData) => string | null>} the reader, loaded when it is first used */
async function loadReader() {
  const { decodeQR } = await import("../../vendor/lazy/qr-reader.js");
  return (image) => {
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
 * @param {{ onFound: (text: string) => void, onClose: () => void,
 *   wrong: (text: string) => string | null }} props `wrong` says why a text is of no use here
 */
export function Scanner({ onFound, onClose, wrong }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [problem, setProblem] = useState(/** @type {"refused" | "none" | "busy" | null} */ (null));
  const [ready, setReady] = useState(false);
  const [about, setAbout] = useState(/** @type {string | null} */ (null));
  const [text, setText] = useState("");
  const [textWrong, setTextWrong] = useState(/** @type {string | null} */ (null));

  /** @param {string} found */
  function take(found) {
    const words = wrong(found);
    if (words) setAbout(words);
    else onFound(found);
    return !words;
  }

  useEffect(() => {
    /** @type {MediaStream | undefined} */
    let stream;
    let timer = 0;
    let stopped = false;
    const look = async () => {
      const read = await loadReader();
      const again = () => {
        const screen = video.current;
        if (stopped || !screen) return;
        const image = screen.readyState >= 2 ? pixels(screen, screen.videoWidth, screen.videoHeight) : null;
        const found = image && read(image);
        if (found && take(found)) return;
        timer = setTimeout(again, EVERY);
      };
      again();
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
      const found = image && (await loadReader())(image);
      if (found) take(found);
      else setAbout(t("scan.nothing"));
    } catch {
      setAbout(t("scan.no-picture"));
    }
  }

  /** @param {Event} event */
  function fromText(event) {
    event.preventDefault();
    const words = wrong(text);
    if (words) setTextWrong(words);
    else onFound(text);
  }

  return html`<${Sheet} title=${t("scan.title")} onClose=${onClose}>
    <div class="stack">
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
      <form class="stack stack-s" novalidate onSubmit=${fromText}>
        <${Field}
          label=${t("scan.text")}
          value=${text}
          error=${textWrong ?? undefined}
          autocomplete="off"
          autocapitalize="none"
          spellcheck=${false}
          maxlength="300"
          onInput=${(/** @type {string} */ typed) => {
            setText(typed);
            setTextWrong(null);
          }}
        />
        ${text && html`<${Button} type="submit">${t("do.continue")}<//>`}
      </form>
    </div>
  <//>`;
}
