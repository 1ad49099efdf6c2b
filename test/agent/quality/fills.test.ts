import { describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import { Bench, GRID } from "./kit.ts";

/** What devices send for "no value": signed and unsigned, in one word and in two. */
const WORDS = [0x7fff, 0x8000, 0xffff, 0xffe5] as const;
const DOUBLE_WORDS = [0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;

const { maxImportMw: _i, maxExportMw: _e, ...UNKNOWN } = GRID;
const GOOD: Partial<MeterReading> = {
  ...{ importMwh: 5_000_123_000, exportMwh: 1_000_456_000, activePowerMw: 1_200_000 },
  ...{ voltageMv: [229_900, 230_400, 231_000], currentMa: [2100, 1900, 1200], frequencyMhz: 49_980 },
};

function started(): Bench {
  const bench = new Bench(UNKNOWN);
  expect(bench.say(GOOD)).toBe("accept");
  return bench;
}

/** Every fill in every step that devices use, in thousandths. */
function each(fills: readonly number[], steps: readonly number[]): [string, number][] {
  return fills.flatMap((fill) =>
    steps.map((step): [string, number] => [`0x${fill.toString(16)} in steps of ${step / 1000}`, fill * step]),
  );
}

describe("a value that stands for none", () => {
  it.each(each([...WORDS, ...DOUBLE_WORDS], [1, 10, 100, 1000, 10_000]))(
    "is no power: %s W",
    (_name, value) => {
      for (const activePowerMw of [value, -value])
        expect(started().say({ ...GOOD, activePowerMw })).toMatch(/^reject (value-fill|power-range)$/);
    },
  );

  it.each(each([...WORDS, ...DOUBLE_WORDS], [1, 10, 100, 1000]))("is no voltage: %s V", (_name, value) => {
    expect(started().say({ ...GOOD, voltageMv: [229_900, value, 231_000] })).toMatch(
      /^reject (value-fill|voltage-range)$/,
    );
  });

  it.each(each([...WORDS, ...DOUBLE_WORDS], [1, 10, 100, 1000]))("is no current: %s A", (_name, value) => {
    expect(started().say({ ...GOOD, currentMa: [2100, 1900, value] })).toMatch(
      /^reject (value-fill|current-range)$/,
    );
  });

  it.each(each(WORDS, [1, 10, 100]))("is no frequency: %s Hz", (_name, value) => {
    expect(started().say({ ...GOOD, frequencyMhz: value })).toMatch(/^reject (value-fill|frequency-range)$/);
  });

  it.each([
    ["0xff in percent", 255 * 10_000],
    ...each(WORDS, [1000, 100, 10]).map(([name, value]): [string, number] => [`${name} ‰`, value]),
  ])("is no state of charge: %s", (_name, stateOfChargePpm) => {
    const bench = new Bench({ ...UNKNOWN, quantities: ["stateOfCharge"] });
    expect(bench.say({ stateOfChargePpm: 80_000 })).toBe("accept");
    expect(bench.say({ stateOfChargePpm })).toMatch(/^reject (value-fill|state-of-charge-range)$/);
  });

  it.each(each([...WORDS, ...DOUBLE_WORDS], [1000, 10_000, 100_000, 1_000_000]))(
    "is no register: %s Wh",
    (_name, importMwh) => {
      const bench = started();
      expect(bench.say({ ...GOOD, importMwh })).toMatch(/^(reject register-fill|hold register-down)$/);
      expect(bench.say(GOOD)).toBe("accept");
    },
  );

  it("is no first value either", () => {
    expect(new Bench(UNKNOWN).say({ ...GOOD, voltageMv: [6553.5 * 1000] })).toBe("reject value-fill");
    expect(new Bench(UNKNOWN).say({ ...GOOD, activePowerMw: 32_767_000 })).toBe("reject value-fill");
  });

  it("is refused in a frame that is all ones, in steps of a device", () => {
    const frame = {
      ...{ importMwh: 0xffff_ffff * 10_000, exportMwh: 0xffff_ffff * 10_000, activePowerMw: 0xffff * 1000 },
      ...{ voltageMv: [0xffff * 100], currentMa: [0xffff * 10], frequencyMhz: 0xffff * 10 },
    };
    const bench = started();
    expect(bench.say(frame)).toBe("reject frequency-range");
    const { frequencyMhz: _, ...withoutFrequency } = frame;
    expect(bench.say(withoutFrequency)).toBe("reject value-fill");
    expect(bench.say({ importMwh: frame.importMwh, exportMwh: frame.exportMwh })).toBe(
      "reject register-fill",
    );
  });

  it("is a value where it is the natural next one", () => {
    const bench = new Bench(UNKNOWN);
    bench.say({ ...GOOD, activePowerMw: 30_000_000, voltageMv: [320_000], currentMa: [32_000] });
    expect(bench.say({ ...GOOD, activePowerMw: 32_767_000, voltageMv: [327_670], currentMa: [32_767] })).toBe(
      "accept",
    );
  });

  it("is said with its value and unit", () => {
    expect(started().judge({ ...GOOD, voltageMv: [229_900, 6_553_500, 231_000] })).toMatchObject({
      reason: { message: 'a voltage is 6,553.5 V, which devices send for "no value"' },
    });
  });
});

describe("a state of charge", () => {
  const battery = { ...UNKNOWN, role: "storage", quantities: ["stateOfCharge", "power"] } as const;
  const at = (stateOfChargePpm: number): Partial<MeterReading> => ({ stateOfChargePpm, activePowerMw: 0 });

  it("that falls to zero and comes back leaves no trace", () => {
    const bench = new Bench(battery);
    expect(bench.say(at(540_000))).toBe("accept");
    expect(bench.say(at(0), 500)).toBe("hold state-of-charge-jump");
    expect(bench.say(at(540_000), 500)).toBe("accept");
    expect(bench.gate.counts().rejected.get("state-of-charge-jump")).toBe(1);
  });

  it("that a battery corrected is believed after three re-reads", () => {
    const bench = new Bench(battery);
    bench.say(at(900_000));
    expect([0, 1, 2].map(() => bench.say(at(300_000), 500))).toEqual(
      Array(3).fill("hold state-of-charge-jump"),
    );
    expect(bench.say(at(300_000), 500)).toBe("accept");
    expect(bench.say(at(300_000), 500)).toBe("accept");
    expect(bench.gate.counts().rejected.get("state-of-charge-jump")).toBeUndefined();
  });

  it("may be anything after hours, and moves a little at any time", () => {
    const bench = new Bench(battery);
    expect(bench.say(at(900_000))).toBe("accept");
    expect(bench.say(at(720_000), 500)).toBe("accept");
    expect(bench.say(at(50_000), 3_600_000)).toBe("accept");
  });
});
