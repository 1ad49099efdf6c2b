// What ships is compiled: Node strips no types under node_modules. Run by 'npm run build', and by npm before it packs.
// 'node packaging/build.js --out FOLDER' builds elsewhere, in a new folder.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";

/** Files that rooms read at run time, found there again through `import.meta.url`. */
const DATA = new Set([".sql", ".yaml", ".json", ".html", ".css", ".svg"]);
/** What the compiler reads itself, what a shell runs, and what people read. */
const NOT_SHIPPED = new Set([".ts", ".js", ".md"]);

/** For those who write a verifier, not for those who run one. */
const VECTORS = join("attest", "vectors");

/**
 * Goes into the program itself: of what these bring, a program needs a part, and their many files, whose text the runtime
 * keeps, cost a gateway memory at every start. What has an addon or reads files of its own stays a package.
 */
const BUNDLED = ["commander", "yaml", "zod"];
/** Spaces and comments alone: a stack trace keeps its names. */
const MINIFY = { compress: false, mangle: false, codegen: { removeWhitespace: true } };

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({ options: { out: { type: "string" } } });
const out = options.out === undefined ? join(root, "dist") : resolve(options.out);

function fail(line) {
  rmSync(out, { recursive: true, force: true }); // half a build must not be packed
  process.stderr.write(`build: ${line}\n`);
  process.exit(1);
}

function readJson(...path) {
  return JSON.parse(readFileSync(join(root, ...path), "utf8"));
}

function rooms() {
  return readJson("tsconfig.build.json").include;
}

function compile() {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", out], {
    cwd: root,
    stdio: "inherit",
  });
  if (done.error) fail(`the compiler did not start: ${done.error.message}; run 'npm ci' first`);
  if (done.status !== 0) fail(`the compiler reported errors; ${out} is removed`);
}

function filesOf(room) {
  const entries = readdirSync(join(root, room), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Copies the data files beside the compiled code that reads them, and gives their number. */
function copyData() {
  let copied = 0;
  for (const file of rooms().flatMap(filesOf)) {
    const kind = extname(file);
    const place = relative(root, file);
    if (NOT_SHIPPED.has(kind) || place.startsWith(VECTORS)) continue;
    if (!DATA.has(kind))
      fail(`${place}: unknown kind of file; add ${kind} to DATA in packaging/build.js if code reads it`);
    const target = join(out, place);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
    copied += 1;
  }
  return copied;
}

/**
 * Makes the compiled attest/ a package of its own, for 'npm pack ./dist/attest'. Versions are chosen once, in the
 * root's package.json, and filled in here.
 */
function completeAttest() {
  const project = readJson("package.json");
  const { name, ...rest } = readJson("attest", "package.json");
  const manifest = { name, version: project.version, ...rest };
  for (const needed of Object.keys(manifest.dependencies)) {
    const version = project.dependencies[needed];
    if (version === undefined) fail(`attest/package.json: ${needed} is no dependency of the project`);
    manifest.dependencies[needed] = version;
  }
  writeFileSync(join(out, "attest", "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  cpSync(join(root, "attest", "README.md"), join(out, "attest", "README.md"));
  cpSync(join(root, "LICENSE"), join(out, "attest", "LICENSE"));
}

/** One program in few files, for bin/kilowitness.js; who imports a room gets the modules beside it. */
async function bundleProgram() {
  const folder = join(out, "program");
  const bundle = await rolldown({
    input: { main: join(out, "bin", "main.js") },
    platform: "node",
    external: (id) => /^[^./]/.test(id) && !BUNDLED.some((name) => id === name || id.startsWith(`${name}/`)),
    plugins: [{ name: "places", transform: (code, id) => withPlace(code, id, folder) }],
  });
  const names = { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" };
  const { output } = await bundle.generate({ format: "esm", minify: MINIFY, ...names });
  mkdirSync(folder, { recursive: true });
  for (const { fileName, code } of output) writeFileSync(join(folder, fileName), latin(code));
  await bundle.close();
  const licences = BUNDLED.map((name) => `${name}\n\n${licenceOf(name)}`);
  writeFileSync(join(folder, "LICENSES.txt"), licences.join("\n\n"));
}

/** A module that reads files finds them from where it was, wherever its code is put. */
function withPlace(code, id, folder) {
  if (!id.startsWith(out) || !code.includes("import.meta.url")) return undefined;
  const place = JSON.stringify(relative(folder, id).split(sep).join("/"));
  return code.replaceAll("import.meta.url", `new URL(${place}, import.meta.url).href`);
}

/** One character beyond Latin-1 would make V8 keep every character of the file in two bytes. */
function latin(code) {
  return code.replace(/[^\0-\u00ff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function licenceOf(name) {
  return readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim();
}

if (options.out !== undefined && existsSync(out)) {
  process.stderr.write(`build: ${out} is there already; name a new folder\n`);
  process.exit(1);
}
rmSync(out, { recursive: true, force: true });
compile();
const copied = copyData();
completeAttest();
await bundleProgram().catch((cause) => fail(`the program was not bundled: ${cause.message}`));
process.stdout.write(`build: ${relative(root, out)}/ compiled, ${copied} data files copied\n`);
