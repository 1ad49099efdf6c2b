import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** What `npm run new:driver` makes, in a copy of the project: it passes at once, and says what is not true yet. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SLOW_MS = 300_000;

let copy = "";
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "kilowitness-new-"));
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  for (const file of files.split("\n").filter((name) => name !== "" && !name.startsWith("attest/vectors/"))) {
    if (!existsSync(join(ROOT, file))) continue;
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
}, SLOW_MS);
afterAll(() => rmSync(copy, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly text: string;
}

function run(...args: readonly string[]): Outcome {
  const env = { ...process.env, NODE_PATH: undefined, VITEST: undefined };
  const done = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", env });
  return { code: done.status, text: `${done.stdout}${done.stderr}` };
}

function newDriver(...args: readonly string[]): Outcome {
  return run("packaging/new-driver.js", ...args);
}

function passes(...tests: readonly string[]): void {
  const { code, text } = run("node_modules/vitest/vitest.mjs", "run", ...tests);
  expect(code, text).toBe(0);
  expect(text).not.toMatch(/no tests|\d+ skipped/i);
}

function textOf(file: string): string {
  return readFileSync(join(copy, file), "utf8");
}

describe("npm run new:driver", () => {
  it("makes a profile with its test, example and documentation row", { timeout: SLOW_MS }, () => {
    const { code, text } = newDriver("globex-pm-9");
    expect(code, text).toBe(0);
    expect(text).toContain("drivers/profiles/globex-pm-9.yaml");
    const profile = textOf("drivers/profiles/globex-pm-9.yaml");
    expect(profile).toContain("make: Globex");
    expect(profile).toContain("model: PM 9");
    expect(profile).not.toMatch(/acme|x1/i);
    expect(profile.match(/PLACEHOLDER/g)?.length).toBeGreaterThan(3);
    expect(textOf("docs/devices.md")).toMatch(/globex-pm-9.*PLACEHOLDER.*documents/);
    expect(textOf("examples/globex-pm-9.yaml")).toContain("driver: globex-pm-9");
    passes("test/drivers/profiles");
  });

  it("makes a class with its simulated device, test and catalogue line", { timeout: SLOW_MS }, () => {
    const { code, text } = newDriver("initech-mk2", "--class");
    expect(code, text).toBe(0);
    expect(textOf("drivers/catalogue.ts")).toContain("initechMk2Driver");
    expect(textOf("drivers/initech-mk2/driver.ts")).not.toMatch(/acme/i);
    expect(textOf("docs/devices.md")).toContain("`initech-mk2`");
    passes("test/drivers/initech-mk2");
  });

  it("leaves a project that still passes its checks", { timeout: SLOW_MS }, () => {
    const types = run("node_modules/typescript/bin/tsc", "--noEmit");
    expect(types.code, types.text).toBe(0);
    const made = ["drivers", "test/drivers", "examples", "docs/devices.md"];
    const lint = run("node_modules/@biomejs/biome/bin/biome", "ci", "--vcs-enabled=false", ...made);
    expect(lint.code, lint.text).toBe(0);
    passes("test/architecture.test.ts", "test/drivers/catalogue", "test/drivers/profiles/published.test.ts");
  });

  it.each([
    [["globex-pm-9"], "there is a driver globex-pm-9 already"],
    [["initech-mk2", "--class"], "drivers/initech-mk2/driver.ts is there already"],
    [["Globex PM9"], "no name"],
    [["globex"], "no name"],
    [[], "usage: npm run new:driver VENDOR-MODEL"],
    [["globex-pm9", "--klass"], "Unknown option '--klass'"],
  ])("refuses %j", (args, said) => {
    const { code, text } = newDriver(...args);
    expect(code).toBe(1);
    expect(text).toContain(said);
  });
});
