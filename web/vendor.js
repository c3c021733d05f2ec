// Copies the app's libraries out of node_modules into the package, with their licences.
//
//   npm ci && npm run vendor
//
// The files are the authors' own builds. Two things change: a bare name in an import becomes a
// path, because browsers know no bare names without an (inline) import map, and the line that
// points to a source map goes.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const INTO = new URL("../src/tikiwallet/pwa/app/vendor/", import.meta.url);
const FROM = new URL("node_modules/", import.meta.url);

/** @type {[string, string, string, string][]} package, build, our file, licence */
const FILES = [
  ["preact", "dist/preact.mjs", "preact.js", "LICENSE"],
  ["preact", "hooks/dist/hooks.mjs", "preact-hooks.js", "LICENSE"],
  ["htm", "dist/htm.module.js", "htm.js", "LICENSE"],
  ["@preact/signals-core", "dist/signals-core.module.js", "signals-core.js", "LICENSE"],
  ["@preact/signals", "dist/signals.module.js", "signals.js", "LICENSE"],
  ["@simplewebauthn/browser", "dist/bundle/index.umd.min.js", "simplewebauthn.js", "LICENSE.md"],
  ["uqr", "dist/index.mjs", "uqr.js", "LICENSE"],
  // Reads QR codes from the camera; never precached, kept once it was used.
  ["qr", "decode.js", "lazy/qr-decode.js", "LICENSE-MIT"],
  ["qr", "index.js", "lazy/qr-codes.js", "LICENSE-MIT"],
];
const PATHS = {
  preact: "./preact.js",
  "preact/hooks": "./preact-hooks.js",
  "@preact/signals-core": "./signals-core.js",
  "./index.js": "./qr-codes.js",
};

mkdirSync(new URL("lazy/", INTO), { recursive: true });
const rows = FILES.map(([name, build, ours, licence]) => {
  let text = readFileSync(new URL(`${name}/${build}`, FROM), "utf8");
  for (const [bare, path] of Object.entries(PATHS)) {
    text = text.replaceAll(`from"${bare}"`, `from"${path}"`);
    text = text.replaceAll(`from '${bare}'`, `from "${path}"`);
  }
  text = text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
  writeFileSync(new URL(ours, INTO), text);
  const about = JSON.parse(readFileSync(new URL(`${name}/package.json`, FROM), "utf8"));
  const kept = `LICENSE.${name.replace("@", "").replace("/", "-")}.md`;
  writeFileSync(new URL(kept, INTO), readFileSync(new URL(`${name}/${licence}`, FROM), "utf8"));
  return `| \`${ours}\` | ${name} | ${about.version} | ${about.license} (\`${kept}\`) | \`${build}\` |`;
});

writeFileSync(
  new URL("VENDORED.md", INTO),
  `# Vendored libraries

Written by \`npm run vendor\` in \`web/\`; do not edit by hand.

| file | library | version | licence | build |
|---|---|---|---|---|
${rows.join("\n")}

Icons in \`../components/icons.js\`: paths of Tabler Icons 3 (MIT, Paweł Kuna, \`LICENSE.tabler-icons.md\`).
`,
);
