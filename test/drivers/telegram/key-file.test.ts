import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Problem } from "../../../attest/problem.ts";
import { readKeyFile } from "../../../drivers/telegram/key-file.ts";

const DIGITS = "00112233445566778899AAbbccddeeff";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "key-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string, mode = 0o600): string {
  const path = join(folder, "meter.key");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function problemOf(path: string): Problem {
  try {
    readKeyFile(path);
  } catch (error) {
    return error as Problem;
  }
  throw new Error("it was read");
}

describe("readKeyFile", () => {
  it.each([DIGITS, `${DIGITS}\n`, `  ${DIGITS}\r\n\n`, DIGITS.toLowerCase()])("reads %j", (text) => {
    expect(Buffer.from(readKeyFile(fileOf(text))).toString("hex")).toBe(DIGITS.toLowerCase());
  });

  it.each([0o400, 0o600, 0o640])("reads a file of mode %o", (mode) => {
    expect(readKeyFile(fileOf(DIGITS, mode))).toHaveLength(16);
  });

  it.each([0o644, 0o620, 0o602, 0o604, 0o666])("refuses one of mode %o, which is open to others", (mode) => {
    const problem = problemOf(fileOf(DIGITS, mode));
    expect(problem.code).toBe("key-file-permissions");
    expect(problem.message).toContain("chmod 600");
  });

  it.each([
    ["nothing", ""],
    ["a digit too few", DIGITS.slice(1)],
    ["a digit too many", `${DIGITS}0`],
    ["two keys", `${DIGITS}\n${DIGITS}`],
    ["a prefix", `0x${DIGITS}`],
    ["blanks between", DIGITS.replace("44", "44 ")],
    ["much more", DIGITS.repeat(10_000)],
  ])("refuses %s, and shows nothing of it", (_, text) => {
    const problem = problemOf(fileOf(text));
    expect(problem.code).toBe("key-file-content");
    expect(JSON.stringify([problem.message, problem.detail])).not.toMatch(/112233|ddeeff/i);
  });

  it("says what it cannot read", () => {
    expect(problemOf(join(folder, "none"))).toMatchObject({
      code: "key-file",
      message: expect.stringContaining("ENOENT"),
    });
    expect(problemOf(folder)).toMatchObject({ code: expect.stringMatching(/^key-file/) });
  });

  it.each([
    DIGITS,
    DIGITS.toLowerCase(),
    `0x${DIGITS}`,
    `/etc/kilowitness/${DIGITS}`,
    (DIGITS.match(/../g) ?? []).join(" "),
    (DIGITS.match(/../g) ?? []).join(":"),
  ])("says nothing of a key that stands in place of the path: %#", (path) => {
    const problem = problemOf(path);
    expect(problem.code).toBe("key-file");
    const said = JSON.stringify([
      problem.message,
      problem.detail,
      String(problem.stack),
      problem.cause ?? null,
    ]);
    expect(said.replaceAll(/[^0-9a-f]/gi, "").toLowerCase()).not.toContain(DIGITS.toLowerCase());
    expect(problem.message).toContain("path of a file");
  });
});
