// Holds one connection to a terminal nearby: WebTransport, whose certificate the page names by its
// hash. A worker of its own, because its file alone is served with the policy that such a connection
// needs (web/headers.py), and it goes to no address that is not of the local network: whatever ran in
// the page could reach nobody by it.
//
// The page says { open: { host, port, hash } }, { send: { kind, body } } or { end: true }; it is told
// { opened: true }, { frame: { kind, body } }, and once { over: reason }.

const PATH = "/nearby";
const BODY_MOST = 16 * 1024;
const OPEN_MS = 25_000;
// What the terminal says when it breaks a stream off (terminal/webtransport.py).
/** @type {Reason[]} */
const CODES = ["lost", "malformed", "stalled", "busy", "lost"];

/** @typedef {import("./webtransport.js").Frame} Frame */
/** @typedef {import("./webtransport.js").Place} Place */
/** @typedef {import("./webtransport.js").Reason} Reason */

/** @type {WebTransport | undefined} */
let transport;
/** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
let writer;
let over = false;

/** @param {unknown} message */
const tell = (message) => self.postMessage(message);

/** @param {Reason} reason */
function finish(reason) {
  if (over) return;
  over = true;
  tell({ over: reason });
  transport?.close();
}

/** @param {unknown} error @returns {Reason} */
function reasonOf(error) {
  const code = error instanceof WebTransportError ? error.streamErrorCode : null;
  return CODES[code ?? 0] ?? "lost";
}

/** Whether a literal address is one of the local network. @param {string} host */
function isNearby(host) {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(host);
  if (v4) {
    const [first, second] = [Number(v4[1]), Number(v4[2])];
    return (
      first === 10 ||
      first === 127 ||
      (first === 172 && second >= 16 && second <= 31) ||
      (first === 192 && second === 168) ||
      (first === 169 && second === 254)
    );
  }
  return /^\[(::1|f[cd][0-9a-f]{2}:[0-9a-f:]+|fe[89ab][0-9a-f]:[0-9a-f:]+)\]$/.test(host);
}

/** @param {string} text */
function addressOf(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** @param {Place} place */
async function open({ host, port, hash }) {
  const url = addressOf(`https://${host}:${port}${PATH}`);
  // As the browser reads it, not as it was written: 0x7f.1 is an address too.
  if (!url || !isNearby(url.hostname)) return finish("elsewhere");
  if (!("WebTransport" in self)) return finish("unsupported");
  const late = setTimeout(() => finish("unreachable"), OPEN_MS);
  try {
    transport = new WebTransport(url.href, {
      serverCertificateHashes: [{ algorithm: "sha-256", value: hash }],
    });
    transport.closed.catch(() => {});
    await transport.ready;
    transport.closed.then(() => finish("lost"), () => finish("lost"));
    const stream = await transport.createBidirectionalStream();
    writer = stream.writable.getWriter();
    tell({ opened: true });
    void read(stream.readable.getReader());
  } catch {
    finish("unreachable");
  } finally {
    clearTimeout(late);
  }
}

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
async function read(reader) {
  let held = new Uint8Array(0);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return finish(held.length ? "lost" : "ended");
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = cut(joined);
    }
  } catch (error) {
    finish(error instanceof RangeError ? "malformed" : reasonOf(error));
  }
}

/** Hands on whole frames and returns the rest. @param {Uint8Array<ArrayBuffer>} held */
function cut(held) {
  let begin = 0;
  while (held.length - begin >= 4) {
    const length = new DataView(held.buffer, begin).getUint32(0);
    if (length < 1 || length > BODY_MOST + 1) throw new RangeError("a frame out of bounds");
    if (held.length - begin < 4 + length) break;
    const body = held.slice(begin + 5, begin + 4 + length);
    tell({ frame: { kind: held[begin + 4], body } });
    begin += 4 + length;
  }
  return held.slice(begin);
}

/** @param {Frame} frame */
async function send({ kind, body }) {
  const data = new Uint8Array(5 + body.length);
  new DataView(data.buffer).setUint32(0, body.length + 1);
  data[4] = kind;
  data.set(body, 5);
  try {
    await writer?.write(data);
  } catch (error) {
    finish(reasonOf(error));
  }
}

self.addEventListener("message", async ({ data }) => {
  if (data.open) await open(data.open);
  else if (data.send) await send(data.send);
  else if (data.end) await writer?.close().catch(() => {});
});
