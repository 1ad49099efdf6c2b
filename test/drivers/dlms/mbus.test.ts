import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_TELEGRAM_BYTES } from "../../../drivers/dlms/assembly.ts";
import { DlmsFramer } from "../../../drivers/dlms/framing.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import {
  cut,
  encipher,
  hex,
  join,
  KEY,
  LIST,
  mbusFrame,
  mbusSegments,
  notification,
  problemOf,
  refusals,
  telegram,
  telegrams,
} from "./kit.ts";

const APDU = notification(LIST);
const [FIRST = APDU, SECOND = APDU, THIRD = APDU] = mbusSegments(APDU, 30);
const TELEGRAM = join(FIRST, SECOND, THIRD);

describe("DLMS over wired M-Bus", () => {
  it("has the frame of a Kaifa MA309 in Austria: 68 L L 68 53 FF CI 01 67", () => {
    expect(mbusFrame(hex("db"), 0x00)).toEqual(hex("68 06 06 68 53 ff 00 01 67 db 95 16"));
  });

  it("is the telegram that HDLC carries, in one frame or in segments", () => {
    for (const size of [1, 7, 30, 245]) {
      const stream = join(...mbusSegments(APDU, Math.max(size, Math.ceil(APDU.length / 16))));
      const [found = APDU, ...more] = telegrams(cut(stream, 64, true));
      expect(more).toEqual([]);
      expect(found).toEqual(stream);
      expect(decodeDlms(found)).toEqual(decodeDlms(telegram(LIST)));
    }
  });

  it("carries encrypted telegrams", () => {
    const [found = APDU] = telegrams(cut(join(...mbusSegments(encipher(APDU, 0x20), 100))));
    expect(decodeDlms(found, { key: KEY }).values).toEqual(decodeDlms(APDU).values);
    expect(problemOf(() => decodeDlms(found)).code).toBe("dlms-key-missing");
  });

  it("may have 257 bytes under the length 01, as the Sagemcom T210-D sends them", () => {
    const long = hex(
      `0f 40000000 00 01 0b ${"02 02 09 06 00 00 60 01 00 ff 0a 10 31323334353637383930313233343536".repeat(11)}`,
    );
    const frame = join(mbusFrame(long.subarray(0, 252), 0x00), mbusFrame(long.subarray(252), 0x11));
    expect([...frame.subarray(0, 4)]).toEqual([0x68, 0x01, 0x01, 0x68]);
    expect(telegrams(cut(frame, 50, true))).toEqual([frame]);
    expect(decodeDlms(frame)).toEqual(decodeDlms(long));
  });

  it("is found between HDLC and noise, the same however it comes", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(TELEGRAM, telegram(LIST), FIRST, SECOND, hex("68 f0 f0 68"), hex("7e a7 ff")),
      fc.nat(TELEGRAM.length - 1).map((place) => TELEGRAM.with(place, 0x68)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), fc.integer({ min: 1, max: 90 }), (pieces, size) => {
        const stream = join(...pieces);
        const whole = cut(stream, stream.length, true);
        expect(cut(stream, size, true)).toEqual(whole);
        expect(cut(stream, 1, true)).toEqual(whole);
        for (const bytes of telegrams(whole)) expect(() => decodeDlms(bytes)).not.toThrow();
      }),
    );
    const noise = fc.uint8Array({ maxLength: 150 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
        const stream = join(before, TELEGRAM, between, telegram(LIST), between, TELEGRAM);
        expect(telegrams(cut(stream, size, true))).toEqual([TELEGRAM, telegram(LIST), TELEGRAM]);
      }),
    );
  });

  it("is none where the third byte shows it, however the bytes come, also at the end", () => {
    for (const size of [1, 2, 3]) expect(cut(hex("68 00 01"), size, true)).toEqual([]);
  });

  it("with any one bit changed is refused or another telegram's", () => {
    for (let bit = 0; bit < TELEGRAM.length * 8; bit += 1) {
      const changed = TELEGRAM.with(bit >>> 3, (TELEGRAM[bit >>> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(telegrams(cut(changed, changed.length, true))).toEqual([]);
    }
  });

  it.each([
    ["a wrong checksum", FIRST.with(12, 0xee), "dlms-checksum"],
    ["no stop byte", FIRST.with(FIRST.length - 1, 0x17), "dlms-stop"],
  ])("refuses %s, with its offset, and finds the next telegram", (_, damaged, code) => {
    const outcomes = cut(join(TELEGRAM, damaged, SECOND, THIRD, TELEGRAM), 7, true);
    expect(telegrams(outcomes)).toEqual([TELEGRAM, TELEGRAM]);
    expect(refusals(outcomes)).toContainEqual([code, TELEGRAM.length]);
  });

  it.each([
    ["without the first", [SECOND, THIRD]],
    ["without one between", [FIRST, THIRD]],
    ["without the last", [FIRST, SECOND]],
    ["in another order", [FIRST, THIRD, SECOND]],
    ["twice the same", [FIRST, SECOND, SECOND, THIRD]],
    ["with noise between", [FIRST, hex("00"), SECOND, THIRD]],
    ["of two meters", [FIRST, mbusFrame(hex("00"), 0x01, "53 fe"), THIRD]],
  ])("segments %s are refused", (_, parts) => {
    const outcomes = cut(join(...parts), 11, true);
    expect(telegrams(outcomes)).toEqual([]);
    expect(refusals(outcomes).map(([code]) => code)).toContain("dlms-segment");
  });

  it("says nothing of the telegrams of heat and water meters on the same line", () => {
    const heat = mbusFrame(hex("01 02 03 04 05"), 0x72);
    expect(telegrams(cut(join(heat, TELEGRAM), 9, true))).toEqual([TELEGRAM]);
  });

  it("is found behind a beginning that was none", () => {
    for (const beginning of ["68 f0 f0 68", "7e a7 ff", "68 68 68 68", "7e 68"]) {
      const stream = join(hex(beginning), TELEGRAM, telegram(LIST));
      expect(telegrams(cut(stream, 5, true))).toEqual([TELEGRAM, telegram(LIST)]);
    }
  });

  it("keeps nothing of an endless stream", () => {
    const framer = new DlmsFramer();
    const endless = mbusFrame(new Uint8Array(200), 0x00);
    for (let round = 0; round < 300; round += 1) {
      framer.push(new Uint8Array(1000).fill(round & 0xff));
      framer.push(endless);
    }
    framer.push(new Uint8Array(2100).fill(0x55));
    expect(telegrams(framer.push(TELEGRAM))).toEqual([TELEGRAM]);
    expect(MAX_TELEGRAM_BYTES).toBeGreaterThan(16 * 250);
  });
});
