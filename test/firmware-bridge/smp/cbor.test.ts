import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Problem } from "../../../attest/problem.ts";
import { decodeSmpMap, encodeSmpMap, type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import { describeVectors, readVectors, reportCount } from "../../kit/vectors.ts";
import { hex, shownHex } from "./kit.ts";

const vectorShape = z.array(z.object({ hex: z.string(), decoded: z.unknown().optional() }));

/** Floats, tags, undefined, other simple values, strings of indefinite length, keys that are no text. */
const NOT_READ = /^(?:f[9ab]|[cd]|f7|f0|f8|[57]f|a201)/;

/** Larger than JSON.parse keeps exactly. */
const WIDE: Readonly<Record<string, bigint>> = {
  "1bffffffffffffffff": 18_446_744_073_709_551_615n,
  "3bffffffffffffffff": -18_446_744_073_709_551_616n,
};

/** Maps as plain objects. */
function plain(value: SmpValue | undefined): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeSmpMap(bytes);
  } catch (error) {
    if (error instanceof Problem && error.code === "smp-cbor") return error.message;
    throw error;
  }
  return "read";
}

describeVectors("RFC 8949, appendix A", () => {
  const vectors = readVectors("cbor/appendix_a.json", vectorShape);

  it("is read as far as SMP has it, and else refused", () => {
    let read = 0;
    for (const { hex: text, decoded } of vectors) {
      const inMap = hex(`a16176${text}`);
      if (NOT_READ.test(text)) expect([text, refusal(inMap)]).not.toEqual([text, "read"]);
      else {
        read += 1;
        // Byte strings stand in the vectors as diagnostic notation alone.
        const expected =
          WIDE[text] ?? (text === "40" ? hex("") : text === "4401020304" ? hex(text.slice(2)) : decoded);
        expect([text, plain(decodeSmpMap(inMap).get("v"))]).toEqual([text, expected]);
      }
    }
    expect(read).toBe(45);
    reportCount("CBOR of SMP, read and refused", vectors.length);
  });
});

describe("the body of a message", () => {
  it("of firmware is read: zcbor without definite lengths", () => {
    expect(plain(decodeSmpMap(hex("bf62726300636f6666190200ff")))).toEqual({ rc: 0, off: 512 });
  });

  it("is written with definite lengths and shortest integers", () => {
    expect(shownHex(encodeSmpMap(smpMap({ d: "hello" })))).toBe("a161646568656c6c6f");
    expect(shownHex(encodeSmpMap(smpMap({ off: 512, gone: undefined, data: hex("0102"), up: true })))).toBe(
      "a3636f66661902006464617461420102627570f5",
    );
    expect(shownHex(encodeSmpMap(smpMap({ off: 1, l: [1n, -1, null] }), "indefinite"))).toBe(
      "bf636f666601616c9f0120f6ffff",
    );
  });

  it.each([
    ["80", "a map"],
    ["a0a0", "1 bytes after"],
    ["a1", "1 announced, 0 bytes left"],
    ["a16161", "ends early"],
    ["bf616101", "ends early"],
    ["ff", "break"],
    ["a161615affffffff", "4294967295 announced"],
    ["a161619bffffffffffffffff", "18446744073709551615 announced"],
    ["bbffffffffffffffff", "announced"],
    ["a26161016161 02", 'the key "a" a second time'],
    ["a10101", "a key that is no text"],
    ["a1616161ff", "UTF-8"],
    ["a161611c", "reserved"],
    [`${"a16161".repeat(7)}80`, "nested deeper"],
  ])("%s is refused: %s", (text, said) => {
    expect(refusal(hex(text))).toContain(said);
  });

  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.boolean(),
    fc.constant(null),
    fc.string({ maxLength: 30 }),
    fc.uint8Array({ maxLength: 300 }),
  );
  const { map } = fc.letrec<{ value: SmpValue; map: ReadonlyMap<string, SmpValue> }>((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie("value"), { maxLength: 30 }), tie("map")),
    map: fc
      .dictionary(fc.string(), tie("value"), { maxKeys: 5 })
      .map((object) => new Map(Object.entries(object))),
  }));

  it("is read as it was written, with either kind of length", () => {
    const length = fc.constantFrom("definite", "indefinite");
    fc.assert(
      fc.property(map, length, (value, kind) => {
        expect(decodeSmpMap(encodeSmpMap(value, kind))).toEqual(value);
      }),
    );
  });

  it("of any bytes at all is read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void refusal(bytes)),
      { numRuns: 2_000 },
    );
  });
});
