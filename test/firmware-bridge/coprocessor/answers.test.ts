import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { decodeDescription } from "../../../firmware-bridge/coprocessor/describe.ts";
import { decodeKey } from "../../../firmware-bridge/coprocessor/signing.ts";
import { decodeSnapshot } from "../../../firmware-bridge/coprocessor/snapshot.ts";
import { encodeSmpMap, type SmpMap, type SmpValue, smpMap } from "../../../firmware-bridge/smp/cbor.ts";

type Fields = Readonly<Record<string, SmpValue | undefined>>;

const CHANNEL: Fields = {
  ...{ n: "grid", r: 1, i: 5, e: 6, p: -7, soc: 8, u: [230_000], a: [1], f: 50_000, st: 1 },
};
const SNAPSHOT: Fields = { kw: 1, sn: "4711", boot: 2, ms: 3, seq: 4, ch: [smpMap(CHANNEL)] };
const DESCRIBED: Fields = {
  n: "grid",
  r: 1,
  q: 7,
  res: 1000,
  roll: 10 ** 12,
  maxi: 1,
  maxe: 0,
  ct: [5, 1],
  cls: "B",
};
const DESCRIPTION: Fields = { kw: 1, make: "M", model: "N", sn: "4711", fw: "", ch: [smpMap(DESCRIBED)] };
const KEY: Fields = { alg: -19, pub: new Uint8Array(32), max: 1024, boot: 1, n: 0 };
const WRONG = expect.objectContaining({ code: "coprocessor-answer" });

function snapshot(changes: Fields, channel: Fields = {}): ReturnType<typeof decodeSnapshot> {
  const ch = [smpMap({ ...CHANNEL, ...channel })];
  return decodeSnapshot(encodeSmpMap(smpMap({ ...SNAPSHOT, ch, ...changes })));
}

function description(changes: Fields, channel: Fields = {}): ReturnType<typeof decodeDescription> {
  const ch = [smpMap({ ...DESCRIBED, ...channel })];
  return decodeDescription(smpMap({ ...DESCRIPTION, ch, ...changes }), "test");
}

const channel = smpMap(CHANNEL);

describe("a snapshot", () => {
  it("is read with every field, and with the least", () => {
    const reading = {
      ...{ channel: "grid", importMwh: 5, exportMwh: 6, activePowerMw: -7, stateOfChargePpm: 8 },
      ...{ voltageMv: [230_000], currentMa: [1], frequencyMhz: 50_000, status: 1 },
    };
    expect(snapshot({}).channels).toEqual([{ role: "grid", reading }]);
    const least = encodeSmpMap(smpMap({ ...SNAPSHOT, ch: [smpMap({ n: "pv", r: 2 })] }), "indefinite");
    expect(decodeSnapshot(least).channels).toEqual([{ role: "generation", reading: { channel: "pv" } }]);
    expect(snapshot({ ch: [] }).channels).toEqual([]);
  });

  it.each<[string, Fields]>([
    ["of another version", { kw: 2 }],
    ["with a field that is not known", { sum: 1 }],
    ["without a serial number", { sn: "" }],
    ["with a control character in its serial number", { sn: "4711\n" }],
    ["with a long serial number", { sn: "4".repeat(65) }],
    ["with a negative number", { seq: -1 }],
    ["with a time beyond 2^53", { ms: 2n ** 60n }],
    ["with a start in words", { boot: "3" }],
    ["without channels", { ch: undefined }],
    ["with a channel that is none", { ch: [5] }],
    ["with one channel twice", { ch: [channel, channel] }],
    ["with nine channels", { ch: Array.from({ length: 9 }, () => channel) }],
  ])("is refused %s", (_name, changes) => {
    expect(() => snapshot(changes)).toThrow(WRONG);
  });

  it.each<[string, Fields]>([
    ["no name", { n: undefined }],
    ["a name with a space", { n: "my grid" }],
    ["no role", { r: undefined }],
    ["a role that there is not", { r: 6 }],
    ["a negative register", { i: -1 }],
    ["a register beyond 2^53 - 1", { e: 2n ** 53n }],
    ["power as text", { p: "1000" }],
    ["power that is null", { p: null }],
    ["more charge than full", { soc: 1_000_001 }],
    ["no phase", { u: [] }],
    ["four phases", { a: [1, 2, 3, 4] }],
    ["a negative current", { a: [-1] }],
    ["one number in place of a list", { u: 230_000 }],
    ["a status that only the host may say", { st: 4 }],
    ["a field that is not known", { q: 7 }],
  ])("is refused with %s", (_name, changes) => {
    expect(() => snapshot({}, changes)).toThrow(WRONG);
  });

  it("of any bytes is read or refused in words", () => {
    const whole = encodeSmpMap(smpMap(SNAPSHOT));
    const flipped = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ mask;
      return bytes;
    });
    const cut = fc.nat(whole.length - 1).map((length) => whole.slice(0, length));
    fc.assert(
      fc.property(fc.oneof(flipped, cut, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        try {
          decodeSnapshot(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
          expect(error).toMatchObject({ code: "coprocessor-answer" });
        }
      }),
      { numRuns: 500 },
    );
    expect(() => decodeSnapshot(new Uint8Array(0))).toThrow(WRONG);
    expect(() => decodeSnapshot(Uint8Array.of(...whole, 0))).toThrow(WRONG);
  });
});

