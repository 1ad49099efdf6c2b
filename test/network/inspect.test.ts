import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type InspectOptions, inspect } from "../../network/cli/inspect.ts";
import { problemOf } from "../attest/refusal.ts";
import { LogBuilder, testSigner } from "../kit/log-builder.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/kilowitness.js", import.meta.url));

describe("kilowitness inspect", () => {
  let folder = "";
  let leaves: Buffer[] = [];
  let receipt: Buffer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "kw-inspect-"));
    const log = new LogBuilder();
    log.manifest();
    log.readMany(3, { stepMs: 5000, risesMwh: 7 });
    await log.checkpoint();
    receipt = Buffer.from(await log.receive(testSigner(2), log.timeMs + 5));
    leaves = log.leaves.map(({ bytes }) => Buffer.from(bytes));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, content: Uint8Array | string): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** What it writes to a file or pipe. */
  function output(path: string, options: InspectOptions = {}): Buffer {
    const chunks: Buffer[] = [];
    inspect(path, options, { write: (chunk) => chunks.push(Buffer.from(chunk)) });
    return Buffer.concat(chunks);
  }

  function launched(args: readonly string[], input?: string): ReturnType<typeof spawnSync> {
    return spawnSync(process.execPath, [LAUNCHER, "inspect", ...args], { input });
  }

  it("shows a leaf, leaves and a signed object, and turns them back into the same bytes", () => {
    const inputs: readonly (readonly [Buffer, object])[] = [
      [leaves[0] ?? Buffer.alloc(0), { kind: "logManifest", seq: 0, network: "test-network" }],
      [Buffer.concat(leaves), leaves.map((_, seq) => ({ seq }))],
      [receipt, { type: "kilowitness/1 receipt", payload: { size: leaves.length } }],
    ];
    for (const [bytes, says] of inputs) {
      const json = output(file("sealed", bytes));
      expect(json.at(-1)).toBe("\n".charCodeAt(0));
      expect(JSON.parse(json.toString())).toMatchObject(says);
      expect(output(file("json", json), { encode: true })).toEqual(bytes);
    }
  });

  it("reads and writes hexadecimal text", () => {
    const hex = receipt.toString("hex");
    const lines = ` ${hex.slice(0, 70).toUpperCase()}\r\n\t${hex.slice(70)}\n`;
    const json = output(file("receipt.hex", lines), { hex: true });
    expect(json).toEqual(output(file("receipt", receipt)));
    const back = output(file("receipt.json", json), { encode: true, hex: true }).toString();
    expect(back.replaceAll("\n", "")).toBe(hex);
    expect(Math.max(...back.split("\n").map((line) => line.length))).toBe(64);
  });

  it("writes no bytes onto a terminal, and says what to do; hexadecimal and JSON it does write", () => {
    const path = file("receipt.json", output(file("receipt", receipt)));
    const written: unknown[] = [];
    const terminal = { isTTY: true, write: (chunk: unknown) => written.push(chunk) };
    expect(problemOf(() => inspect(path, { encode: true }, terminal))).toMatchObject({
      code: "inspect-terminal",
      detail: { hint: expect.stringContaining("--hex") },
    });
    expect(written).toEqual([]);
    inspect(path, { encode: true, hex: true }, terminal);
    inspect(join(folder, "receipt"), {}, terminal);
    expect(written).toHaveLength(2);
  });

  it.each<[string, Uint8Array | string, InspectOptions, string]>([
    ["an empty file", "", {}, "inspect-read"],
    ["text that is not UTF-8", Uint8Array.of(0xff), { encode: true }, "inspect-text"],
    ["hexadecimal text that is none", "0x00", { hex: true }, "bytes-hex"],
    ["half a byte", "000", { hex: true }, "bytes-hex"],
    ["JSON where bytes belong", '{"kind": "reading"}', {}, "inspect-text"],
    ["bytes that are no leaf", Uint8Array.of(0xa1, 0x01), {}, "cbor-truncated"],
    ["bytes that are neither map nor object", Uint8Array.of(0xff), {}, "cbor-type"],
    ["JSON with something wrong in it", '{"kind": "wish"}', { encode: true }, "json-kind"],
    ["bytes where JSON belongs", Uint8Array.of(0x05), { encode: true }, "json-syntax"],
  ])("refuses %s", (_, content, options, code) => {
    expect(problemOf(() => output(file("wrong", content), options)).code).toBe(code);
  });

  it("refuses a file that is not there, a folder, and one above its size", () => {
    expect(problemOf(() => output(join(folder, "gone")))).toMatchObject({
      ...{ code: "inspect-read", detail: { where: join(folder, "gone"), hint: "check the path" } },
    });
    expect(problemOf(() => output(folder)).code).toBe("inspect-read");
    expect(problemOf(() => output(file("large", Buffer.alloc(16_777_217)))).code).toBe("inspect-read");
  });

  it("as a program: bytes and text on standard output, one line and status 1 for what is wrong", () => {
    const path = file("receipt", receipt);
    const shown = launched([path]);
    expect(shown).toMatchObject({ status: 0, stdout: output(path), stderr: Buffer.alloc(0) });
    const encoded = launched(["--encode", "-"], String(shown.stdout));
    expect(encoded).toMatchObject({ status: 0, stdout: readFileSync(path), stderr: Buffer.alloc(0) });
    const wrong = launched(["--encode", "-"], String(shown.stdout).replace(/"size": \d+/, '"size": 1.5'));
    expect(wrong).toMatchObject({ status: 1, stdout: Buffer.alloc(0) });
    expect(String(wrong.stderr)).toMatch(
      /^kilowitness inspect: \$\.payload\.size: .* got 1\.5 \(json-number\)\n$/,
    );
  });
});
