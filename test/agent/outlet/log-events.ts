import { parseSync } from "rolldown/utils";
import type { Tree } from "../../architecture/source.ts";

/** An event that a source can log, as "name level". */
export interface Found {
  readonly events: ReadonlySet<string>;
  /** Calls whose event cannot be read from the source, with their place. */
  readonly unknown: readonly string[];
}

interface Syntax {
  readonly [key: string]: unknown;
  readonly type: string;
  readonly start: number;
}

const LEVELS: Readonly<Record<string, string>> = {
  info: "info",
  warn: "warn",
  error: "error",
  problem: "warn",
};
const GUARDED = new Set(["run", "failed", "succeeded"]);
/** Methods of the intake that log, with the place of the event among what they are given. */
const SAYING: Readonly<Record<string, number>> = { say: 1, explain: 1 };
/** What a hole in a template stands for. */
const HOLES: Readonly<Record<string, readonly string[]>> = { "verdict.kind": ["hold", "reject"] };
/** Where an event is handed on by its variable: loggers over loggers, and the two that add to its name. */
const PASSING = new Set([
  "agent/guard.ts",
  "agent/intake.ts",
  "agent/outlet/log-memory.ts",
  "network/http/metrics-counters.ts",
  "runtime/log.ts",
]);

/** Every event in the sources of a tree, read with a parser: calls of a logger, of the guard, and of the intake's own. */
export function eventsIn(tree: Tree): Found {
  const events = new Set<string>();
  const unknown: string[] = [];
  for (const [path, text] of tree) {
    for (const { event, levels } of callsIn(path, text)) {
      const names = namesOf(event, text);
      if (names === undefined && !PASSING.has(path)) unknown.push(`${path}: ${sourceOf(event, text)}`);
      for (const name of names ?? [])
        for (const [suffix, level] of levels) events.add(`${name}${suffix} ${level}`);
    }
  }
  return { events, unknown };
}

interface Call {
  readonly event: Syntax;
  /** Suffix of the event and the level that it is logged with. */
  readonly levels: readonly (readonly [suffix: string, level: string])[];
}

function callsIn(path: string, text: string): Call[] {
  const calls: Call[] = [];
  walk(parseSync(path, text).program, (node) => {
    const callee = node["callee"];
    const given = node["arguments"];
    if (node.type !== "CallExpression" || !isSyntax(callee) || !Array.isArray(given)) return;
    const method = nameOf(callee["property"]);
    const object = nameOf(lastOf(callee["object"]));
    const levels = levelsOf(method, object);
    const event = given[SAYING[method] ?? 0];
    if (levels.length > 0 && isSyntax(event)) calls.push({ event, levels });
  });
  return calls;
}

function levelsOf(method: string, object: string): Call["levels"] {
  const level = LEVELS[method];
  if (level !== undefined && /(?:logger|sink|memory)$/i.test(object)) return [["", level]];
  if (GUARDED.has(method) && /guard$/i.test(object))
    return [
      ["", "warn"],
      ["-over", "info"],
    ];
  return SAYING[method] === undefined ? [] : [["", "warn"]];
}

function namesOf(node: Syntax, text: string): readonly string[] | undefined {
  if (typeof node["value"] === "string") return [node["value"]];
  if (node.type === "ConditionalExpression") {
    const [yes, no] = [node["consequent"], node["alternate"]].map((one) =>
      isSyntax(one) ? namesOf(one, text) : undefined,
    );
    return yes === undefined || no === undefined ? undefined : [...yes, ...no];
  }
  const [quasis, holes] = [node["quasis"], node["expressions"]];
  if (node.type !== "TemplateLiteral" || !Array.isArray(quasis) || !Array.isArray(holes)) return undefined;
  const [before, after] = quasis.map((quasi) => String(quasi.value.cooked));
  return HOLES[sourceOf(holes[0], text)]?.map((word) => `${before}${word}${after}`);
}

function sourceOf(node: Syntax, text: string): string {
  return text.slice(node.start, Number(node["end"]));
}

function lastOf(node: unknown): unknown {
  return isSyntax(node) && node.type === "MemberExpression" ? node["property"] : node;
}

function nameOf(node: unknown): string {
  return isSyntax(node) && typeof node["name"] === "string" ? node["name"] : "";
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function walk(value: unknown, visit: (node: Syntax) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, visit);
  if (!isSyntax(value)) return;
  visit(value);
  for (const child of Object.values(value)) if (typeof child === "object") walk(child, visit);
}
