import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { MAX_TELEGRAM_BYTES, SpeedwireFramer } from "../../../drivers/speedwire/framing.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import { frame, hex, join, METER, telegram } from "./kit.ts";

const ONE = telegram(METER);
const OTHER = telegram({ ...METER, tickerMs: 2_000 });
const SHOWN = {
  serial: "3003000001",
  importT1Mwh: 1_234_567_890,
  importT2Mwh: 0,
  exportT1Mwh: 99,
  exportT2Mwh: 0,
  activePowerMw: 1_234_567,
  timeMs: 1_700_000_000_000,
  voltageMv: [230_100, 231_200, 229_900],
  currentMa: [1_800, 1_790, 1_805],
  frequencyMhz: 49_987,
};

/** What else comes in on the port, as published: a search for devices, an inverter, an encrypted one, a wallbox. */
const FOREIGN = [
  "534d4100000402a0ffffffff0000002000000000",
  "534d4100000402a00000000100260010606509a0ffffffffffff00007800 c8e80338 0000000000 0081f0 0002005100002600ffff2600 00000000",
  "534d4100000402a0000000010042001060733f88e87ff9d58ec4cd90d199e6246b3600000000",
  "534d4100000402a00000000102580010608100030174b2fbdb0a6133fea400010400",
].map(hex);

describe("Speedwire framing", () => {
  it.each([
    ["energy-meter", 600],
    ["home-manager", 608],
  ] as const)("finds what a simulated %s sends, in %i bytes as real ones do", (device, bytes) => {
    const [sent = new Uint8Array()] = speedwireSpeaker({ device }).telegrams(SHOWN);
    expect(sent).toHaveLength(bytes);
    for (const size of [1, 64, 600, 5_000])
      expect(telegrams(frame(join(sent, sent, sent), size))).toEqual([sent, sent, sent]);
  });

  it("takes other datagrams of SMA's for nothing", () => {
    const outcomes = frame(join(...FOREIGN, ONE, ...FOREIGN, OTHER));
    expect(telegrams(outcomes)).toEqual([ONE, OTHER]);
    expect(refusals(outcomes)).toEqual([]);
  });

  it("finds the telegram behind one that was cut", () => {
    for (let at = 1; at < ONE.length; at += 1) {
      const found = telegrams(frame(join(ONE.subarray(0, at), OTHER, ONE)));
      expect(found.at(-1), `cut at ${at}`).toEqual(ONE);
      expect(found).toContainEqual(OTHER);
    }
  });

  it.each([
    [
      "an end tag that is none",
      ONE.map((byte, at) => (at === ONE.length - 1 ? 1 : byte)),
      "speedwire-frame at 0",
    ],
    ["a record of an unknown type", ONE.map((byte, at) => (at === 30 ? 5 : byte)), "speedwire-frame at 0"],
    [
      "records longer than the telegram",
      ONE.map((byte, at) => (at === ONE.length - 10 ? 8 : byte)),
      "speedwire-frame at 0",
    ],
    ["a length beyond any", ONE.map((byte, at) => (at === 12 ? 0xff : byte)), "speedwire-oversized at 0"],
    ["a length of nothing", hex("534d4100000402a000000001 0002 0010 6069 00000000"), "speedwire-frame at 0"],
    ["an end within", ONE.subarray(0, -1), "speedwire-truncated at 0"],
  ])("refuses %s", (_, wrong, reason) => {
    expect(refusals(frame(wrong))).toEqual([reason]);
    expect(telegrams(frame(join(wrong, OTHER))).at(-1)).toEqual(OTHER);
  });

  it("says the same however any bytes are cut", () => {
    const piece = fc.oneof(
      fc.constantFrom(ONE, OTHER, ...FOREIGN, ONE.subarray(0, 40)),
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(ONE.length - 1), fc.nat(255)).map(([at, byte]) => ONE.with(at, byte)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 1, max: 700 }), (pieces, size) => {
        const stream = join(...pieces);
        expect(said(frame(stream, size))).toEqual(said(frame(stream)));
      }),
      { numRuns: 200 },
    );
  });

  it.each(["53", "534d41", ONE.subarray(0, 18), "00"])("lives through an endless stream of %s", (pattern) => {
    const framer = new SpeedwireFramer();
    const piece = typeof pattern === "string" ? hex(pattern) : pattern;
    const stream = join(...Array.from({ length: Math.ceil(100_000 / piece.length) }, () => piece));
    expect(telegrams(framer.push(stream))).toEqual([]);
    // What is kept may end in a head that swallows what comes next, but never more than one telegram's worth.
    const after = join(
      ...Array.from({ length: 1 + Math.ceil(MAX_TELEGRAM_BYTES / ONE.length) }, () => ONE),
      OTHER,
    );
    expect(telegrams(framer.push(after)).at(-1)).toEqual(OTHER);
  });
});
