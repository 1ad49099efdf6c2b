import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDurably, makeFolder, replaceDurably } from "../../runtime/files.ts";
import { createKey, loadOrCreateKey, readKey } from "../../runtime/key-file.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-files-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function coded(code: string): unknown {
  return expect.objectContaining({ code });
}

describe("a folder", () => {
  it("is made with those above it, and stays as it is where it is there", () => {
    const below = join(folder, "a", "b");
    makeFolder(below, 0o700);
    writeFileSync(join(below, "file"), "kept");
    makeFolder(below, 0o755);
    expect(readdirSync(below)).toEqual(["file"]);
    expect(statSync(below).mode & 0o777).toBe(0o700);
  });

  it("is refused where there is a file, and where the system has none", () => {
    writeFileSync(path, "");
    expect(() => makeFolder(path)).toThrow(coded("EEXIST"));
    expect(() => makeFolder(join(path, "below"))).toThrow(coded("ENOTDIR"));
    expect(() => makeFolder("/proc/kilowitness/below")).toThrow(coded("ENOENT"));
  });
});

describe("files that are whole or not there", () => {
  it("are written anew in place of the old ones", () => {
    writeFileSync(`${path}.new`, "left over from a power cut");
    for (const text of ["one\n", "two\n"]) {
      replaceDurably(path, text);
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    expect(readdirSync(folder)).toEqual(["file"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("are created once", () => {
    writeFileSync(`${path}.new`, "left over from a power cut");
    createDurably(path, "one\n");
    expect(() => createDurably(path, "two\n")).toThrow(coded("EEXIST"));
    expect(readFileSync(path, "utf8")).toBe("one\n");
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});

describe("key file", () => {
  it("is made at first, 0600, and read ever after", () => {
    const first = loadOrCreateKey(path);
    expect(first.created).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadOrCreateKey(path)).toEqual({ key: first.key, created: false });
    expect(readKey(path)).toEqual(first.key);
    expect(first.key.seed).toHaveLength(32);
    expect(first.key.saltKey).not.toEqual(first.key.seed);
  });

  it("is never written over", () => {
    const key = createKey(path);
    expect(() => createKey(path)).toThrow(coded("key-exists"));
    expect(readKey(path)).toEqual(key);
  });

  it.each([0o640, 0o604, 0o660, 0o601])("is refused when others may use it: mode %o", (mode) => {
    createKey(path);
    chmodSync(path, mode);
    expect(() => readKey(path)).toThrow(coded("key-permissions"));
    expect(() => loadOrCreateKey(path)).toThrow(coded("key-permissions"));
  });

  it.each([
    ["empty", () => ""],
    ["of text", () => "hello\n"],
    ["cut off", (text: string) => text.slice(0, -20)],
    ["of another version", (text: string) => text.replace("key 1", "key 2")],
    ["with more in it", (text: string) => `${text}more\n`],
    ["in capitals", (text: string) => text.replace(/[0-9a-f]{64}/, (hex) => `A${hex.slice(1)}`)],
  ])("is refused when it is %s, and not replaced", (_name, damage) => {
    createKey(path);
    const damaged = damage(readFileSync(path, "utf8"));
    writeFileSync(path, damaged);
    expect(() => loadOrCreateKey(path)).toThrow(coded("key-format"));
    expect(readFileSync(path, "utf8")).toBe(damaged);
  });

  it("is named when it is not there or is no file", () => {
    expect(() => readKey(path)).toThrow(coded("key-read"));
    expect(() => createKey(join(folder, "no", "key"))).toThrow(coded("key-write"));
    writeFileSync(path, "");
    expect(() => loadOrCreateKey(join(path, "key"))).toThrow(coded("key-write"));
    mkdirSync(join(folder, "dir"), 0o700);
    expect(() => readKey(join(folder, "dir"))).toThrow(coded("key-read"));
  });
});
