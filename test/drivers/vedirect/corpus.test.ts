import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { vedirectDecoder } from "../../../drivers/vedirect/decoder.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import { frame, join, read } from "./kit.ts";

const FOLDER = "../shared/corpora/vedirect";

interface Capture {
  /** Whole blocks in it with a right checksum. */
  readonly good: number;
  readonly refused: readonly string[];
}

const CAPTURES: Readonly<Record<string, Capture>> = {
  // One byte, the checksum of a block before, stands before the first block.
  "bluesolar_1.23.dump": { good: 248, refused: [] },
  "bvm702.dump": { good: 906, refused: ["vedirect-truncated at 118958"] },
};

const NAMES = Object.keys(CAPTURES).filter((name) => existsSync(`${FOLDER}/${name}`));

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${FOLDER}/${name}`));
}

describe("real VE.Direct captures", () => {
  it(`are there, or this says why not: ${NAMES.length} of them`, ({ skip }) => {
    if (NAMES.length === 0) skip(`no captures at ${FOLDER}`);
    const found = NAMES.map((name) => telegrams(frame(capture(name))).length);
    console.info(
      `vedirect: ${NAMES.length} real captures with ${found.reduce((sum, count) => sum + count, 0)} blocks`,
    );
    expect(NAMES).toEqual(Object.keys(CAPTURES));
  });

  it.each(NAMES)("%s: its blocks are found, and all of them decode", (name) => {
    const outcomes = frame(capture(name));
    expect(refusals(outcomes)).toEqual(CAPTURES[name]?.refused);
    const blocks = telegrams(outcomes);
    expect(blocks).toHaveLength(CAPTURES[name]?.good ?? -1);
    for (const one of blocks) expect(vedirectDecoder.decode(one, {})[0]?.values.length).toBeGreaterThan(11);
  });

  it.each(NAMES)("%s: reads the same whole, in chunks of 64 bytes and byte by byte", (name) => {
    const whole = said(frame(capture(name)));
    expect(said(frame(capture(name), 64))).toEqual(whole);
    expect(said(frame(capture(name), 1))).toEqual(whole);
  });

  it.each(NAMES)("%s: a block is found between any noise once one went before it", (name) => {
    const [first = new Uint8Array(), second = new Uint8Array()] = telegrams(frame(capture(name)));
    const noise = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
        const found = telegrams(frame(join(before, first, between, first, second), size));
        expect(found.slice(-1)).toEqual([second]);
      }),
      { numRuns: 50 },
    );
  });

  it.each(NAMES)("%s: a block with any one bit flipped gives nothing", (name) => {
    const blocks = telegrams(frame(capture(name))).slice(0, 2);
    for (const one of blocks) {
      for (let at = 0; at < one.length; at += 1) {
        const flipped = one.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte));
        expect(() => vedirectDecoder.decode(flipped, {}), `byte ${at}`).toThrow();
      }
    }
  });

  it("bluesolar_1.23.dump says what its fields say", ({ skip }) => {
    if (!NAMES.includes("bluesolar_1.23.dump")) skip("no capture");
    const all = read(telegrams(frame(capture("bluesolar_1.23.dump"))));
    expect(all).toHaveLength(248);
    // By eye from the first block: V 12530, I 620, VPV 33580, PPV 8, CS 3, H19 8272.
    expect(all[0]).toMatchObject({
      identity: {
        make: "Victron Energy",
        model: "BlueSolar MPPT 75|15",
        serial: "HQ1411MYIKN",
        firmware: "123",
      },
      channels: [
        {
          name: "pv",
          role: "generation",
          quantities: ["export", "power"],
          resolutionMwh: 10_000,
          signVerified: true,
        },
      ],
      readings: [
        {
          channel: "pv",
          exportMwh: 82_720_000,
          activePowerMw: -8_000,
          voltageMv: [33_580],
          resolutionMwh: 10_000,
        },
      ],
      absent: [],
    });
    expect(new Set(all.map(({ readings }) => readings[0]?.exportMwh))).toEqual(new Set([82_720_000]));
  });

  it("bluesolar_1.23.dump: the panels' power is what flows into the battery", ({ skip }) => {
    if (!NAMES.includes("bluesolar_1.23.dump")) skip("no capture");
    for (const one of telegrams(frame(capture("bluesolar_1.23.dump")))) {
      const values = new Map(vedirectDecoder.decode(one, {})[0]?.values.map((value) => [value.code, value]));
      const intoBatteryUw = Number(values.get("V")?.text) * Number(values.get("I")?.text);
      expect(intoBatteryUw).toBeGreaterThan(0);
      expect(Math.abs(intoBatteryUw / 1e6 - Number(values.get("PPV")?.text))).toBeLessThan(1.5);
    }
  });

  it("bvm702.dump: two blocks make one reading", ({ skip }) => {
    if (!NAMES.includes("bvm702.dump")) skip("no capture");
    const all = read(telegrams(frame(capture("bvm702.dump"))));
    expect(all).toHaveLength(453);
    // By eye: V 12065, I -7625, P -92, SOC 839; H17 6843, H18 8527.
    expect(all[0]).toMatchObject({
      identity: { make: "Victron Energy", model: "BMV-700", serial: "", firmware: "0308" },
      channels: [
        {
          name: "battery",
          role: "storage",
          quantities: ["import", "export", "power", "stateOfCharge"],
          resolutionMwh: 10_000,
        },
      ],
      readings: [
        {
          channel: "battery",
          importMwh: 85_270_000,
          exportMwh: 68_430_000,
          activePowerMw: -92_000,
          stateOfChargePpm: 839_000,
          voltageMv: [12_065],
          currentMa: [7_625],
        },
      ],
    });
    // While power flows out of the battery its state of charge falls, and voltage times current is the power.
    const states = all.map(({ readings }) => readings[0]?.stateOfChargePpm ?? -1);
    expect(states.every((state, at) => state <= (states[at - 1] ?? state))).toBe(true);
    expect(states.at(-1)).toBe(837_000);
    for (const { readings } of all) {
      const { voltageMv = [], currentMa = [], activePowerMw = 0 } = readings[0] ?? {};
      expect(activePowerMw).toBeLessThan(0);
      const product = ((voltageMv[0] ?? 0) * (currentMa[0] ?? 0)) / 1_000;
      expect(Math.abs(product + activePowerMw)).toBeLessThan(1_000);
    }
  });

  it("bvm702.dump: what a reading was decoded from decodes again to two blocks", ({ skip }) => {
    if (!NAMES.includes("bvm702.dump")) skip("no capture");
    const [first] = read(telegrams(frame(capture("bvm702.dump"))));
    const again = telegrams(frame(first?.evidence ?? new Uint8Array()));
    expect(again).toHaveLength(2);
    expect(read(again)[0]?.readings).toEqual(first?.readings);
  });
});
