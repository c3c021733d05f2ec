// Passkeys: the browser's own dialogue, loaded when first used.
import { Problem } from "./problems.js";

export const havePasskeys = () => typeof globalThis.PublicKeyCredential === "function";

/** @typedef {typeof import("../vendor/passkeys.js")} Library */

/** @template T @param {(library: Library) => Promise<T>} act @returns {Promise<T>} */
async function using(act) {
  const library = await import("../vendor/passkeys.js");
  try {
    return await act(library);
  } catch (error) {
    const { name = "", code = "" } = /** @type {{ name?: string, code?: string }} */ (error);
    if (name === "AbortError" || code === "ERROR_CEREMONY_ABORTED") {
      throw new Problem("passkey_cancelled");
    }
    if (name === "InvalidStateError" || code === "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED") {
      throw new Problem("passkey_known");
    }
    if (name === "NotAllowedError") throw new Problem("passkey_cancelled");
    throw new Problem("passkey_failed", { detail: String(error) });
  }
}

/**
 * @param {any} options the server's `public_key` @returns {Promise<object>} the new credential; where the device can,
 *   it makes keys as well (PRF), which offline money is locked with
 */
export const createPasskey = (options) =>
  using((library) => library.startRegistration({ optionsJSON: { ...options, extensions: { ...options.extensions, prf: {} } } }));

/** @param {any} options the server's `public_key` @returns {Promise<object>} the signed answer */
export const askPasskey = (options) =>
  using((library) => library.startAuthentication({ optionsJSON: options }));
