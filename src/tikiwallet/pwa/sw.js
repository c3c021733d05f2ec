// Keeps one version of the app for offline starts. What the server says (money, people) is never kept
// here: the app keeps what it showed last in IndexedDB, with its age.

const VERSION = "__VERSION__";
const CACHE = `tw-${VERSION}`;
const FILES = ["__PRECACHE__"];

// Loaded and kept when first used: words of other languages, what is heavy, icons for the phone's own
// screen.
const LATER = /^\/app\/[^/]+\/(strings|vendor\/lazy|icons)\//;
// First segments that are the server's own (web/pages.py); `/dev` alone is a screen.
const SERVER = new Set("v1 docs problems healthz readyz metrics openapi.json app".split(" "));

self.addEventListener("install", (event) => {
  const wanted = FILES.filter((url) => !LATER.test(url));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(wanted)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(tidy().then(() => self.clients.claim()));
});

self.addEventListener("message", (event) => {
  if (event.data === "start") self.skipWaiting();
  if (event.data?.keep) event.waitUntil(keep(event.data.keep));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (isScreen(url.pathname)) event.respondWith(fromCache("/", request));
  } else if (url.pathname.startsWith("/app/") || url.pathname === "/manifest.webmanifest") {
    event.respondWith(fromCache(request, request));
  }
});

/** Whether the address is a screen of the app. */
function isScreen(path) {
  const words = path.split("/").filter(Boolean);
  const last = words.at(-1) ?? "";
  if (SERVER.has(words[0]) || (words[0] === "dev" && words.length > 1)) return false;
  return !last.includes(".") || last.startsWith("@");
}

/** What is kept under `key`, this version's first; else the network's answer, kept if it may be. */
async function fromCache(key, request) {
  const cache = await caches.open(CACHE);
  const kept = (await cache.match(key)) ?? (await caches.match(key));
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok && new URL(request.url).pathname.startsWith(`/app/${VERSION}/`)) {
    await cache.put(request, answer.clone());
  }
  return answer;
}

/** Files that the page loaded before this worker was there. */
async function keep(urls) {
  const cache = await caches.open(CACHE);
  const missing = [];
  for (const url of urls) if (!(await cache.match(url))) missing.push(url);
  await cache.addAll(missing);
}

/** Of older versions the newest stays: a tab that still shows it loads its screens from there. */
async function tidy() {
  const names = (await caches.keys()).filter((name) => name.startsWith("tw-") && name !== CACHE);
  await Promise.all(names.slice(0, -1).map((name) => caches.delete(name)));
}
