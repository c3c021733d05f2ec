// Every screen of the app and its address. A screen loads when it is first visited.

/** @typedef {import("./core/router.js").Route} Route */
/** @typedef {Pick<Route, "areas" | "styles" | "tab">} Needs */

/** @type {Needs} */
const ACCOUNT = { areas: ["account"], styles: ["account"] };
/** @type {Needs} */
const YOU = { ...ACCOUNT, tab: "you" };

/** @type {Omit<Route, "path" | "load" | "who">} */
const MONEY = { areas: ["money"], styles: ["money"] };
/** @type {Omit<Route, "path" | "load">} */
const OFFLINE = { who: "in", areas: ["money", "offline"], styles: ["money", "offline"], tab: "home" };

/** @type {Route[]} */
export const routes = [
  // Signed out. Opening a wallet goes on after one is signed in.
  { path: "/", who: "out", styles: ["landing"], load: () => import("./screens/landing.js") },
  { path: "/welcome", who: "any", focused: true, ...ACCOUNT, load: () => import("./screens/sign-up.js") },
  { path: "/sign-in", who: "out", ...ACCOUNT, load: () => import("./screens/sign-in.js") },
  { path: "/recover", who: "out", ...ACCOUNT, load: () => import("./screens/recover.js") },
  { path: "/recovery/cancel", who: "any", focused: true, ...ACCOUNT, load: () => import("./screens/recovery-cancel.js") },

  // The person and their device.
  { path: "/you", who: "in", ...YOU, load: () => import("./screens/you.js") },
  { path: "/profile", who: "in", ...YOU, load: () => import("./screens/profile.js") },
  { path: "/profile/number", who: "in", ...YOU, load: () => import("./screens/number.js") },
  { path: "/security", who: "in", ...YOU, load: () => import("./screens/security.js") },
  { path: "/security/pin", who: "in", ...YOU, load: () => import("./screens/security-pin.js") },
  { path: "/security/password", who: "in", ...YOU, load: () => import("./screens/security-password.js") },
  { path: "/security/passkeys", who: "in", ...YOU, load: () => import("./screens/security-passkeys.js") },
  { path: "/security/authenticator", who: "in", ...YOU, load: () => import("./screens/security-authenticator.js") },
  { path: "/security/accounts", who: "in", ...YOU, load: () => import("./screens/security-accounts.js") },
  { path: "/security/devices", who: "in", ...YOU, load: () => import("./screens/security-devices.js") },
  { path: "/security/events", who: "in", ...YOU, load: () => import("./screens/security-events.js") },
  { path: "/settings", who: "any", ...YOU, load: () => import("./screens/settings.js") },
  { path: "/help", who: "any", ...YOU, areas: ["help"], load: () => import("./screens/help.js") },
  { path: "/dev", who: "any", ...ACCOUNT, areas: ["account", "dev"], load: () => import("./screens/dev.js") },

  // Money.
  { path: "/", who: "in", ...MONEY, tab: "home", load: () => import("./screens/home.js") },
  { path: "/pay", who: "in", ...MONEY, tab: "pay", focused: true, load: () => import("./screens/pay.js") },
  { path: "/receive", who: "in", ...MONEY, tab: "receive", load: () => import("./screens/receive.js") },
  { path: "/topup", who: "in", ...MONEY, tab: "home", focused: true, load: () => import("./screens/topup.js") },
  { path: "/history", who: "in", ...MONEY, tab: "history", load: () => import("./screens/history.js") },
  { path: "/payments/:id", who: "in", ...MONEY, tab: "history", load: () => import("./screens/payment.js") },
  { path: "/contacts", who: "in", ...MONEY, tab: "pay", load: () => import("./screens/contacts.js") },
  { path: "/notices", who: "in", ...MONEY, tab: "home", load: () => import("./screens/notices.js") },

  // Money without a network.
  { path: "/offline", ...OFFLINE, load: () => import("./screens/offline/overview.js") },
  { path: "/offline/ready", ...OFFLINE, focused: true, load: () => import("./screens/offline/ready.js") },
  { path: "/offline/return/:id", ...OFFLINE, focused: true, load: () => import("./screens/offline/give-back.js") },
  { path: "/offline/pay", ...OFFLINE, focused: true, load: () => import("./screens/offline/pay.js") },
  { path: "/offline/receive", ...OFFLINE, focused: true, load: () => import("./screens/offline/receive.js") },
  { path: "/offline/with/:id", ...OFFLINE, focused: true, load: () => import("./screens/offline/with.js") },
  { path: "/nearby", ...OFFLINE, focused: true, load: () => import("./screens/offline/nearby.js") },
  { path: "/offline/devices", ...OFFLINE, load: () => import("./screens/offline/devices.js") },

  { path: "/not-found", who: "any", load: () => import("./screens/not-found.js") },
];
