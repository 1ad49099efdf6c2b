import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { inspect } from "./architecture/rules.ts";
import { isSource, readTree } from "./architecture/source.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function shippedDependencies(): Set<string> {
  const text = readFileSync(`${ROOT}package.json`, "utf8");
  const manifest: { dependencies: object; optionalDependencies: object } = JSON.parse(text);
  return new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]);
}

/** A house with every room and nothing wrong. */
const SOUND: Readonly<Record<string, string>> = {
  "attest/reading.ts": "export const one = 1;",
  "attest/leaf.ts": 'import { one } from "./reading.ts";\nexport const two: number = one + one;',
  "attest/index.ts": 'export * from "./leaf.ts";',
  "attest/native.ts": 'import { verify } from "node:crypto";\nexport const check = verify;',
  "drivers/driver.ts": 'import { one } from "../attest/reading.ts";\nexport const driver = one;',
  "firmware-bridge/pulse.ts": 'import { driver } from "../drivers/driver.ts";\nexport const pulse = driver;',
  "runtime/log.ts": 'import { two } from "../attest/leaf.ts";\nexport const log = two;',
  "agent/main.ts":
    'import { log } from "../runtime/log.ts";\nimport pino from "pino";\nexport const agent = [log, pino];',
  "network/node.ts": 'import { log } from "../runtime/log.ts";\nexport const node = log;',
  "bin/main.ts": 'import { agent } from "../agent/main.ts";\nexport const main = agent;',
  "bin/start.js": 'await import("./main.ts");',
  "test/main.test.ts": 'import { main } from "../bin/main.ts";\nexport const tested = main;',
};

function problemsWith(changes: Readonly<Record<string, string>>): string[] {
  return inspect(new Map(Object.entries({ ...SOUND, ...changes })), new Set(["pino", "@noble/hashes"]));
}

describe("the house", () => {
  const tree = readTree(ROOT);

  it("keeps its floors and its rules", () => {
    expect(inspect(tree, shippedDependencies())).toEqual([]);
  });

  it("was really read", () => {
    const sources = [...tree.keys()].filter(isSource);
    expect(sources).toEqual(
      expect.arrayContaining(["attest/reading.ts", "bin/kilowitness.js", "test/architecture.test.ts"]),
    );
  });
});

