// Starts the app: words, session, screens; then what can wait.
import { Frame } from "./components/frame.js";
import { preferredLanguage, setLanguage } from "./core/i18n.js";
import { asProblem } from "./core/problems.js";
import { followPreferences, readNote } from "./core/preferences.js";
import { ownAddress, revisit, startRouter } from "./core/router.js";
import { findSession, loadMe, signedIn } from "./core/session.js";
import { html, render } from "./core/ui.js";
import { startUpdates } from "./core/updates.js";
import { routes } from "./routes.js";

/** @param {import("./core/router.js").Route} route */
const mayShow = ({ who }) => who === "any" || (who === "in") === signedIn.value;

/** @param {string} address asked for by somebody who may not see it */
function otherwise(address) {
  if (signedIn.value) return ownAddress(new URLSearchParams(location.search).get("next"));
  return address === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(address)}`;
}

/** What was signed without a network is handed in as soon as there is one, whatever is on the screen. */
function takeUpOffline() {
  const isUsed = readNote(`offline.${readNote("person")}`) !== null;
  if (isUsed) void import("./offline/meeting.js").then((meeting) => meeting.start()).catch(asProblem);
}

async function start() {
  followPreferences();
  await Promise.all([
    findSession(),
    setLanguage(preferredLanguage()).catch(() => setLanguage("en")),
  ]);
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  await startRouter(routes, mayShow, otherwise);
  root.textContent = "";
  render(html`<${Frame} />`, root);

  let was = signedIn.value;
  signedIn.subscribe((is) => {
    if (is !== was) revisit();
    if (is) takeUpOffline();
    was = is;
  });
  if (was) loadMe().catch(asProblem);
  addEventListener("pageshow", (event) => event.persisted && void findSession());
  await startUpdates();
}

void start();
