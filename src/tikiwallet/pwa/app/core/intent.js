// Idempotency keys. A key belongs to what the person means to do, not to a request: it stays the same
// while the same content is sent again, also after a reload, so money never moves twice.

export class Intent {
  /** @param {string} name of the form it belongs to; one intent of a name is kept per tab */
  constructor(name) {
    this.name = `tw.intent.${name}`;
  }

  /**
   * The key for `content`: the same as long as it does not change and `settle` was not called.
   * Leave out what may differ between tries (a PIN, a passkey's answer).
   * @param {unknown} content @returns {string}
   */
  key(content) {
    const text = JSON.stringify(content);
    const kept = JSON.parse(sessionStorage.getItem(this.name) ?? "null");
    if (kept?.text === text) return kept.key;
    const key = crypto.randomUUID();
    sessionStorage.setItem(this.name, JSON.stringify({ key, text }));
    return key;
  }

  /** The outcome is known: what is sent next is meant anew. */
  settle() {
    sessionStorage.removeItem(this.name);
  }
}
