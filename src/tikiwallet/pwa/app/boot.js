// Runs before the first paint, so that neither theme nor direction flashes: a classic script,
// because modules wait for the whole page. What it reads is written by core/preferences.js.
(() => {
  const root = document.documentElement;
  const read = (/** @type {string} */ name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage refused: the system's theme and language hold
    }
  };

  const theme = read("tw.theme");
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "dark" : "light";

  const offered = (root.dataset.languages ?? "en").split(" ");
  const wanted = [read("tw.language"), ...navigator.languages].map((tag) => tag?.split("-")[0]);
  const language = wanted.find((tag) => tag && offered.includes(tag)) ?? "en";
  root.lang = language;
  root.dir = language === "ar" ? "rtl" : "ltr";

  // The words and the first screen are known here already; asking now saves a round trip each.
  const base = /** @type {HTMLScriptElement} */ (document.currentScript).src.replace(/boot\.js$/, "");
  const signedIn = document.cookie.includes("tw_csrf=");
  const first = [`strings/${language}/core.js`];
  if (location.pathname === "/") first.push(`screens/${signedIn ? "home" : "landing"}.js`);
  if (location.pathname === "/" && signedIn) {
    const parts = "components/gestures components/movement core/resource money/notices money/people money/wallets money/words";
    first.push(`strings/${language}/money.js`, ...parts.split(" ").map((part) => `${part}.js`));
  }
  for (const path of first) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = base + path;
    document.head.append(link);
  }
})();
