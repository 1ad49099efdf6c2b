import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Iec62056Framer } from "../../../drivers/iec62056/framing.ts";
import { messageFormat } from "../../../drivers/iec62056/message.ts";
import { StreamFramer } from "../../../drivers/telegram/stream-framer.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import { answered, ascii, block, frame, join, pushed, withParity } from "./kit.ts";

const PUSHED = pushed("KWT5SIM V1", "1-0:1.8.0*255(000012.3456*kWh)", "1-0:16.7.0*255(-000012.30*W)");
const ASKED = answered("KWT5SIM V1", "F.F(00)", "1.8.0(001234.5*kWh)", "0.0.0(40718293)");
const ALL = [PUSHED, ASKED, withParity(PUSHED), withParity(ASKED)];
/** Nothing in it begins a telegram. */
const NOISE = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.filter((byte) => (byte & 0x7f) !== 0x2f));

describe("messages of a conversation", () => {
  // Printed in pwitab/iec62056-21 (tests/test_bcc.py) and in lvzon/dsmr-p1-parser (doc/IEC-62056-21-notes.md).
  it.each(["\x01P0\x02(1234567)\x03P", "\x01B0\x03q", "\x01W2\x02C003(910324092239)\x03\x1b"])(
    "have the check characters that public documents print: %j",
    (message) => {
      for (const bytes of [ascii(message), withParity(ascii(message))])
        expect(new StreamFramer(messageFormat).push(bytes)).toEqual([{ kind: "telegram", offset: 0, bytes }]);
      const [spoilt] = new StreamFramer(messageFormat).push(ascii(`${message.slice(0, -1)}X`));
      expect(spoilt).toMatchObject({ kind: "refused", problem: { code: "iec62056-checksum" } });
    },
  );

  it("are told from what an optical head hears of our own words", () => {
    const stream = ascii("/?!\r\n/KAM 685-382-QR-10\r\n\x06000\r\n\x15");
    const found = new StreamFramer(messageFormat)
      .push(stream)
      .map((framed) => (framed.kind === "telegram" ? framed.bytes : framed));
    expect(found).toEqual([ascii("/KAM 685-382-QR-10\r\n"), ascii("\x15")]);
  });

  it("are not found within one that is refused", () => {
    const spoilt = block("a\x15b").fill(0x7f, 5);
    const outcomes = new StreamFramer(messageFormat).push(join(spoilt, ascii("\x15")));
    expect(said(outcomes)).toEqual([
      expect.objectContaining({ kind: "refused", offset: 0 }),
      { kind: "telegram", offset: spoilt.length, bytes: ascii("\x15") },
    ]);
  });

  it("say the same however they come", () => {
    const pieces = fc.array(
      fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constant(block("1.8.0(1*kWh)\r\n!\r\n"))),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 40 }), (parts, size) => {
        const [whole, cut] = [new StreamFramer(messageFormat), new StreamFramer(messageFormat)];
        const stream = join(...parts);
        const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, at) =>
          stream.subarray(at * size, (at + 1) * size),
        );
        expect(said(chunks.flatMap((chunk) => cut.push(chunk)))).toEqual(said(whole.push(stream)));
      }),
      { numRuns: 200 },
    );
  });
});

describe("framing of readouts", () => {
  it("cuts them out of any stream, whole, in chunks of 64 and of one byte", () => {
    const stream = join(...ALL, ...ALL.toReversed());
    for (const size of [stream.length, 64, 7, 1])
      expect(telegrams(frame(stream, size))).toEqual([...ALL, ...ALL.toReversed()]);
  });

  it("finds them among noise, however they come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(NOISE, fc.constantFrom(...ALL)), { maxLength: 5 }),
        fc.integer({ min: 1, max: 90 }),
        (parts, size) => {
          const stream = join(...parts.flat());
          expect(telegrams(frame(stream, size))).toEqual(parts.map(([, telegram]) => telegram));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("says the same however random bytes and spoilt telegrams come", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(...ALL),
      fc.tuple(fc.constantFrom(...ALL), fc.nat(200), fc.nat(255)).map(([telegram, at, value]) => {
        const spoilt = Uint8Array.from(telegram);
        spoilt[at % spoilt.length] = value;
        return spoilt;
      }),
      fc.tuple(fc.constantFrom(...ALL), fc.nat(120)).map(([telegram, end]) => telegram.subarray(0, end)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 70 }), (pieces, size) => {
        const stream = join(...pieces);
        expect(said(frame(stream, size))).toEqual(said(frame(stream)));
      }),
      { numRuns: 300 },
    );
  });

  it("lets no single changed bit pass where parity or a check character vouches", () => {
    for (const telegram of [ASKED, withParity(PUSHED), withParity(ASKED)])
      for (let bit = 8; bit < telegram.length * 8; bit += 1) {
        const spoilt = Uint8Array.from(telegram);
        spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        // The name is no part of what the check character vouches for.
        if (telegram === ASKED && bit >> 3 < "/KWT5SIM V1\r\n".length) continue;
        expect(telegrams(frame(spoilt))).toEqual([]);
      }
  });

  it("skips an echo of the request and of the acknowledgement", () => {
    const [name, data] = [ascii("/KWT5SIM V1\r\n"), block("1.8.0(1*kWh)\r\n!\r\n")];
    const stream = join(ascii("\x7f\x7f/?!\r\n"), name, ascii("\x06050\r\n"), data);
    expect(telegrams(frame(stream))).toEqual([join(name, ascii("\x06050\r\n"), data)]);
    expect(refusals(frame(stream))).toEqual([]);
  });

  it.each([
    ["iec62056-checksum at 0", join(ascii("/KWT5SIM\r\n"), block("1.8.0(1*kWh)\r\n!\r\n").fill(0x39, 7, 8))],
    ["iec62056-parity at 0", withParity(PUSHED).map((byte, index) => (index === 40 ? byte ^ 0x80 : byte))],
    ["iec62056-truncated at 0", join(PUSHED.subarray(0, 50), PUSHED)],
    ["iec62056-truncated at 0", PUSHED.subarray(0, 50)],
    ["iec62056-order at 0", ascii("/KWT5SIM\r\n1.8.0(1*kWh)\r\n!\r\n")],
    ["iec62056-end at 0", ascii("/KWT5SIM\r\n\r\n1.8.0(1*kWh)\r\n!1A2B\r\n")],
    ["iec62056-truncated at 0", ascii("/KWT5SIM\r\n\r\n1.8.0(1*kWh!\r\n")],
    ["iec62056-character at 0", ascii("/KWT5SIM\r\n\r\n1.8.0(\x011*kWh)\r\n!\r\n")],
    ["iec62056-identification at 0", ascii(`/KWT5${"x".repeat(100)}`)],
  ])("refuses with %s", (expected, stream) => {
    expect(refusals(frame(stream))).toEqual([expected]);
  });

  it("refuses a telegram that never ends, once, and keeps no more than its bound", () => {
    const framer = new Iec62056Framer();
    framer.push(ascii("/KWT5SIM\r\n\r\n"));
    const outcomes = Array.from({ length: 5_000 }, () => framer.push(ascii("1.8.0(0001.5*kWh)\r\n"))).flat();
    expect(refusals(outcomes)).toEqual(["iec62056-oversized at 0"]);
    expect(telegrams(framer.push(ASKED))).toEqual([ASKED]);
  });
});
