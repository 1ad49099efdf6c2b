// What ships is compiled: Node strips no types under node_modules. Run by 'npm run build', and by npm before it packs.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Files that rooms read at run time, found there again through `import.meta.url`. */
const DATA = new Set([".sql", ".yaml", ".json", ".html", ".css", ".svg"]);
/** What the compiler reads itself, what a shell runs, and what people read. */
const NOT_SHIPPED = new Set([".ts", ".js", ".md"]);

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "dist");

function fail(line) {
  rmSync(out, { recursive: true, force: true }); // half a build must not be packed
  process.stderr.write(`build: ${line}\n`);
  process.exit(1);
}

function rooms() {
  return JSON.parse(readFileSync(join(root, "tsconfig.build.json"), "utf8")).include;
}

function compile() {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (done.error) fail(`the compiler did not start: ${done.error.message}; run 'npm ci' first`);
  if (done.status !== 0) fail("the compiler reported errors; dist/ is removed");
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
    if (NOT_SHIPPED.has(kind)) continue;
    const place = relative(root, file);
    if (!DATA.has(kind))
      fail(`${place}: unknown kind of file; add ${kind} to DATA in packaging/build.js if code reads it`);
    const target = join(out, place);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
    copied += 1;
  }
  return copied;
}

rmSync(out, { recursive: true, force: true });
compile();
process.stdout.write(`build: dist/ compiled, ${copyData()} data files copied\n`);
