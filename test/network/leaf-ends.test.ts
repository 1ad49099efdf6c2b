import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import { leafEnds } from "../../network/leaf-ends.ts";
import { bytesOf } from "../attest/fault-forge.ts";
import { histories, openedLog, play } from "../attest/fault-kit.ts";

/** Well-formed items of RFC 8949, appendix A, most of which are no evidence: floats, tags, long forms, simple values. */
const ITEMS = [
  ...[
    "00",
    "1864",
    "1b000000e8d4a51000",
    "1bffffffffffffffff",
    "3bffffffffffffffff",
    "f97bff",
    "fb3ff199999999999a",
  ],
  ...[
    "f4",
    "f6",
    "f8ff",
    "c074323031332d30332d32315432303a30343a30305a",
    "c249010000000000000000",
    "d74401020304",
  ],
  ...["d818456449455446", "40", "4401020304", "60", "6449455446", "80", "83010203", "8301820203820405", "a0"],
  ...["a201020304", "826161a161626163", "98190102030405060708090a0b0c0d0e0f101112131415161718181819"],
];

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function endsOf(parts: readonly Uint8Array[]): number[] {
  let end = 0;
  return parts.map((part) => {
    end += part.length;
    return end;
  });
}

describe("leaves that stand back to back", () => {
  it("are told apart as they were put there", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (events) => {
        const leaves = bytesOf(await play(openedLog(), events));
        expect([...(leafEnds(concatBytes(...leaves), leaves.length) ?? [])]).toEqual(endsOf(leaves));
      }),
      { numRuns: 20 },
    );
  });

  it("are told apart where they are none, as long as they are CBOR; the last may be anything", () => {
    const items = fc.array(fc.constantFrom(...ITEMS).map(bytes), { maxLength: 6 });
    const rest = fc.uint8Array({ minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(items, rest, (before, last) => {
        const parts = [...before, last];
        expect([...(leafEnds(concatBytes(...parts), parts.length) ?? [])]).toEqual(endsOf(parts));
      }),
    );
  });

  it.each([
    ["nothing", "", 1],
    ["fewer than there should be", "0001", 3],
    ["a head that is cut off", "1900", 2],
    ["a string that is cut off", "440102", 2],
    ["a string of 2^64-1 bytes", "5bffffffffffffffff00", 2],
    ["an array of 2^64-1 items", "9bffffffffffffffff00", 2],
    ["a map that is cut off", "a20102", 2],
    ["a length that is not there", "1c00", 2],
    ["an item of indefinite length", "9f01ff00", 2],
    ["arrays without end", "81".repeat(9000), 2],
  ])("are not told apart in %s", (_, hex, count) => {
    expect(leafEnds(bytes(hex), count)).toBeUndefined();
  });
});
