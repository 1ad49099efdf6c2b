// Makes docs/verify.html: one file that needs no other. 'npm run build:page' writes it; '-- --check' compares it with
// its sources and fails when it is stale. The same sources and the same bundler give the same bytes.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const target = join(root, "docs", "verify.html");
const VERIFIER = "kilowitness-attest";

function fail(line) {
  process.stderr.write(`build:page: ${line}\n`);
  process.exit(1);
}

/** The verifier by its package's name, as anybody's page would import it, but from these sources. */
const portableOnly = {
  name: "portable verifier",
  resolveId(specifier, importer) {
    if (isBuiltin(specifier)) throw new Error(`${importer}: ${specifier} is not there in a browser`);
    return specifier === VERIFIER ? join(root, "attest", "index.ts") : undefined;
  },
};

async function bundle() {
  const build = await rolldown({
    cwd: root,
    input: join(here, "page.ts"),
    platform: "browser",
    tsconfig: false,
    plugins: [portableOnly],
  });
  const { output } = await build.generate({ format: "iife", minify: true, comments: false });
  await build.close();
  if (output.length !== 1) throw new Error(`the page became ${output.length} files`);
  return escaped(output[0].code.trim());
}

/** The bundler writes characters as they are; HTML would change a zero byte, and with it the script's hash. */
function escaped(script) {
  const code = (character) => character.charCodeAt(0).toString(16).padStart(4, "0");
  return script.replace(/[^\n -~]/g, (character) => `\\u${code(character)}`);
}

function hashSource(text) {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** Nothing is allowed but this script and this style; the empty icon keeps browsers from asking for one. */
function policyFor(script, style) {
  return [
    "default-src 'none'",
    `script-src ${hashSource(script)}`,
    `style-src ${hashSource(style)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

async function makePage() {
  const script = await bundle();
  if (/<\/script|<!--/i.test(script)) throw new Error("the script holds a mark that would end it in HTML");
  const style = readFileSync(join(here, "page.css"), "utf8");
  return [
    ["POLICY", policyFor(script, style)],
    ['<link rel="stylesheet" href="page.css">', `<style>${style}</style>`],
    ['<script src="page.ts"></script>', `<script>${script}</script>`],
  ].reduce(replaceOnce, readFileSync(join(here, "page.html"), "utf8"));
}

function replaceOnce(page, [mark, text]) {
  const parts = page.split(mark);
  if (parts.length !== 2) throw new Error(`page.html holds ${mark} ${parts.length - 1} times`);
  return parts.join(text);
}

const page = await makePage().catch((error) => fail(error.message));
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== page)
    fail("docs/verify.html is not what its sources make; run 'npm run build:page' and commit it");
} else {
  writeFileSync(target, page);
  process.stdout.write(`build:page: docs/verify.html, ${Buffer.byteLength(page)} bytes\n`);
}
