// Sensitive changes, and a copy of one's data, need a recent strong confirmation. `strongly` asks for
// one when the server does, and then goes on.
import { loadArea } from "./i18n.js";
import { Problem } from "./problems.js";
import { signal } from "./ui.js";

/** @typedef {{ Sheet: (props: { done: () => void, cancel: () => void }) => any,
 *   done: () => void, cancel: () => void }} Asked */

/** The question that is open; the frame draws it. */
export const asked = signal(/** @type {Asked | null} */ (null));

/** @returns {Promise<void>} resolves once confirmed; throws Problem `cancelled` */
async function ask() {
  const [{ StepUpSheet }] = await Promise.all([
    import("../components/step-up.js"),
    loadArea("account"),
  ]);
  try {
    await /** @type {Promise<void>} */ (
      new Promise((done, cancel) => {
        asked.value = { Sheet: StepUpSheet, done, cancel: () => cancel(new Problem("cancelled")) };
      })
    );
  } finally {
    asked.value = null;
  }
}

/** @template T @param {() => Promise<T>} act may be called twice @returns {Promise<T>} */
export async function strongly(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "reauthentication_required") throw error;
  }
  await ask();
  return act();
}
