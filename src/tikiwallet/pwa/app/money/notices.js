// What the service wants the person to know.
import { get, post } from "../core/api.js";
import { createResource } from "../core/resource.js";

/**
 * @typedef {object} Told
 * @property {string} id
 * @property {string} kind
 * @property {string} title
 * @property {string} text
 * @property {string} at
 * @property {boolean} read
 */
/** @typedef {{ items: Told[], next_cursor: string | null, unread: number }} Page */

/** The newest ones. */
export const notices = createResource(
  "notices",
  async () => /** @type {Page} */ (await get("/v1/me/notices")),
);

/** @param {string} cursor @returns {Promise<Page>} */
export const olderNotices = (cursor) => get("/v1/me/notices", { query: { cursor } });

/** Marks all up to the newest as read; what fails is told again next time. */
export async function markRead() {
  const page = notices.data.peek();
  const newest = page?.items[0];
  if (!page || !newest || page.unread === 0) return;
  await post("/v1/me/notices/read", { up_to: newest.id });
  notices.set({ ...page, unread: 0, items: page.items.map((one) => ({ ...one, read: true })) });
}
