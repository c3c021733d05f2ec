// What the server knows of the person's access: shared by the screens about security.
import { get, post } from "./api.js";
import { createPasskey } from "./passkeys.js";
import { createResource } from "./resource.js";
import { strongly } from "./step-up.js";

/** @typedef {{ id: string, name: string, created_at: string, last_used_at: string | null,
 *   synced: boolean }} Passkey */
/** @typedef {{ totp: boolean, sms: boolean, recovery_codes_left: number, passkeys: Passkey[] }} Factors */
/** @typedef {{ id: string, current: boolean, device: string, address: string | null,
 *   place: string | null, method: string, created_at: string, last_seen_at: string }} Session */

/** @type {import("./resource.js").Resource<Factors>} */
export const factors = createResource("factors", () => get("/v1/me/second-factors"));

/** @type {import("./resource.js").Resource<Session[]>} */
export const sessions = createResource("sessions", async () => (await get("/v1/me/sessions")).items);

/** @typedef {{ provider: string, name: string }} Provider */
/** @typedef {Provider & { linked_at: string, last_used_at: string | null }} Linked */
/** @typedef {{ offered: Provider[], linked: Linked[] }} Identities */

/** @type {import("./resource.js").Resource<Identities>} */
export const identities = createResource("identities", async () => {
  const [offered, linked] = await Promise.all([get("/v1/auth/oidc"), get("/v1/me/identities")]);
  return { offered: offered.items, linked: linked.items };
});

/** @param {string} name @returns {Promise<Passkey>} the new one; throws Problem */
export async function addPasskey(name) {
  const { public_key } = await strongly(() => post("/v1/me/passkeys/options"));
  const credential = await createPasskey(public_key);
  const added = await post("/v1/me/passkeys", { name, credential });
  await factors.refresh();
  return added;
}

/** @returns {string} this device in a word or two, to name a passkey after */
export function deviceName() {
  const agent = navigator.userAgent;
  const known = /iPhone|iPad|Android|Macintosh|Windows|CrOS|Linux/.exec(agent)?.[0] ?? "";
  const names = /** @type {Record<string, string>} */ ({
    Macintosh: "Mac",
    CrOS: "Chromebook",
  });
  return names[known] ?? known;
}
