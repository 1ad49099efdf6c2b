import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { type Examination, type FrameFormat, StreamFramer } from "../../../drivers/telegram/stream-framer.ts";
import type { Framed, Framer } from "../../../drivers/telegram/telegram.ts";

const START = 0x5b;
const MAX_BYTES = 12;

/** `[`, a length, so many bytes, and their sum. */
const COUNTED: FrameFormat = {
  maxBytes: MAX_BYTES,
  find: (bytes, from) => {
    const at = bytes.indexOf(START, from);
    return at === -1 ? bytes.length : at;
  },
  examine: (bytes, { offset }): Examination => {
    const count = bytes[1];
    if (count === undefined) return { kind: "incomplete", need: 2 };
    const length = count + 3;
    if (length > MAX_BYTES) return { kind: "noise" };
    if (bytes.length < length) return { kind: "incomplete", need: length };
    const sum = bytes.subarray(2, length - 1).reduce((total, byte) => (total + byte) & 0xff, 0);
    if (bytes[length - 1] === sum) return { kind: "telegram", length };
    return { kind: "refused", length, problem: new Problem("toy-sum", "wrong", { where: `${offset}` }) };
  },
  cut: (bytes, offset) =>
    bytes.length > 1 ? new Problem("toy-cut", "cut off", { where: `${offset}` }) : undefined,
};

function frame(...payload: number[]): number[] {
  return [START, payload.length, ...payload, payload.reduce((total, byte) => (total + byte) & 0xff, 0)];
}

function told(framed: Framed): string {
  return framed.kind === "refused"
    ? `${framed.offset} ${framed.problem.code}`
    : `${framed.offset} ${framed.bytes.join(" ")}`;
}

function run(framer: Framer, chunks: readonly (readonly number[])[]): string[] {
  const found = chunks.flatMap((chunk) => [...framer.push(Uint8Array.from(chunk))]);
  return [...found, ...framer.end()].map(told);
}

const whole = (bytes: readonly number[]): string[] => run(new StreamFramer(COUNTED), [bytes]);

describe("a stream of bytes", () => {
  it("is cut into telegrams, each with its place", () => {
    expect(whole([9, ...frame(1, 2), 8, 8, ...frame()])).toEqual(["1 91 2 1 2 3", "8 91 0 0"]);
  });

  it("finds a telegram that a false beginning swallowed", () => {
    expect(whole([START, 6, ...frame(1, 2), 7, 7, 7])).toEqual(["0 toy-sum", "2 91 2 1 2 3"]);
  });

  it("tells of what is refused within a refused one only once", () => {
    expect(whole([START, 6, START, 1, 1, 7, 1, 1, 77, ...frame(4)])).toEqual(["0 toy-sum", "9 91 1 4 4"]);
  });

  it("refuses what the end of the stream cuts off, and finds what stands in it", () => {
    expect(whole([START, 9, ...frame(5)])).toEqual(["0 toy-cut", "2 91 1 5 5"]);
    expect(whole([START])).toEqual([]);
  });

  it("gives the same however the bytes come in pieces", () => {
    const piece = fc.oneof(
      fc.array(fc.constantFrom(START, 0, 1, 2, 9, 200), { maxLength: 6 }),
      fc.array(fc.nat(255), { maxLength: 9 }).map((payload) => frame(...payload)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(20)), (pieces, cuts) => {
        const bytes = pieces.flat();
        const chunks: number[][] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = cuts[turn] ?? 1;
          chunks.push(bytes.slice(at, at + size));
          at += Math.max(size, 1);
          if (size === 0) chunks.push(bytes.slice(at - 1, at));
        }
        const expected = whole(bytes);
        expect(run(new StreamFramer(COUNTED), chunks)).toEqual(expected);
        // Each good telegram that no other one reaches into is there.
        const good = expected.filter((line) => !line.includes("toy"));
        const offsets = good.map((line) => Number(line.split(" ")[0]));
        expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      }),
      { numRuns: 2000 },
    );
  });

  it("hands back what was scanned, and keeps to its bound", () => {
    const scans: number[] = [];
    const format: FrameFormat = {
      ...COUNTED,
      examine: (bytes, { scanned }) => {
        scans.push(scanned);
        if (bytes.length >= MAX_BYTES)
          return { kind: "refused", length: bytes.length, problem: new Problem("toy-long", "too long") };
        return { kind: "incomplete", need: bytes.length + 1, scanned: bytes.length };
      },
    };
    const framer = new StreamFramer(format);
    expect([...framer.push(Uint8Array.of(START))]).toEqual([]);
    const outcomes = Array.from({ length: 1000 }, () => framer.push(Uint8Array.of(7))).flat();
    expect(outcomes.map(({ kind }) => kind)).toEqual(["refused"]);
    expect(scans).toEqual(Array.from({ length: MAX_BYTES }, (_, at) => at));
  });

  it("refuses a format that waits for more than it may keep", () => {
    const format: FrameFormat = { ...COUNTED, examine: () => ({ kind: "incomplete", need: MAX_BYTES + 1 }) };
    expect(() => new StreamFramer(format).push(Uint8Array.of(START))).toThrow(RangeError);
  });
});
