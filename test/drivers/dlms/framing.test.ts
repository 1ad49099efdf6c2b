import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_TELEGRAM_BYTES } from "../../../drivers/dlms/assembly.ts";
import { DlmsFramer } from "../../../drivers/dlms/framing.ts";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import { crc16X25 } from "../../../drivers/telegram/crc16.ts";
import {
  cut,
  frame,
  hex,
  join,
  LIST,
  LLC,
  notification,
  refusals,
  segments,
  telegram,
  telegrams,
} from "./kit.ts";

const INFORMATION = join(hex(LLC), notification(LIST));
const TELEGRAM = frame(INFORMATION);

function at(...changes: [number, number][]): Uint8Array {
  const bytes = TELEGRAM.slice();
  for (const [place, value] of changes) bytes[place] = value;
  return bytes;
}

describe("checks of HDLC", () => {
  it("is CRC-16/X-25", () => {
    expect(crc16X25(new TextEncoder().encode("123456789"))).toBe(0x906e);
  });

  it("agrees with the SNRM frame that clients send", () => {
    expect(frame(new Uint8Array(0), { addresses: "03 21", control: 0x93 })).toEqual(
      hex("7e a0 07 03 21 93 0f 01 7e"),
    );
  });
});

describe("DlmsFramer", () => {
  it("finds telegrams one behind the other, with one flag between or several", () => {
    const stream = join(TELEGRAM, TELEGRAM.subarray(1), hex("7e 7e"), TELEGRAM);
    const outcomes = cut(stream, 1, true);
    expect(telegrams(outcomes)).toEqual([TELEGRAM, TELEGRAM, TELEGRAM]);
    expect(outcomes.map((outcome) => outcome.offset)).toEqual([
      0,
      TELEGRAM.length - 1,
      2 * TELEGRAM.length + 1,
    ]);
  });

  it.each(["03 21", "02 01 21", "00 02 04 09 21", "41 08 83"])("reads the addresses %s", (addresses) => {
    const bytes = frame(INFORMATION, { addresses });
    expect(telegrams(cut(bytes))).toEqual([bytes]);
  });

  it.each([
    ["a changed header", at([1, 0xa1]), "dlms-hcs"],
    ["a changed body", at([20, 0xff]), "dlms-fcs"],
    ["a missing flag", at([TELEGRAM.length - 1, 0x55]), "dlms-flag"],
    ["a frame that runs a connection", frame(INFORMATION, { control: 0x93 }), "dlms-control"],
    ["a frame without data", frame(new Uint8Array(0)), "dlms-control"],
    ["a frame without LLC header", frame(notification(LIST)), "dlms-llc"],
    ["a command to a meter", frame(join(hex("e6 e6 00"), notification(LIST))), "dlms-llc"],
  ])("refuses %s, with its offset, and finds the next telegram", (_, damaged, code) => {
    const outcomes = cut(join(TELEGRAM, damaged, TELEGRAM), 7, true);
    expect(telegrams(outcomes)).toEqual([TELEGRAM, TELEGRAM]);
    expect(refusals(outcomes)).toContainEqual([code, TELEGRAM.length]);
  });

  it("refuses a telegram that the stream ends in", () => {
    expect(refusals(cut(TELEGRAM.subarray(0, 40), 64, true))).toEqual([["dlms-truncated", 0]]);
    expect(cut(TELEGRAM, 64, true)).toHaveLength(1);
  });

  it("finds a telegram that a cut one swallowed", () => {
    const stream = join(TELEGRAM.subarray(0, 30), TELEGRAM);
    expect(telegrams(cut(stream, 5, true))).toEqual([TELEGRAM]);
    expect(refusals(cut(stream, 5, true))).toEqual([["dlms-fcs", 0]]);
  });

  it("takes any bytes without throwing, the same however they come", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(TELEGRAM, ...segments(INFORMATION, 30), Uint8Array.of(0x7e, 0xa7, 0xff)),
      fc.nat(TELEGRAM.length - 1).map((place) => at([place, 0x7e])),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 90 }), (pieces, size) => {
        const stream = join(...pieces);
        const whole = cut(stream, stream.length, true);
        expect(cut(stream, size, true)).toEqual(whole);
        expect(cut(stream, 1, true)).toEqual(whole);
      }),
    );
  });

  it("keeps nothing of an endless stream", () => {
    const framer = new DlmsFramer();
    const begun = frame(new Uint8Array(1000), { segmented: true }).subarray(0, 20);
    for (let round = 0; round < 300; round += 1) {
      framer.push(new Uint8Array(1000).fill(round & 0xff));
      framer.push(begun);
    }
    framer.push(new Uint8Array(2048).fill(0x55));
    expect(telegrams(framer.push(TELEGRAM))).toEqual([TELEGRAM]);
  });
});

