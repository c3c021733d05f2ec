// Copies the app's libraries into the package, with their licences.
//
//   npm ci && npm run vendor
//
// One file per moment at which it is needed, each with only what the app uses of its libraries: on a
// slow link every request costs a round trip, and every kilobyte 20 ms.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const INTO = new URL("../src/tikiwallet/pwa/app/vendor/", import.meta.url);
const FROM = new URL("node_modules/", import.meta.url);

/** What each file of ours exports, and whose it is. @type {Record<string, [string, string[]]>} */
const FILES = {
  "ui.js": [
    `export { Fragment, h, render } from "preact";
     export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState }
       from "preact/hooks";
     export { batch, computed, effect, signal, useComputed, useSignal } from "@preact/signals";
     export { default as htm } from "htm";`,
    ["preact", "@preact/signals", "@preact/signals-core", "htm"],
  ],
  "passkeys.js": [
    `export { startAuthentication, startRegistration } from "@simplewebauthn/browser";`,
    ["@simplewebauthn/browser"],
  ],
  "qr.js": [`export { encode } from "uqr";`, ["uqr"]],
  // Never precached: loads with the first look through the camera, and is kept from then on.
  "lazy/qr-reader.js": [`export { decodeQR } from "qr/decode.js";`, ["qr"]],
};
/** @type {Record<string, string>} */
const LICENCES = { "@simplewebauthn/browser": "LICENSE.md", qr: "LICENSE-MIT" };

/** @type {string[]} */
const rows = [];
for (const [ours, [contents, names]] of Object.entries(FILES)) {
  await build({
    stdin: { contents, resolveDir: new URL(".", import.meta.url).pathname },
    outfile: new URL(ours, INTO).pathname,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
  });
  // The same exports as types, for the checker; it is never served.
  const types = contents.replace(/^ +/gm, "");
  writeFileSync(new URL(ours.replace(".js", ".d.ts"), INTO), `${types}\n`);
  for (const name of names) {
    const folder = new URL(`${name}/`, FROM);
    const about = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
    const kept = `LICENSE.${name.replace("@", "").replace("/", "-")}.md`;
    copyFileSync(new URL(LICENCES[name] ?? "LICENSE", folder), new URL(kept, INTO));
    rows.push(`| \`${ours}\` | ${name} | ${about.version} | ${about.license} (\`${kept}\`) |`);
  }
}

writeFileSync(
  new URL("VENDORED.md", INTO),
  `# Vendored libraries

Written by \`npm run vendor\` in \`web/\`; do not edit by hand. Versions are pinned in \`web/package-lock.json\`.

| file | holds | version | licence |
|---|---|---|---|
${rows.join("\n")}

Icons in \`../components/icons.js\`: paths of Tabler Icons 3 (MIT, Paweł Kuna, \`LICENSE.tabler-icons.md\`).
`,
);