describe("a description", () => {
  it("is read with every field", () => {
    expect(description({}).channels).toEqual([
      {
        ...{ name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1000 },
        ...{ rolloverMwh: 10 ** 12, maxImportMw: 1, maxExportMw: 0, ctRatio: [5, 1], accuracyClass: "B" },
        signSource: "coprocessor protocol 1: + is into the metered boundary",
        signVerified: false,
      },
    ]);
  });

  it("may have more than is known", () => {
    expect(description({ more: 1, rc: 0 }, { more: 1 }).identity.serial).toBe("4711");
  });

  it.each([2, "1", undefined])("is that of other firmware with version %s", (kw) => {
    const other = expect.objectContaining({ code: "coprocessor-protocol" });
    expect(() => description({ kw })).toThrow(other);
  });

  it.each<[string, Fields, Fields]>([
    ["no maker", { make: undefined }, {}],
    ["an empty model", { model: "" }, {}],
    ["no quantity", {}, { q: 0 }],
    ["a quantity that there is not", {}, { q: 16 }],
    ["registers without a step", {}, { res: undefined }],
    ["a step of nothing", {}, { q: 4, roll: undefined }],
    ["a step of 0", {}, { res: 0 }],
    ["registers that wrap at once", {}, { roll: 1000 }],
    ["a ratio of 0", {}, { ct: [0, 5] }],
    ["half a ratio", {}, { vt: [5] }],
    ["an empty class", {}, { cls: "" }],
    ["one channel twice", { ch: [smpMap(DESCRIBED), smpMap(DESCRIBED)] }, {}],
  ])("is refused with %s", (_name, changes, inChannel) => {
    expect(() => description(changes, inChannel)).toThrow(WRONG);
  });
});

describe("a key", () => {
  const read = (changes: Fields): unknown =>
    decodeKey(smpMap({ ...KEY, ...changes }) satisfies SmpMap, "test");

  it("is read", () => {
    expect(read({ more: 1 })).toMatchObject({ maxMessageBytes: 1024, boot: 1, signatures: 0 });
  });

  it.each<[string, Fields]>([
    ["another algorithm", { alg: -8 }],
    ["a shorter key", { pub: new Uint8Array(31) }],
    ["a longer key", { pub: new Uint8Array(33) }],
    ["a key as text", { pub: "d75a98" }],
    ["less room than a device needs", { max: 1023 }],
    ["more room than a message has", { max: 65_536 }],
    ["no start", { boot: undefined }],
    ["no count", { n: undefined }],
  ])("is refused with %s", (_name, changes) => {
    expect(() => read(changes)).toThrow(WRONG);
  });
});
