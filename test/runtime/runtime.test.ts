import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readConfigFile } from "../../runtime/config-file.ts";
import { Backoff } from "../../runtime/limits.ts";
import { readStatements } from "../../runtime/sql.ts";
import { VERSION } from "../../runtime/version.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-runtime-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

describe("readConfigFile", () => {
  const schema = z.strictObject({ port: z.int(), host: z.string().default("here") });
  const read = (text: string): unknown => {
    writeFileSync(path, text);
    return readConfigFile(path, schema);
  };
  const refusal = (code: string, ...said: string[]): unknown =>
    expect.objectContaining({
      code,
      message: expect.stringMatching(new RegExp(said.map(literally).join(".*"))),
    });

  it("reads YAML through the schema", () => {
    expect(read("port: 7 # a comment\n")).toEqual({ port: 7, host: "here" });
  });

  it("names file and line of what is not YAML", () => {
    expect(() => read("port: 7\nhost: [a\n")).toThrow(
      refusal("config-syntax", `${path} line`, "not valid YAML"),
    );
    expect(() => read("port: 7\nport: 8\n")).toThrow(refusal("config-syntax", `${path} line 2`));
  });

  it("names the key that is wrong, and all keys that nobody knows", () => {
    expect(() => read("port: x\n")).toThrow(refusal("config-invalid", `${path}: port`));
    expect(() => read("port: 7\nhots: a\n")).toThrow(refusal("config-invalid", path, "hots"));
    expect(() => read("")).toThrow(refusal("config-invalid", `${path}: top level`));
  });

  it("names the file that is not there, in one line", () => {
    expect(() => readConfigFile(join(folder, "gone"), schema)).toThrow(
      refusal("config-read", join(folder, "gone"), "ENOENT", "--config"),
    );
  });
});

describe("Backoff", () => {
  it("doubles the bound up to the most, waits anywhere below it, and begins anew when reset", () => {
    const top = new Backoff({ firstMs: 100, mostMs: 1000, random: () => 1 });
    expect(Array.from({ length: 6 }, () => top.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    top.reset();
    expect(top.next()).toBe(100);
    const half = new Backoff({ firstMs: 100, mostMs: 1000, random: () => 0.5 });
    expect(Array.from({ length: 4 }, () => half.next())).toEqual([50, 100, 200, 400]);
  });

  it("stays at the most after years of failures", () => {
    const backoff = new Backoff({ firstMs: 500, mostMs: 300_000, random: () => 1 });
    for (let i = 0; i < 5000; i++) backoff.next();
    expect(backoff.next()).toBe(300_000);
  });
});

describe("readStatements", () => {
  it("gives each statement by its name and says which one is missing", () => {
    writeFileSync(path, "-- a comment\n\n-- name: one\nSELECT 1\n\n-- name: two\nSELECT\n  2\n");
    const statement = readStatements(pathToFileURL(path));
    expect(statement("one")).toBe("SELECT 1");
    expect(statement("two")).toBe("SELECT\n  2");
    expect(() => statement("three")).toThrow(expect.objectContaining({ code: "sql-missing" }));
  });
});

describe("VERSION", () => {
  it("is that of package.json", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(VERSION).toBe(version);
  });
});
