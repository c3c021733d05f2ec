// The person's devices for offline money, as the service lists them.
import { get, patch, post } from "../core/api.js";
import { createResource } from "../core/resource.js";
import { strongly } from "../core/step-up.js";

/**
 * @typedef {object} Device
 * @property {string} id
 * @property {string} name
 * @property {"phone" | "terminal"} kind
 * @property {"pin" | "passkey" | "file"} protection
 * @property {number} tier
 * @property {string} created_at
 * @property {string | null} last_sync_at
 * @property {string | null} revoked_at
 * @property {string | null} reason
 */

export const devices = createResource(
  "offline-devices",
  async () => /** @type {Device[]} */ ((await get("/v1/offline/devices")).items),
);

/** @param {Device} fresh */
const replace = (fresh) =>
  devices.set((devices.data.peek() ?? []).map((one) => (one.id === fresh.id ? fresh : one)));

/** @param {string} id @param {string} name throws Problem */
export const renameDevice = async (id, name) => replace(await patch(`/v1/offline/devices/${id}`, { name }));

/** @param {string} id @param {"lost" | "stolen" | "replaced"} reason its passes are revoked; throws Problem */
export const reportDevice = async (id, reason) =>
  replace(await strongly(() => post(`/v1/offline/devices/${id}/revoke`, { reason })));
