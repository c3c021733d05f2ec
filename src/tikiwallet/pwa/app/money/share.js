// Handing something on: by the phone's own sheet where there is one, else by the clipboard.
import { t } from "../core/i18n.js";
import { say } from "../core/toasts.js";

/** @param {{ text: string, url?: string }} what */
export async function share({ text, url }) {
  const data = { title: "TikiWallet", text, ...(url ? { url } : {}) };
  if (navigator.share) {
    try {
      await navigator.share(data);
      return;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return; // closed by the person
    }
  }
  try {
    await navigator.clipboard.writeText(url ? `${text}\n${url}` : text);
    say(t("share.copied"));
  } catch {
    say(t("copy.failed"), { kind: "error" });
  }
}