describe("the inspector", () => {
  it("finds nothing in a sound house", () => {
    expect(problemsWith({})).toEqual([]);
  });

  const MACHINE_PATH = `see /${"root"}/notes`;
  const long = (lines: number): string => "const a = 1;\n".repeat(lines);
  const cases: readonly (readonly [name: string, path: string, text: string, said: string])[] = [
    [
      "a floor above",
      "attest/a.ts",
      'import "../drivers/driver.ts";',
      "attest/ is floor 1, drivers/ is floor 2",
    ],
    ["a type from above", "attest/a.ts", 'import type { x } from "../agent/main.ts";', "agent/ is floor 4"],
    ["import() from above", "runtime/a.ts", 'const a = await import("../bin/main.ts");', "bin/ is floor 5"],
    [
      "import() in a template",
      "runtime/a.ts",
      "const a = await import(`../bin/main.ts`);",
      "bin/ is floor 5",
    ],
    ["typeof import()", "runtime/a.ts", 'type A = import("../network/node.ts").B;', "network/ is floor 4"],
    ["export from above", "attest/index.ts", 'export { a } from "../agent/main.ts";', "agent/ is floor 4"],
    ["require from above", "agent/a.ts", 'const a = require("../bin/main.ts");', "bin/ is floor 5"],
    ["a computed import", "drivers/a.ts", 'const p = "x"; const a = await import(p);', "computed name"],
    [
      "agent and network",
      "agent/a.ts",
      'import "../network/node.ts";',
      "agent/ is floor 4, network/ is floor 4",
    ],
    ["runtime and drivers", "runtime/a.ts", 'import "../drivers/driver.ts";', "which runtime/ may not know"],
    ["bridge and runtime", "firmware-bridge/a.ts", 'import "../runtime/log.ts";', "runtime/ is floor 3"],
    ["drivers and evidence", "drivers/a.ts", 'import "../attest/leaf.ts";', "which drivers/ may not know"],
    ["tests in a room", "bin/a.ts", 'import "../test/main.test.ts";', "imports test/main.test.ts"],
    ["packaging and a room", "packaging/a.js", 'import "../attest/leaf.ts";', "nothing in packaging/ may"],
    ["a file that is not there", "agent/a.ts", 'import "./gone.ts";', "not a file of the project"],
    ["a development package", "agent/a.ts", 'import "vitest";', "not installed with the package"],
    ["a package in attest", "attest/a.ts", 'import "pino";', "attest/ stands alone"],
    ["node: in attest", "attest/a.ts", 'import "node:fs";', "in the pure room"],
    ["a builtin without node:", "agent/a.ts", 'import "fs";', 'write "node:fs"'],
    ["native under the entry", "attest/leaf.ts", 'import "./native.ts";', "reaches attest/native.ts"],
    ["a clock in attest", "attest/a.ts", "export const now = Date.now();", "uses Date"],
    ["a new Date of now in attest", "attest/a.ts", "export const now = new Date();", "uses Date"],
    ["console in a room", "agent/a.ts", 'console.log("a");', "uses console"],
    ["a barrel", "agent/a.ts", 'export * from "./main.ts";', "passes names on"],
    ["a circle", "attest/reading.ts", 'import "./leaf.ts";', "import circle"],
    ["a circle of types", "attest/reading.ts", 'import type { two } from "./leaf.ts";', "import circle"],
    ["JavaScript in a room", "agent/a.js", "export const a = 1;", "only bin/ and packaging/"],
    ["a new room", "utils/a.ts", "export const a = 1;", "outside the rooms"],
    ["any", "agent/a.ts", "let a: any;", "agent/a.ts:1: any"],
    ["non-null", "agent/a.ts", "const a = [1]; const b = a[0]!;", "non-null assertion"],
    ["definite assignment", "agent/a.ts", "class A { b!: string }", "definite assignment"],
    ["enum", "agent/a.ts", "enum A { b }", "enum"],
    ["namespace", "agent/a.ts", "namespace A { export const b = 1; }", "namespace"],
    ["default export", "agent/a.ts", "export default 1;", "default export"],
    ["export as default", "agent/a.ts", "const a = 1; export { a as default };", "default export"],
    ["decorator", "agent/a.ts", "@a class B {}", "decorator"],
    [
      "parameter property",
      "agent/a.ts",
      "class A { constructor(readonly b: string) {} }",
      "parameter property",
    ],
    ["a lint ignore", "agent/a.ts", "/* biome-ignore lint: no */\nconst a = 1;", "ignore comment"],
    [
      "a type ignore",
      "agent/a.ts",
      "const b = 1;\n// @ts-expect-error\nconst a = 1;",
      "agent/a.ts:2: ignore comment",
    ],
    ["a long file", "agent/a.ts", long(351), "351 lines"],
    ["a long function", "agent/a.ts", `function a() {\n${long(59)}}`, "function of 61 lines"],
    ["a path of this machine", "docs/a.md", MACHINE_PATH, "docs/a.md:1: path of one machine"],
  ];

  it.each(cases)("reports %s", (_name, path, text, said) => {
    const problems = problemsWith({ [path]: text });
    expect(problems).toContainEqual(expect.stringContaining(said));
    expect(problems).toContainEqual(
      expect.stringContaining(path.startsWith("attest/leaf") ? "attest/" : path),
    );
  });

  it("reports a missing room", () => {
    const tree = new Map(Object.entries(SOUND));
    tree.delete("network/node.ts");
    expect(inspect(tree, new Set(["pino"]))).toEqual(["network/: the room is missing"]);
  });

  it("is not misled by strings and comments", () => {
    const text = `// import "../bin/main.ts"; any!\nexport const a = 'import "../bin/main.ts"; let b: any';`;
    expect(problemsWith({ "agent/a.ts": text })).toEqual([]);
  });

  it("lets attest format a time that it was given", () => {
    const text = "export const iso = (ms: number): string => new Date(ms).toISOString();";
    expect(problemsWith({ "attest/a.ts": text })).toEqual([]);
  });

  it("refuses a file that it cannot parse", () => {
    expect(() => problemsWith({ "agent/a.ts": "import {" })).toThrow("agent/a.ts: does not parse");
  });
});
