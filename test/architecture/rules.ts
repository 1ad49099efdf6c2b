import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { isSource, readSource, type SourceFacts, type Tree } from "./source.ts";

/** A room imports only from floors below its own, or from itself. */
const FLOORS: Readonly<Record<string, number>> = {
  attest: 1,
  drivers: 2,
  "firmware-bridge": 3,
  runtime: 3,
  agent: 4,
  network: 4,
  bin: 5,
};

/** They may import everything, and no room imports them. */
const ABOVE = new Set(["test", "bench", "examples"]);

/** What a room may take from a lower one, where that is less than all of it. */
const NARROW: Readonly<Record<string, (target: string) => boolean>> = {
  drivers: (target) => target === "attest/reading.ts" || target === "attest/problem.ts",
  runtime: (target) => target.startsWith("attest/"),
};

/** Rooms that may load code whose name is known only at run time: the launcher, and drivers named by the owner. */
const COMPUTED_IMPORTS = new Set(["agent", "bin", "packaging", "test", "bench"]);

/** The files that package.json exports; nowhere else are names merely passed on. */
const ENTRIES = new Set(["attest/index.ts", "attest/native.ts", "drivers/index.ts", "drivers/kit/index.ts"]);

const PURE_PACKAGES = /^@noble\//;
const IMPURE_GLOBALS = new Set([
  ...["process", "Buffer", "Date", "performance", "console", "require", "fetch"],
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "WebSocket"],
]);

const MAX_FILE_LINES = 350;
const MAX_FUNCTION_LINES = 60;
const ROOM_NAMES = Object.keys(FLOORS);

/** Everything in the tree that breaks a rule of the house, one sentence each, with file and line. */
export function inspect(tree: Tree, dependencies: ReadonlySet<string>): string[] {
  const sources = [...tree].filter(([path]) => isSource(path)).map(([path, text]) => readSource(path, text));
  const graph = new Map(sources.map((source) => [source.path, targetsOf(source)]));
  return [
    ...ROOM_NAMES.filter((room) => !sources.some((source) => roomOf(source.path) === room)).map(
      (room) => `${room}/: the room is missing`,
    ),
    ...sources.flatMap((source) => [
      ...placeProblems(source),
      ...importProblems(source, tree, dependencies),
      ...purityProblems(source),
      ...styleProblems(source),
    ]),
    ...portabilityProblems(graph),
    ...cycles(graph),
    ...[...tree].flatMap(([path, text]) => privatePaths(path, text)),
  ];
}

export function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../") || specifier.startsWith("/");
}

function resolve(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

function targetsOf(source: SourceFacts): string[] {
  const named = source.imports.flatMap((fact) => (fact.specifier === undefined ? [] : [fact.specifier]));
  return named.filter(isRelative).map((specifier) => resolve(source.path, specifier));
}

function placeProblems(source: SourceFacts): string[] {
  const room = roomOf(source.path);
  const known =
    room in FLOORS || ABOVE.has(room) || room === "packaging" || source.path === "vitest.config.ts";
  const problems = known ? [] : [`${source.path}: source outside the rooms`];
  const plain = !source.path.endsWith(".ts");
  if (plain && room !== "bin" && room !== "packaging")
    problems.push(`${source.path}: only bin/ and packaging/ have JavaScript`);
  return problems;
}

function importProblems(source: SourceFacts, tree: Tree, dependencies: ReadonlySet<string>): string[] {
  return source.imports.flatMap((fact) => {
    const at = `${source.path}:${fact.line}`;
    if (fact.reExport && !ENTRIES.has(source.path))
      return [`${at}: passes names on; import them where they are made`];
    if (fact.specifier === undefined) {
      return COMPUTED_IMPORTS.has(roomOf(source.path)) ? [] : [`${at}: imports a computed name`];
    }
    const said = isRelative(fact.specifier)
      ? relativeProblem(source.path, fact.specifier, tree)
      : packageProblem(source.path, fact.specifier, dependencies);
    return said === undefined ? [] : [`${at}: ${said}`];
  });
}

function relativeProblem(from: string, specifier: string, tree: Tree): string | undefined {
  const target = resolve(from, specifier);
  if (!tree.has(target)) return `imports "${specifier}", which is not a file of the project`;
  const [own, other] = [roomOf(from), roomOf(target)];
  if (own === other || ABOVE.has(own)) return undefined;
  const floor = FLOORS[own];
  const below = FLOORS[other];
  if (floor === undefined || below === undefined)
    return `imports ${target}; nothing in ${own || "the root"}/ may`;
  if (below >= floor) return `imports ${target}; ${own}/ is floor ${floor}, ${other}/ is floor ${below}`;
  if (NARROW[own]?.(target) === false) return `imports ${target}, which ${own}/ may not know`;
  return undefined;
}

function packageProblem(
  from: string,
  specifier: string,
  dependencies: ReadonlySet<string>,
): string | undefined {
  const room = roomOf(from);
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith("node:")) return `imports "${specifier}"; write "node:${specifier}"`;
    return room === "attest" && from !== "attest/native.ts"
      ? `imports "${specifier}" in the pure room`
      : undefined;
  }
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  if (room in FLOORS && !dependencies.has(name))
    return `imports "${name}", which is not installed with the package`;
  if (room === "attest" && !PURE_PACKAGES.test(name)) return `imports "${name}"; attest/ stands alone`;
  return undefined;
}

function purityProblems(source: SourceFacts): string[] {
  const room = roomOf(source.path);
  if (source.path === "attest/native.ts") return []; // the one file of attest/ that is Node's own
  const used = source.globals.filter((found) =>
    room === "attest" ? IMPURE_GLOBALS.has(found.name) : room in FLOORS && found.name === "console",
  );
  return used.map((found) => `${source.path}:${found.line}: uses ${found.name}`);
}

function styleProblems(source: SourceFacts): string[] {
  const allowed = source.path === "vitest.config.ts" ? "default export" : "";
  const problems = source.marks
    .filter((mark) => mark.kind !== allowed)
    .map((mark) => `${source.path}:${mark.line}: ${mark.kind}`);
  if (source.lines > MAX_FILE_LINES)
    problems.push(`${source.path}: ${source.lines} lines; at most ${MAX_FILE_LINES}`);
  const { lines, line } = source.longestFunction;
  if (lines > MAX_FUNCTION_LINES && roomOf(source.path) !== "test") {
    problems.push(`${source.path}:${line}: function of ${lines} lines; at most ${MAX_FUNCTION_LINES}`);
  }
  return problems;
}

/** The portable entry must run in a browser, so nothing it reaches may be native. */
function portabilityProblems(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const reached = new Set<string>();
  const waiting = ["attest/index.ts"];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    waiting.push(...(graph.get(next) ?? []));
  }
  return reached.has("attest/native.ts") ? ["attest/index.ts: reaches attest/native.ts"] : [];
}

/** Every import circle once, types included: two files that need each other are one file. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) found.push(`${[...trail.slice(start), path].join(" -> ")}: import circle`);
    if (start !== -1 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The project speaks only of itself: a path of the machine it was written on is of no use to a reader. */
const PRIVATE_PATH = new RegExp(`(?<![\\w.~*})$-])/(?:${["work", "farm", "root"].join("|")})(?![\\w.-])`);

function privatePaths(path: string, text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) =>
    PRIVATE_PATH.test(line) ? [`${path}:${index + 1}: path of one machine`] : [],
  );
}
