import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_BLOCK_BYTES, VedirectFramer } from "../../../drivers/vedirect/framing.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import { block, bytes, frame, join, text } from "./kit.ts";

const SOLAR = block("PID\t0xA042", "SER#\tHQ1", "V\t12800", "PPV\t40", "H19\t8272");
const NOW = block("PID\t0x203", "V\t12065", "P\t-92", "SOC\t839");
const HISTORY = block("H1\t-149322", "H17\t6843", "H18\t8527");
const HEX = bytes(":ADBED001A0D5C\n");

/** The index behind each byte of a block: HEX messages may stand there. */
function gaps(of: Uint8Array): readonly number[] {
  return Array.from({ length: of.length - 1 }, (_, at) => at + 1);
}

function inserted(into: Uint8Array, what: Uint8Array, at: number): Uint8Array {
  return join(into.subarray(0, at), what, into.subarray(at));
}

describe("VE.Direct framing", () => {
  it("finds a block that begins with the product number, and any other behind a checksum", () => {
    const outcomes = frame(join(NOW, HISTORY, NOW, HISTORY));
    expect(telegrams(outcomes)).toEqual([NOW, HISTORY, NOW, HISTORY]);
    expect(outcomes.map(({ offset }) => offset)).toEqual([
      0,
      NOW.length,
      NOW.length + HISTORY.length,
      2 * NOW.length + HISTORY.length,
    ]);
  });

  it("takes the end of a block for no event, and for no block", () => {
    for (const at of gaps(HISTORY)) {
      const outcomes = frame(join(HISTORY.subarray(at), NOW));
      expect(outcomes, `from byte ${at} on`).toHaveLength(1);
      expect(telegrams(outcomes)).toEqual([NOW]);
    }
  });

  it("never takes the end of a damaged block for a whole one, although the end's own sum is right", () => {
    const end = block("H17\t6843", "H18\t8527");
    // The last digit and the checksum of the block before were lost.
    const outcomes = frame(join(NOW.subarray(0, -13), end, NOW));
    expect(refusals(outcomes)).toEqual(["vedirect-checksum at 0"]);
    expect(telegrams(outcomes)).toEqual([NOW]);
  });

  it.each([1, 2, 3, 7, 64])("reads HEX messages away wherever they stand, in chunks of %i", (size) => {
    for (const at of gaps(SOLAR)) {
      const stream = join(inserted(SOLAR, HEX, at), SOLAR);
      const found = telegrams(frame(stream, size));
      expect(found, `HEX at ${at}`).toHaveLength(2);
      expect(text(found[0] ?? new Uint8Array()).replace(text(HEX), "")).toBe(text(SOLAR));
      expect(found[1]).toEqual(SOLAR);
    }
  });

  it("reads HEX messages between blocks and in a row, also with the odd end of some chargers", () => {
    const odd = bytes(":A00020001480\xfe");
    expect(telegrams(frame(join(SOLAR, HEX, HEX, SOLAR, odd, SOLAR)))).toHaveLength(3);
  });

  it.each([0x0a, 0x0d, 0x3a, 0x00, 0xff])("takes a checksum that is the byte %i", (wanted) => {
    const printable = Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at));
    const one = printable
      .flatMap((last) => ["", "P", "~~"].map((more) => block("PID\t0x203", `BMV\t${more}${last}`)))
      .find((candidate) => candidate.at(-1) === wanted);
    expect(one).toBeDefined();
    const sure = one ?? new Uint8Array();
    expect(telegrams(frame(join(sure, HISTORY, HEX, NOW), 1))).toEqual([sure, HISTORY, join(HEX, NOW)]);
    expect(telegrams(frame(join(sure, HEX, HISTORY)))).toHaveLength(2);
  });

  it.each([
    [
      "a wrong checksum",
      SOLAR.map((byte, at) => (at === SOLAR.length - 1 ? byte ^ 1 : byte)),
      "vedirect-checksum",
    ],
    ["a colon that begins no HEX message", inserted(SOLAR, bytes(":"), 14), "vedirect-frame"],
    ["a byte that no text has", inserted(SOLAR, bytes("\x01"), 14), "vedirect-frame"],
    ["a value that does not end", block("PID\t0x203", `BMV\t${"x".repeat(65)}`), "vedirect-frame"],
    ["a label that does not end", block("PID\t0x203", `${"L".repeat(17)}\t1`), "vedirect-frame"],
    ["an end of the stream", SOLAR.subarray(0, -1), "vedirect-truncated"],
    [
      "more fields than any block has",
      join(bytes("\r\nPID\t0x203"), bytes("\r\nV\t12065".repeat(500))),
      "vedirect-oversized",
    ],
  ])("refuses %s, and goes on", (_, wrong, code) => {
    expect(refusals(frame(wrong)), "alone").toEqual([`${code} at 0`]);
    if (code === "vedirect-truncated") return;
    const outcomes = frame(join(wrong, NOW, HISTORY));
    expect(refusals(outcomes)).toEqual([`${code} at 0`]);
    expect(telegrams(outcomes)).toEqual([NOW, HISTORY]);
  });

  it("says the same however any bytes are cut, and keeps no more than its bound", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        SOLAR,
        NOW,
        HISTORY,
        HEX,
        bytes("\r\n"),
        bytes("\r\nChecksum\t"),
        bytes("\r\nPID\t"),
        bytes(":"),
      ),
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(SOLAR, NOW, HISTORY), fc.nat(50), fc.nat(255))
        .map(([one, at, byte]) => one.map((old, index) => (index === at ? byte : old))),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 90 }), (pieces, size) => {
        const stream = join(...pieces);
        expect(said(frame(stream, size))).toEqual(said(frame(stream)));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["one byte", Uint8Array.of(0x41), 0],
    ["line ends", bytes("\r\n"), 0],
    ["a HEX message", bytes(":0123456789ABCDEF"), 0],
    ["fields", bytes("\r\nPID\t0x203\r\nV\t1"), 100_000 / MAX_BLOCK_BYTES],
    ["checksum fields", bytes("\r\nChecksum\tx"), 100_000 / 12],
  ])("lives through 100,000 bytes of %s without an end", (_, pattern, most) => {
    const framer = new VedirectFramer();
    let refused = 0;
    for (let sent = 0; sent < 100_000; sent += pattern.length)
      for (const { kind } of framer.push(pattern)) refused += kind === "refused" ? 1 : 0;
    expect(refused).toBeLessThanOrEqual(most);
    expect(framer.push(join(bytes("\r\n"), NOW, HISTORY, NOW)).at(-1)).toMatchObject({ bytes: NOW });
  });
});
