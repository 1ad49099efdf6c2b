// Plain JavaScript on purpose: npm runs it before anything is built, on whatever Node the machine has.
//
// `onoff` reaches GPIO lines through `epoll`, an addon without ready-made binaries. npm would build it against the
// headers of the machine's own Node, or fetch headers over the network; here it is built against the headers that
// lie beside the pinned runtime. Both are optional: whatever is missing is said in one line, and nothing fails.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const BUILD_TIMEOUT_MS = 300_000;
const LOAD_TIMEOUT_MS = 20_000;
const TOOLS = [["make"], ["g++", "c++", "clang++"], ["python3", "python"]];

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function say(line) {
  process.stdout.write(`kilowitness: ${line}\n`);
}

/** The pinned runtime, with headers, where npm put it; undefined when it is not there. */
function findRuntime() {
  const name = `node-${process.platform}-${process.arch}`;
  const places = [join(root, "node_modules", "node", "node_modules", name), join(root, "node_modules", name)];
  const home = places.find((place) => existsSync(join(place, "include", "node", "node.h")));
  return home && { home, node: join(home, "bin", "node") };
}

function findEpoll() {
  const home = join(root, "node_modules", "epoll");
  return existsSync(join(home, "binding.gyp")) ? home : undefined;
}

function loads(node) {
  const script = "require('epoll').Epoll";
  return spawnSync(node, ["-e", script], { cwd: root, timeout: LOAD_TIMEOUT_MS }).status === 0;
}

function missingTools() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const present = (tool) => folders.some((folder) => existsSync(join(folder, tool)));
  return TOOLS.filter((names) => !names.some(present)).map((names) => names[0]);
}

/** npm names its own node-gyp to the scripts it runs; by hand, it is looked up beside npm. */
function findNodeGyp() {
  const told = process.env.npm_config_node_gyp;
  if (told && existsSync(told)) return told;
  const asked = spawnSync("npm", ["root", "--global"], { encoding: "utf8", timeout: LOAD_TIMEOUT_MS });
  if (asked.status !== 0) return undefined;
  try {
    return createRequire(join(asked.stdout.trim(), "npm", "package.json")).resolve(
      "node-gyp/bin/node-gyp.js",
    );
  } catch {
    return undefined; // said by the caller, in words
  }
}

/** A machine's own npm setting would win over the option and name the headers of another Node. */
function withoutNodedir(env) {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => name.toLowerCase() !== "npm_config_nodedir"),
  );
}

/** Why the build failed, in one line; undefined when it worked. */
function build(epoll, runtime, nodeGyp) {
  const done = spawnSync(runtime.node, [nodeGyp, "rebuild", `--nodedir=${runtime.home}`], {
    cwd: epoll,
    env: withoutNodedir(process.env),
    encoding: "utf8",
    timeout: BUILD_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.status === 0) return undefined;
  const lines = `${done.stdout}\n${done.stderr}`.split("\n").filter((line) => /error|ERR! stack/i.test(line));
  return done.error?.message ?? lines[0]?.trim() ?? `node-gyp ended with ${done.status ?? done.signal}`;
}

function prepareGpio() {
  if (root.split(sep).includes("node_modules")) return; // installed as somebody's dependency: not ours to build
  const epoll = findEpoll();
  if (!epoll || process.platform !== "linux") return;
  const pinned = join(root, "node_modules", "node", "bin", "node");
  if (!existsSync(pinned)) return;
  if (loads(pinned)) return;
  say(buildGpio(epoll) ?? "onoff is built for the pinned Node.js runtime");
}

/** What kept the addon from being built, as a sentence; undefined when it was built and loads. */
function buildGpio(epoll) {
  const skipped = "onoff is not built (optional: only GPIO through sysfs needs it)";
  const runtime = findRuntime();
  if (!runtime)
    return `${skipped}; no headers of the pinned runtime, 'npm rebuild node && npm run prepare' fetches them`;
  const missing = missingTools();
  if (missing.length > 0) return `${skipped}; install ${missing.join(", ")} and run 'npm run prepare'`;
  const nodeGyp = findNodeGyp();
  if (!nodeGyp) return `${skipped}; no node-gyp found beside npm, run 'npm run prepare'`;
  const failure = build(epoll, runtime, nodeGyp);
  if (failure) return `${skipped}; the compiler said: ${failure}`;
  return loads(runtime.node) ? undefined : `${skipped}; it was compiled but does not load`;
}

prepareGpio();
