import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOM = join(import.meta.dirname, "../../../firmware-bridge/image");
/** A string of the code, not a word of a comment. */
const CODE = /"(image-[a-z-]+)"/g;

function codesIn(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const text = files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  return [...new Set([...text.matchAll(CODE)].map((match) => match[1] ?? ""))].sort();
}

describe("the codes of refusals", () => {
  const codes = codesIn(ROOM);

  it("each have a row in the room's README, and no row is of none", () => {
    const rows = readFileSync(join(ROOM, "README.md"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(image-[a-z-]+)`/g)]);
    expect(named.map((match) => match[1]).sort()).toEqual(codes);
  });

  it("are each provoked by a test", () => {
    expect(codes.filter((code) => !codesIn(import.meta.dirname).includes(code))).toEqual([]);
  });
});
