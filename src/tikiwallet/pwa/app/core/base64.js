// Bytes as text in JSON: base64url without padding.

/** @param {Uint8Array} data */
export const write64 = (data) =>
  btoa(String.fromCharCode(...data)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @param {string} written @returns {Uint8Array<ArrayBuffer>} */
export const read64 = (written) =>
  Uint8Array.from(atob(written.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
