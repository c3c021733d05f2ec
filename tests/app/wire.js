// What tests of the wire format need of the app's modules, as plain values: bytes are hex, refusals null.
async (base) => {
  const load = (name) => import(`${base}offline/${name}.js`);
  const [cbor, chain, cose, effects, frames, messages, p256, payee, payer, phones, trust, uploads] = await Promise.all(
    ["cbor", "chain", "cose", "effects", "frames", "messages", "p256", "payee", "payer", "phones", "trust", "uploads"].map(load),
  );
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hexOf = (data) => Array.from(data, (one) => one.toString(16).padStart(2, "0")).join("");
  const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const camel = (name) => name.replace(/_[a-z]/g, (pair) => pair[1].toUpperCase());

  /** As vectors.json writes values: records as their members in order. */
  function plain(value) {
    if (value instanceof Uint8Array) return { hex: hexOf(value) };
    if (Array.isArray(value)) return value.map(plain);
    if (value instanceof Map) return { map: [...value].map(([key, item]) => [key, plain(item)]) };
    if (typeof value !== "object") return value;
    return value.raw ? plain(value.raw) : Object.values(value).map(plain);
  }

  function fancy(value) {
    if (Array.isArray(value)) return value.map(fancy);
    if (typeof value !== "object") return value;
    return value.map ? new Map(value.map.map(([key, item]) => [key, fancy(item)])) : bytes(value.hex);
  }

  /** As traces.json writes states, events and effects, and back. */
  function named(value) {
    if (value instanceof Uint8Array) return { hex: hexOf(value) };
    if (Array.isArray(value)) return value.map(named);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) =>
        name === "type" ? ["is", item[0].toUpperCase() + item.slice(1)] : [snake(name), named(item)],
      ),
    );
  }

  function unnamed(value) {
    if (Array.isArray(value)) return value.map(unnamed);
    if (value === null || typeof value !== "object") return value;
    if ("hex" in value) return bytes(value.hex);
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) =>
        name === "is" ? ["type", item[0].toLowerCase() + item.slice(1)] : [camel(name), unnamed(item)],
      ),
    );
  }

  /** What `act` gives, or null when it is refused as malformed; any other failure is the test's. */
  async function unless(act) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof cbor.Malformed && error.reason) return null;
      throw error;
    }
  }

  const SEALED = ["raw", "kind", "kid", "signature", "signed", "hash"];
  /** All that is said of a message, whose signature is checked under `key` or the key in its pass. */
  const told = (raw, key) =>
    unless(async () => {
      const message = await messages.read(bytes(raw));
      const signer = key ? bytes(key) : (message.payer ?? message.payee)?.key;
      const own = Object.entries(message).filter(([name]) => !SEALED.includes(name));
      return {
        kind: message.kind,
        hash: hexOf(message.hash),
        signed: hexOf(message.signed),
        payload: hexOf(cbor.encode(await messages.payloadOf(message.kind, message))),
        fields: Object.fromEntries(own.map(([name, value]) => [snake(name), plain(value)])),
        verified: signer ? await cose.isSignedBy(message, signer) : null,
      };
    });

  /** What is said of a chain, as vectors.json says it. */
  const linked = ({ pay, sources, hops }) => ({
    pay: hexOf(pay.raw),
    received: sources.map((link) => hexOf(chain.bundleOf(link))),
    hops,
    covered: chain.coverOf(pay.payer, sources),
    links: chain.linksOf(sources).map((link) => hexOf(link.pay.hash)),
    data: hexOf(chain.withSources(pay.raw, sources)),
  });

  globalThis.wire = {
    /** What chains read as; null for a refusal. */
    chains: (all) => Promise.all(all.map((hex) => unless(async () => linked(await chain.readChain(bytes(hex)))))),
    /** What is handed in of these chains, `most` items at once: the PAYs of each upload. */
    async uploads(all, most) {
      const itemsOf = (hex) => effects.itemsOf({ invite: cbor.NONE, pay: bytes(hex), receipt: cbor.NONE, void: cbor.NONE });
      const items = (await Promise.all(all.map(itemsOf))).flat();
      return (await uploads.uploadsOf(uploads.once(items), most)).map((some) => some.map(({ pay }) => hexOf(pay)));
    },
    /** A PAY as it travels with these payments, which its payer received. */
    chained: (pay, received) =>
      unless(async () => hexOf(chain.withSources(bytes(pay), await Promise.all(received.map((hex) => chain.readLink(bytes(hex))))))),
    told: (all) => Promise.all(all.map(([raw, key]) => told(raw, key))),
    decoded: (all) => Promise.all(all.map((hex) => unless(() => plain(cbor.decode(bytes(hex)))))),
    encoded: (all) => all.map((value) => hexOf(cbor.encode(fancy(value)))),
    commitments: (all) => Promise.all(all.map(async ({ salt, phone }) => hexOf(await phones.commitment(bytes(salt), phone)))),
    textsOf: (hex) => unless(() => frames.textsOf(bytes(hex))),
    bytesOf: (all) => Promise.all(all.map((text) => unless(() => hexOf(frames.bytesOf(text))))),
    /** What a collector says to one text after the other; "refused" for a refusal. */
    async collected(texts) {
      const collector = new frames.Collector();
      const said = [];
      for (const text of texts) {
        const whole = await collector.add(text).catch((error) => {
          if (!(error instanceof cbor.Malformed)) throw error;
          return "refused";
        });
        said.push(whole instanceof Uint8Array ? hexOf(whole) : whole);
      }
      return said;
    },
    /** A key that stays here, as its public half. */
    async makeKey(name) {
      this.signers = this.signers ?? {};
      this.signers[name] = await p256.signerOf(await p256.makePair());
      return hexOf(this.signers[name].public);
    },
    /** A message signed here; its fields as vectors.json writes them. */
    async sealed(kind, fields, name) {
      const members = Object.fromEntries(Object.entries(fields).map(([key, value]) => [camel(key), fancy(value)]));
      for (const key of ["payer", "payee"]) if (members[key]) members[key] = await messages.parse("pass", members[key]);
      return unless(async () => hexOf(await messages.seal(kind, members, this.signers[name])));
    },
    /**
     * What a machine says to one event after the other: its effects, and what members of its state changed; null: it was
     * out of turn. It starts again with what it stored last.
     */
    async walked(machine, first, events) {
      const { step } = { payer, payee }[machine];
      let state = unnamed(first);
      let stored = state;
      const said = [];
      for (const event of events.map(unnamed)) {
        const made = await step(event.type === "restarted" ? stored : state, event).catch((error) => {
          if (!(error instanceof effects.OutOfTurn)) throw error;
        });
        const changed = made && Object.entries(made[0]).filter(([name, value]) => value !== state[name]);
        said.push(made ? { changed: Object.fromEntries(changed), effects: made[1] } : null);
        if (!made) continue;
        state = made[0];
        if (made[1].includes(effects.STORE)) stored = state;
      }
      return said.map(named);
    },
    /** What trust in `keys` says to all `others` learnt at once, and of which serial it then is. */
    async learnt(root, keys, others) {
      const all = await Promise.all([keys, ...others].map((raw) => messages.parse("keys", bytes(raw))));
      const held = await trust.Trust.begin(bytes(root), all.shift());
      return [await Promise.all(all.map((one) => held.learn(one))), held.serial];
    },
    async trusts(root, keys, raws) {
      const held = await unless(async () => trust.Trust.begin(bytes(root), await messages.parse("keys", bytes(keys))));
      if (!held) return null;
      const of = async (raw) => {
        const message = await messages.read(bytes(raw));
        return ["pass", "revocations"].includes(message.kind) ? held.hasIssued(message) : held.holds(message);
      };
      return Promise.all(raws.map(of));
    },
  };
}