describe("segments", () => {
  it.each([1, 2, 3, 7, 30, 60])("of %i bytes make the telegram that one frame makes", (size) => {
    const begin = hex(LLC);
    const [first, ...more] = [
      frame(join(begin, notification(LIST).subarray(0, size)), { segmented: true }),
      ...segments(notification(LIST).subarray(size), size),
    ];
    const [found, ...others] = telegrams(cut(join(first ?? begin, ...more), 11, true));
    expect(others).toEqual([]);
    expect(decodeDlms(found ?? begin)).toEqual(decodeDlms(TELEGRAM));
  });

  const [first = INFORMATION, second = INFORMATION, third = INFORMATION] = segments(INFORMATION, 32);

  it("are kept as they came", () => {
    expect(telegrams(cut(join(first, second, third)))).toEqual([
      join(first, second.subarray(1), third.subarray(1)),
    ]);
  });

  it.each([
    ["noise between", join(first, hex("00"), second, third)],
    ["a damaged one between", join(first, second.with(15, 0xee), third)],
    ["another telegram between", join(first, TELEGRAM, second, third)],
    ["one of another meter between", join(first, frame(INFORMATION, { addresses: "03 21" }), second, third)],
    ["a frame without data between", join(first, frame(new Uint8Array(0)), second, third)],
  ])("are refused with %s", (_, stream) => {
    const outcomes = cut(stream, 9, true);
    expect(refusals(outcomes)).toContainEqual(["dlms-segment", 0]);
    for (const bytes of telegrams(outcomes)) expect(() => decodeDlms(bytes)).not.toThrow();
  });

  it("that lack one between do not decode", () => {
    const outcomes = cut(join(first, third), 9, true);
    for (const bytes of telegrams(outcomes)) expect(() => decodeDlms(bytes)).toThrow(/dlms|offset/);
    expect(refusals(cut(join(first, second), 9, true))).toEqual([["dlms-segment", 0]]);
  });

  it("without end are refused when they are too many", () => {
    const endless = frame(new Uint8Array(2000), { segmented: true });
    const begin = frame(hex(LLC), { segmented: true });
    const outcomes = cut(join(begin, ...Array.from({ length: 12 }, () => endless)), 4096, true);
    const codes = refusals(outcomes).map(([code]) => code);
    expect(codes.filter((code) => code === "dlms-oversized")).toHaveLength(1);
    expect(12 * endless.length).toBeGreaterThan(MAX_TELEGRAM_BYTES);
    expect(telegrams(outcomes)).toEqual([]);
  });
});

describe("decodeDlms on frames", () => {
  it("wants exactly one telegram", () => {
    expect(() => decodeDlms(join(TELEGRAM, TELEGRAM))).toThrow("not exactly one telegram");
    expect(() => decodeDlms(join(TELEGRAM, hex("00")))).toThrow("not exactly one telegram");
    expect(() => decodeDlms(TELEGRAM.with(20, 0xff))).toThrow("the check of the frame");
    expect(() => decodeDlms(hex("7e"))).toThrow("not exactly one telegram");
  });

  it("reads frame, LLC and APDU alike", () => {
    const apdu = notification(LIST);
    expect(decodeDlms(join(hex(LLC), apdu))).toEqual(decodeDlms(telegram(LIST)));
    expect(decodeDlms(apdu)).toEqual(decodeDlms(telegram(LIST)));
  });
});
