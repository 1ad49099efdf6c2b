import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_FILE_BYTES, SmlFramer } from "../../../drivers/sml/framing.ts";
import { crc16Kermit, crc16X25 } from "../../../drivers/telegram/crc16.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import {
  decodeOne,
  entry,
  file,
  frame,
  hex,
  join,
  octets,
  sealed,
  TELEGRAM,
  textOf,
  valueList,
} from "./kit.ts";

const START = hex("1b1b1b1b01010101");

function withByte(bytes: Uint8Array, at: number, change: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ change : byte));
}

/** Bytes that an SML line is made of, and any others. */
const lineBytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        hex("1b"),
        hex("01"),
        hex("1a"),
        hex("1b1b1b1b"),
        hex("01010101"),
        START,
        hex("1b1b1b1b1a00"),
      ),
      fc.uint8Array({ maxLength: 20 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => join(...parts));

describe("SML checksums", () => {
  it("have the published check values of CRC-16/X-25 and CRC-16/KERMIT", () => {
    const digits = new TextEncoder().encode("123456789");
    expect(crc16X25(digits)).toBe(0x906e);
    expect(crc16Kermit(digits)).toBe(0x2189);
  });
});

describe("SML framing", () => {
  it("finds files between noise, however the stream is cut", () => {
    const noise = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 200 }), (before, between, size) => {
        const stream = join(before, TELEGRAM, between, TELEGRAM);
        const whole = frame(stream);
        expect(telegrams(whole)).toEqual([TELEGRAM, TELEGRAM]);
        expect(said(frame(stream, size))).toEqual(said(whole));
        expect(said(frame(stream, 1))).toEqual(said(whole));
      }),
    );
  });

  it("says where in the stream each file stood", () => {
    const outcomes = frame(join(hex("00ff1b"), TELEGRAM, hex("1b1b"), TELEGRAM));
    expect(outcomes.map(({ offset }) => offset)).toEqual([3, 5 + TELEGRAM.length]);
  });

  it("never lets a whole file be lost behind bytes that look like pieces of one", () => {
    fc.assert(
      fc.property(lineBytes, (before) => {
        const stream = join(before, TELEGRAM);
        expect(telegrams(frame(stream)).at(-1)).toEqual(TELEGRAM);
        expect(said(frame(stream, 7))).toEqual(said(frame(stream)));
      }),
      { numRuns: 500 },
    );
  });

  it("finds the next file wherever one is cut off", () => {
    for (let kept = 0; kept < TELEGRAM.length; kept += 1) {
      const outcomes = frame(join(TELEGRAM.subarray(0, kept), TELEGRAM));
      expect(telegrams(outcomes)).toEqual([TELEGRAM]);
      expect(refusals(outcomes)).toHaveLength(kept < START.length ? 0 : 1);
    }
  });

  it("accepts no file with one bit flipped or one byte lost, and finds the next", () => {
    for (let at = 0; at < TELEGRAM.length; at += 1) {
      const flipped = withByte(TELEGRAM, at, 1 << (at % 8));
      const shorter = join(TELEGRAM.subarray(0, at), TELEGRAM.subarray(at + 1));
      expect(telegrams(frame(flipped))).toEqual([]);
      expect(telegrams(frame(join(flipped, TELEGRAM)))).toEqual([TELEGRAM]);
      expect(telegrams(frame(join(shorter, TELEGRAM)))).toEqual([TELEGRAM]);
    }
  });

  it("takes escaped escapes as data, the bytes of a start among them", () => {
    for (const content of ["1b1b1b1b", "1b1b1b1b1b", "1b1b1b1b01010101", "001b1b1b1b1b1b1b1b1a0102"]) {
      const value = entry({ name: "010000000009", value: octets(content) });
      const bytes = file(valueList({ entries: [value] }));
      expect(said(frame(bytes, 1))).toEqual([{ kind: "telegram", offset: 0, bytes }]);
      expect(Buffer.from(decodeOne(bytes).values[0]?.octets ?? []).toString("hex")).toBe(content);
    }
  });

  it("tells data that looks like a start from a start by the checksum", () => {
    const value = entry({ name: "010000000009", value: octets("1b1b1b1b01010101") });
    const damaged = withByte(file(valueList({ entries: [value] })), 20, 1);
    const outcomes = frame(join(damaged, TELEGRAM));
    expect(telegrams(outcomes)).toEqual([TELEGRAM]);
    expect(refusals(outcomes)[0]).toBe("sml-checksum at 0");
  });

  it.each([
    ["a wrong checksum", withByte(TELEGRAM, 30, 4), "sml-checksum at 0"],
    ["an unknown escape", join(START, hex("7600 1b1b1b1b 02020202")), "sml-escape at 0"],
    ["an end of the stream", TELEGRAM.subarray(0, 40), "sml-truncated at 0"],
    ["the start of the next", join(START, hex("7600"), START), "sml-truncated at 0"],
  ])("refuses a file with %s", (_, stream, refusal) => {
    expect(refusals(frame(stream))[0]).toBe(refusal);
  });

  it("refuses fill bytes that are none, though the checksum is right", () => {
    for (const end of ["7605aabb 1b1b1b1b1a01", "00000000 1b1b1b1b1a04", "1b1b1b1b1a03"]) {
      expect(refusals(frame(sealed(hex(`1b1b1b1b01010101${end}`))))).toEqual(["sml-padding at 0"]);
    }
  });

  it("accepts the other checksum that some meters send", () => {
    const bytes = file(valueList({ entries: [] }, { algorithm: "kermit" }), "kermit");
    expect(telegrams(frame(bytes))).toEqual([bytes]);
  });

  it("keeps no more than its bound of a file that never ends, and finds the next", () => {
    const framer = new SmlFramer();
    framer.push(START);
    const endless = Array.from({ length: 40 }, () => framer.push(new Uint8Array(1_000).fill(0x76))).flat();
    expect(refusals(endless)).toEqual(["sml-oversized at 0"]);
    expect(telegrams(framer.push(TELEGRAM))).toEqual([TELEGRAM]);
    expect(MAX_FILE_BYTES).toBeLessThan(40_000);
  });

  it("takes a file of as many bytes as it keeps, and none that is longer", () => {
    const ofLength = (length: number): Uint8Array =>
      sealed(join(START, new Uint8Array(length - 16).fill(0x76), hex("1b1b1b1b1a00")));
    const longest = ofLength(MAX_FILE_BYTES);
    expect(longest).toHaveLength(MAX_FILE_BYTES);
    expect(said(frame(longest, 64))).toEqual([{ kind: "telegram", offset: 0, bytes: longest }]);
    expect(refusals(frame(ofLength(MAX_FILE_BYTES + 1), 64))).toEqual(["sml-oversized at 0"]);
  });

  it("answers an endless stream of starts, of escapes and of escaped starts with refusals only", () => {
    for (const piece of ["1b1b1b1b01010101", "1b", "1b1b1b1b1b1b1b1b01010101", "01010101", "1b1b1b1b1a"]) {
      const stream = join(START, hex(piece.repeat(8_000)));
      const outcomes = frame(stream, 64);
      expect(telegrams(outcomes)).toEqual([]);
      expect(outcomes.length).toBeLessThanOrEqual(stream.length / 8);
      expect(telegrams(frame(join(stream, hex("00"), TELEGRAM)))).toEqual([TELEGRAM]);
    }
  });

  it("reads the value of what it found", () => {
    const [bytes = new Uint8Array()] = telegrams(frame(TELEGRAM));
    expect(textOf(decodeOne(bytes), "1-0:1.8.0*255")).toBe("31604275.1 Wh");
  });
});
