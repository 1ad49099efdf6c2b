import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatText, type LineAddress } from "../../../drivers/line/address.ts";
import { lineKey } from "../../../drivers/line/line-key.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "line-key-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const serial = (name: string): LineAddress => ({ kind: "serial", path: join(folder, name) });

describe("the key of a line", () => {
  it("is one for all names of a port", () => {
    writeFileSync(join(folder, "ttyUSB0"), "");
    symlinkSync(join(folder, "ttyUSB0"), join(folder, "by-id"));
    expect(lineKey(serial("by-id"))).toBe(lineKey(serial("ttyUSB0")));
    expect(lineKey(serial("ttyUSB1"))).not.toBe(lineKey(serial("ttyUSB0")));
  });

  it("stays that of a name in use, whether the port was plugged in when it was first used or not", () => {
    const address = serial("by-id");
    const known = new Map([[lineKey(address), { address }]]);
    writeFileSync(join(folder, "ttyUSB0"), "");
    symlinkSync(join(folder, "ttyUSB0"), join(folder, "by-id"));
    expect([...known.keys()]).toEqual([lineKey(address, known)]);
    expect([...known.keys()]).not.toEqual([lineKey(address)]);
  });

  it("is the same for a host in capitals, and another for another port", () => {
    const tcp = (host: string, port: number): string => lineKey({ kind: "tcp", host, port });
    expect(tcp("METERS", 1)).toBe(tcp("meters", 1));
    expect(tcp("meters", 2)).not.toBe(tcp("meters", 1));
  });
});

it.each([
  ["2400 8E1", { baudRate: 2_400, dataBits: 8, parity: "even", stopBits: 1 }],
  ["300 7O2", { baudRate: 300, dataBits: 7, parity: "odd", stopBits: 2 }],
  ["115200 8N1", { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 }],
] as const)("a format is written as %s", (text, format) => {
  expect(formatText(format)).toBe(text);
});
