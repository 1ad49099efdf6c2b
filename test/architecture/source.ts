import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "rolldown/utils";

/** Paths relative to the project's root, with `/`, and the text of each file. */
export type Tree = ReadonlyMap<string, string>;

export interface ImportFact {
  /** What stands between the quotes; undefined where it is computed. */
  readonly specifier: string | undefined;
  readonly line: number;
  readonly reExport: boolean;
}

/** One thing in a file that a house rule may forbid: its kind, and what it says. */
export interface Mark {
  readonly kind: string;
  readonly line: number;
}

export interface SourceFacts {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly ImportFact[];
  readonly marks: readonly Mark[];
  /** Objects that members are taken of, and functions called or constructed, by plain name. */
  readonly globals: readonly { readonly name: string; readonly line: number }[];
  readonly longestFunction: { readonly lines: number; readonly line: number };
}

const NOT_OURS = new Set([".git", "node_modules", "dist", "release", "coverage"]);
const SOURCE = /\.(?:ts|mts|cts|tsx|js|mjs|cjs|jsx)$/;
const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const IGNORES = /biome-ignore|@ts-(?:ignore|expect-error|nocheck)|eslint-disable|(?:istanbul|v8|c8) ignore/;

export function isSource(path: string): boolean {
  return SOURCE.test(path);
}

/** Every file of the project that is not built, installed or git's own. */
export function readTree(root: string, folder = ""): Map<string, string> {
  const tree = new Map<string, string>();
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) for (const [name, text] of readTree(root, path)) tree.set(name, text);
    else if (entry.isFile()) tree.set(path, readFileSync(join(root, path), "utf8"));
  }
  return tree;
}

interface Syntax {
  readonly [key: string]: unknown;
  readonly type: string;
  readonly start: number;
  readonly end: number;
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

/** Reads one file with a real parser, so that neither comments nor strings can hide or invent an import. */
export function readSource(path: string, text: string): SourceFacts {
  const parsed = parseSync(path, text);
  if (parsed.errors[0] !== undefined) throw new Error(`${path}: does not parse: ${parsed.errors[0].message}`);
  const lineOf = lineCounter(text);
  const nodes: Syntax[] = [];
  walk(parsed.program, (node) => nodes.push(node));
  const ignores = parsed.comments.filter((comment) => IGNORES.test(comment.value));
  return {
    path,
    lines: text.trimEnd().split("\n").length,
    imports: nodes.flatMap((node) => importOf(node, lineOf)),
    marks: [
      ...nodes.flatMap((node) => markOf(node, lineOf)),
      ...ignores.map((comment) => ({ kind: "ignore comment", line: lineOf(comment.start) })),
    ],
    globals: nodes.flatMap((node) => globalOf(node, lineOf)),
    longestFunction: longest(nodes, lineOf),
  };
}

type LineOf = (offset: number) => number;

function lineCounter(text: string): LineOf {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    return next === -1 ? starts.length : next;
  };
}

function importOf(node: Syntax, lineOf: LineOf): ImportFact[] {
  const line = lineOf(node.start);
  switch (node.type) {
    case "ImportDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return [{ specifier: literal(node["source"]), line, reExport: false }];
    case "ExportAllDeclaration":
      return [{ specifier: literal(node["source"]), line, reExport: true }];
    case "ExportNamedDeclaration":
      return node["source"] === null ? [] : [{ specifier: literal(node["source"]), line, reExport: true }];
    case "TSExternalModuleReference":
      return [{ specifier: literal(node["expression"]), line, reExport: false }];
    case "CallExpression":
      return requireOf(node, line);
    default:
      return [];
  }
}

function requireOf(node: Syntax, line: number): ImportFact[] {
  const callee = node["callee"];
  const given = node["arguments"];
  if (!isSyntax(callee) || callee["name"] !== "require" || !Array.isArray(given)) return [];
  return [{ specifier: literal(given[0]), line, reExport: false }];
}

/** The text of a string, also where it is written as a template without holes. */
function literal(node: unknown): string | undefined {
  if (!isSyntax(node)) return undefined;
  if (typeof node["value"] === "string") return node["value"];
  const quasis = node["quasis"];
  if (node.type !== "TemplateLiteral" || !Array.isArray(quasis) || quasis.length !== 1) return undefined;
  return quasis[0].value.cooked;
}

const MARKS: Readonly<Record<string, string>> = {
  TSAnyKeyword: "any",
  TSNonNullExpression: "non-null assertion",
  TSEnumDeclaration: "enum",
  ExportDefaultDeclaration: "default export",
  Decorator: "decorator",
  TSParameterProperty: "parameter property",
  TSExportAssignment: "export assignment",
};

function markOf(node: Syntax, lineOf: LineOf): Mark[] {
  const line = lineOf(node.start);
  const kind = MARKS[node.type];
  if (kind !== undefined) return [{ kind, line }];
  if (node.type === "TSModuleDeclaration" && node["kind"] !== "module") return [{ kind: "namespace", line }];
  if (node["definite"] === true) return [{ kind: "definite assignment", line }];
  if (node.type === "ExportSpecifier" && nameOf(node["exported"]) === "default") {
    return [{ kind: "default export", line }];
  }
  return [];
}

function nameOf(node: unknown): unknown {
  return isSyntax(node) ? (node["name"] ?? node["value"]) : undefined;
}

function globalOf(node: Syntax, lineOf: LineOf): { name: string; line: number }[] {
  const owner = node.type === "MemberExpression" ? node["object"] : undefined;
  const called = node.type === "CallExpression" || node.type === "NewExpression" ? node["callee"] : undefined;
  const subject = owner ?? called;
  if (!isSyntax(subject) || subject.type !== "Identifier" || typeof subject["name"] !== "string") return [];
  if (subject["name"] === "Date" && !readsClock(node)) return [];
  return [{ name: subject["name"], line: lineOf(node.start) }];
}

/** `Date.now` and `new Date()` do; `new Date(ms)` only formats. */
function readsClock(node: Syntax): boolean {
  const given = node["arguments"];
  return Array.isArray(given) ? given.length === 0 : nameOf(node["property"]) === "now";
}

function longest(nodes: readonly Syntax[], lineOf: LineOf): { lines: number; line: number } {
  let found = { lines: 0, line: 0 };
  for (const node of nodes) {
    if (!FUNCTIONS.has(node.type)) continue;
    const line = lineOf(node.start);
    const lines = lineOf(node.end) - line + 1;
    if (lines > found.lines) found = { lines, line };
  }
  return found;
}
