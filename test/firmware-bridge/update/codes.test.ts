import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
/** A string of the code, not a word of a comment. */
const CODE = /"((?:update|firmware)-[a-z-]+)"/g;

function codesIn(folder: string, names: RegExp): string[] {
  const files = readdirSync(join(ROOT, folder)).filter((name) => names.test(name));
  const text = files.map((name) => readFileSync(join(ROOT, folder, name), "utf8")).join("\n");
  return [...new Set([...text.matchAll(CODE)].map((match) => match[1] ?? ""))];
}

describe("the codes of an update that fails", () => {
  const codes = [...codesIn("firmware-bridge/update", /\.ts$/), ...codesIn("agent/cli", /^firmware.*\.ts$/)];

  it("each have a row in the document, and no row is of none", () => {
    const text = readFileSync(join(ROOT, "docs/firmware-update.md"), "utf8");
    const rows = [...text.matchAll(/^\| `((?:update|firmware)-[a-z-]+)`/gm)].map((match) => match[1]);
    expect(rows.sort()).toEqual([...new Set(codes)].sort());
  });

  it("are each provoked by a test", () => {
    const tests = ["test/firmware-bridge/update", "test/agent/cli"].map((folder) =>
      readdirSync(join(ROOT, folder))
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => readFileSync(join(ROOT, folder, name), "utf8"))
        .join("\n"),
    );
    expect(codes.filter((code) => !tests.join("\n").includes(code))).toEqual([]);
  });
});
