import { describe, expect, it } from "vitest";
import { initialise, requestData, resetApplication, select } from "../../../drivers/mbus/requests.ts";
import { fitsSecondary, parseSecondaryAddress } from "../../../drivers/mbus/secondary.ts";
import { timingOf } from "../../../drivers/mbus/timing.ts";
import { bytes } from "./kit.ts";

const HEADER = { identification: "12345678", manufacturer: "ABB", version: 2, medium: 2 };

describe("a secondary address", () => {
  it.for([
    ["12345678", true],
    ["1234567F", true],
    ["FFFFFFFF", true],
    ["1234567842040202", true],
    ["12345678FFFF02FF", true],
    ["12345679", false],
    ["0FFFFFFF", false],
    ["1234567842050202", false],
    ["1234567842040302", false],
    ["1234567842040204", false],
  ] as const)("%s: %s", ([text, expected]) => {
    expect(fitsSecondary(parseSecondaryAddress(text), HEADER)).toBe(expected);
  });

  it("is sent with the number's last digits first", () => {
    const { bytes: sent, wildcards } = parseSecondaryAddress("1234567842040202");
    expect(sent).toEqual(bytes("78 56 34 12 42 04 02 02"));
    expect(wildcards).toBe(false);
    expect(parseSecondaryAddress("123f5678").wildcards).toBe(true);
  });
});

describe("requests", () => {
  // As rscada/libmbus f09d613 makes them.
  it.for([
    [initialise(254), "10 40 FE 3E 16"],
    [requestData(5, true), "10 7B 05 80 16"],
    [requestData(5, false), "10 5B 05 60 16"],
    [resetApplication(254), "68 03 03 68 53 FE 50 A1 16"],
    [select(bytes("78 56 34 12 FF FF FF FF")), "68 0B 0B 68 53 FD 52 78 56 34 12 FF FF FF FF B2 16"],
  ] as const)("%#", ([made, expected]) => {
    expect(made).toEqual(bytes(expected));
  });
});

describe("the time for an answer", () => {
  it("follows the rate, unless it is said", () => {
    const serial = { kind: "serial", path: "/dev/x" } as const;
    // 330 bits and 50 ms, and 200 ms for adapters.
    expect(timingOf(serial, 2_400).beginMs).toBe(388);
    expect(timingOf({ ...serial, baudRate: 300 }, 2_400).beginMs).toBe(1_350);
    // A frame of 261 bytes at 300 baud lasts 9.6 s.
    expect(timingOf({ ...serial, baudRate: 300 }, 2_400).wholeMs).toBeGreaterThan(9_600);
    const told = timingOf({ kind: "tcp", host: "h", port: 1 }, 2_400, 150);
    expect(told).toMatchObject({ beginMs: 150, gapMs: 150 });
    expect(told.wholeMs).toBeGreaterThan(9_600);
  });
});
