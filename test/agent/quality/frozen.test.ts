import { describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import { Bench, GRID } from "./kit.ts";

const KWH = 1_000_000;
const HOUR_MS = 3_600_000;
const START = { importMwh: 5_000_123_000, exportMwh: 1_000_456_000 };

/** Says the same every 5 s for so long, and gives what was said, each once, in order. */
function during(bench: Bench, ms: number, values: (elapsedMs: number) => Partial<MeterReading>): string[] {
  const said: string[] = [];
  for (let elapsed = 5000; elapsed <= ms; elapsed += 5000) {
    const text = bench.say(values(elapsed), 5000);
    if (said.at(-1) !== text) said.push(text);
  }
  return said;
}

/** Grid voltage and frequency, which never stand still. */
function restless(elapsedMs: number): Partial<MeterReading> {
  const digit = (elapsedMs / 5000) % 7;
  return { voltageMv: [229_500 + digit * 100], frequencyMhz: 49_980 + digit * 10 };
}

describe("a register that stands while power flows", () => {
  it("is left out once so much has flowed that it could not be caught up, and counts again when it moves", () => {
    const bench = new Bench();
    const power = { activePowerMw: 3_000_000 };
    const still = (ms: number): string[] =>
      during(bench, ms, (elapsed) => ({ ...START, ...power, ...restless(elapsed) }));
    // 90 Wh may come late at 21.562 kW, 2 steps of 1 Wh beside: at 3 kW that is 110 s after the first reading.
    expect(still(115_000)).toEqual(["accept"]);
    expect(still(600_000)).toEqual(["accept without register-frozen"]);
    const caughtUp = START.importMwh + (3_000_000 * 720_000) / HOUR_MS;
    expect(bench.say({ ...START, ...power, importMwh: Math.floor(caughtUp) })).toBe("accept");
    expect(bench.gate.counts().discontinuities).toBe(0);
  });

  it("still seals the power, which lives", () => {
    const bench = new Bench();
    during(bench, 200_000, (elapsed) => ({ ...START, activePowerMw: 3_000_000, ...restless(elapsed) }));
    const verdict = bench.judge({ ...START, activePowerMw: 3_100_000 });
    expect(verdict).toMatchObject({ kind: "accept", reading: { activePowerMw: 3_100_000 } });
    expect(verdict).not.toHaveProperty("reading.importMwh");
    expect(verdict).toMatchObject({
      stripped: { message: expect.stringMatching(/has shown 5,000\.123 kWh for .* 0\.1\d\d kWh must have/) },
    });
  });

  it("is found without a nameplate, too, by the power at which it was seen to count, after 90 min", () => {
    const { maxImportMw: _i, maxExportMw: _e, ...unknown } = GRID;
    const bench = new Bench(unknown);
    let importMwh = START.importMwh;
    during(bench, HOUR_MS, (elapsed) => {
      importMwh = START.importMwh + Math.floor((500 * elapsed) / HOUR_MS) * 1000;
      return { ...START, importMwh, activePowerMw: 500_000, ...restless(elapsed) };
    });
    const still = during(bench, 2 * HOUR_MS, (elapsed) => ({
      ...START,
      ...{ importMwh, activePowerMw: 600_000, ...restless(elapsed) },
    }));
    expect(still).toEqual(["accept", "accept without register-frozen"]);
  });

  it.each([
    ["a standby load below what a meter counts", 250_000, 24],
    ["a load at rest", 5000, 24],
    ["no power", 0, 24],
    ["power of the other direction, which its own register counts", -100_000, 24],
  ])("is honest with %s", (_name, activePowerMw, hours) => {
    const bench = new Bench();
    expect(
      during(bench, hours * HOUR_MS, (elapsed) => ({ ...START, activePowerMw, ...restless(elapsed) })),
    ).toEqual(["accept"]);
  });

  it("is honest for the 2 kWh that a register of whole kWh may be behind", () => {
    const bench = new Bench({ ...GRID, resolutionMwh: KWH });
    const whole = { importMwh: 5000 * KWH, exportMwh: 1000 * KWH, activePowerMw: 1_000_000 };
    expect(during(bench, 2 * HOUR_MS, (elapsed) => ({ ...whole, ...restless(elapsed) }))).toEqual(["accept"]);
  });

  it("is taken for a register of whole kWh as long as it shows nothing else, whatever is stated", () => {
    const bench = new Bench();
    const locked = { importMwh: 5000 * KWH, exportMwh: 1000 * KWH, activePowerMw: 1_000_000 };
    expect(during(bench, 2 * HOUR_MS, (elapsed) => ({ ...locked, ...restless(elapsed) }))).toEqual([
      "accept",
    ]);
  });

  it("owes nothing any more 90 min after the power that it did not count", () => {
    const bench = new Bench();
    const flowed = during(bench, 300_000, (elapsed) => ({
      ...START,
      ...{ activePowerMw: 3_000_000, ...restless(elapsed) },
    }));
    expect(flowed).toEqual(["accept", "accept without register-frozen"]);
    const later = during(bench, 2 * HOUR_MS, (elapsed) => ({
      ...START,
      exportMwh: START.exportMwh + Math.floor((2000 * elapsed) / HOUR_MS) * 1000,
      ...{ activePowerMw: -2_000_000, ...restless(elapsed) },
    }));
    expect(later).toEqual(["accept without register-frozen", "accept"]);
  });

  it("owes nothing for a pause in which nobody read it", () => {
    const bench = new Bench();
    const power = { ...START, activePowerMw: 3_000_000 };
    bench.say(power);
    expect([5000, 600_000, 5000].map((pauseMs) => bench.say(power, pauseMs))).toEqual(
      Array(3).fill("accept"),
    );
  });

  it("is not known to count at the power beside which it was reset", () => {
    const { maxImportMw: _i, maxExportMw: _e, ...unknown } = GRID;
    const bench = new Bench(unknown);
    bench.say({ ...START, activePowerMw: 10_000 });
    const reset = { ...START, importMwh: 3000, activePowerMw: 10_000 };
    for (let i = 0; i < 4; i += 1) bench.say(reset, 500);
    const said = during(bench, 3 * HOUR_MS, (elapsed) => ({
      ...{ ...reset, activePowerMw: 600_000 },
      ...restless(elapsed),
    }));
    expect(said).toEqual(["accept"]);
  });

  it("may stand behind large transformers, where a meter starts at more", () => {
    const behind = (ctRatio?: readonly [number, number]): string[] => {
      const bench = new Bench({ ...GRID, ...(ctRatio === undefined ? {} : { ctRatio }) });
      const values = { ...START, activePowerMw: 2_000_000 };
      return during(bench, HOUR_MS, (elapsed) => ({ ...values, ...restless(elapsed) }));
    };
    expect(behind()).toEqual(["accept", "accept without register-frozen"]);
    expect(behind([1000, 5])).toEqual(["accept"]);
  });

  it("counts only stretches at both ends of which power flows", () => {
    const bench = new Bench();
    const said = during(bench, 6 * HOUR_MS, (elapsed) => ({
      ...START,
      ...{ activePowerMw: (elapsed / 5000) % 2 === 0 ? 3_000_000 : 0, ...restless(elapsed) },
    }));
    expect(said).toEqual(["accept"]);
  });
});

describe("a meter in which nothing lives", () => {
  const { maxImportMw: _i, maxExportMw: _e, ...unknown } = GRID;
  const dead = { ...START, activePowerMw: 1_234_000, voltageMv: [229_900], frequencyMhz: 49_980 };

  it("is refused after an hour, and taken again at the first digit that moves", () => {
    const bench = new Bench(unknown);
    expect(during(bench, HOUR_MS, () => dead)).toEqual(["accept"]);
    expect(during(bench, HOUR_MS, () => dead)).toEqual(["reject frozen"]);
    expect(bench.say({ ...dead, voltageMv: [230_000] })).toBe("accept");
  });

  it("is refused whatever its clock does", () => {
    const bench = new Bench(unknown);
    const said = during(bench, 2 * HOUR_MS, (elapsed) => ({ ...dead, meterTimeMs: 1e12 + elapsed }));
    expect(said).toEqual(["accept", "reject frozen"]);
  });

  it("is refused without voltages where the register must have moved", () => {
    const bench = new Bench();
    const said = during(bench, 2 * HOUR_MS, () => ({ ...START, activePowerMw: 1_234_000 }));
    expect(said).toEqual(["accept", "accept without register-frozen", "reject frozen"]);
  });

  it("is none that was read a dozen times", () => {
    const bench = new Bench(unknown);
    expect([...Array(29).keys()].map(() => bench.say(dead, 600_000))).toEqual(Array(29).fill("accept"));
    expect([...Array(3).keys()].map(() => bench.say(dead, 600_000))).toContain("reject frozen");
  });

  it.each([
    ["an inverter at night", { activePowerMw: -4000, voltageMv: [229_900], frequencyMhz: 49_980 }],
    ["a battery idle", { activePowerMw: 0, voltageMv: [51_200], stateOfChargePpm: 540_000 }],
    ["an inverter asleep, all at zero", { activePowerMw: 0, voltageMv: [0], frequencyMhz: 0 }],
    ["whole volts and whole tenths of a hertz", { activePowerMw: 900_000, voltageMv: [230_000] }],
    ["no voltage to tell it by", { activePowerMw: 900_000 }],
  ])("is not %s", (_name, values) => {
    const bench = new Bench({ ...unknown, quantities: ["power"] });
    expect(during(bench, 24 * HOUR_MS, () => values)).toEqual(["accept"]);
  });

  it("is none whose register of whole kWh moves twice an hour", () => {
    const bench = new Bench({ ...unknown, resolutionMwh: KWH });
    const said = during(bench, 12 * HOUR_MS, (elapsed) => ({
      ...{ ...dead, exportMwh: 1000 * KWH, activePowerMw: 2_000_000 },
      importMwh: (5000 + Math.floor((2 * elapsed) / HOUR_MS)) * KWH,
    }));
    expect(said).toEqual(["accept"]);
  });
});

describe("power of the wrong sign", () => {
  const wrong = (elapsed: number): Partial<MeterReading> => ({
    ...START,
    ...{ exportMwh: START.exportMwh + Math.floor((2000 * elapsed) / HOUR_MS) * 1000 },
    ...{ activePowerMw: 2_000_000, ...restless(elapsed) },
  });

  it("is refused after a quarter of an hour in which only the other register counts", () => {
    const bench = new Bench();
    expect(during(bench, 900_000, wrong)).toEqual(["accept", "accept without register-frozen"]);
    expect(during(bench, 900_000, (elapsed) => wrong(900_000 + elapsed))).toEqual([
      "accept without register-frozen",
      "reject power-direction",
    ]);
    const verdict = bench.judge(wrong(1_900_000));
    expect(verdict).toMatchObject({
      reason: { message: "power is 2 kW, which is import, but it is the export register that counts" },
    });
  });

  it("is refused until the register of its own direction counts", () => {
    const bench = new Bench();
    during(bench, 2_000_000, wrong);
    expect(bench.say(wrong(2_005_000))).toBe("reject power-direction");
    // The other way it is not refused, but the import register still owes what power has shown.
    const turned = { ...wrong(2_010_000), activePowerMw: -2_000_000 };
    expect(bench.say(turned)).toBe("accept without register-frozen");
    expect(bench.say(wrong(2_015_000))).toBe("reject power-direction");
    const righted = { ...wrong(2_020_000), importMwh: START.importMwh + 2000 };
    expect(bench.say(righted)).toBe("accept");
    expect(bench.say({ ...righted, importMwh: START.importMwh + 4000 })).toBe("accept");
  });

  it("is none of a meter that counts each phase for itself", () => {
    const bench = new Bench();
    const said = during(bench, 6 * HOUR_MS, (elapsed) => ({
      importMwh: START.importMwh + Math.floor((3000 * elapsed) / HOUR_MS) * 1000,
      exportMwh: START.exportMwh + Math.floor((2000 * elapsed) / HOUR_MS) * 1000,
      ...{ activePowerMw: 1_000_000, ...restless(elapsed) },
    }));
    expect(said).toEqual(["accept"]);
  });

  it("is none of a meter whose own register is too coarse to have counted yet", () => {
    const bench = new Bench();
    const said = during(bench, HOUR_MS, (elapsed) => ({
      importMwh: 5000 * KWH,
      exportMwh: START.exportMwh + Math.floor((1000 * elapsed) / HOUR_MS) * 1000,
      ...{ activePowerMw: 1_500_000, ...restless(elapsed) },
    }));
    expect(said).toEqual(["accept"]);
  });

  it("is none of a battery that swings around zero at a meter that nets", () => {
    const bench = new Bench();
    const said = during(bench, 6 * HOUR_MS, (elapsed) => ({
      ...START,
      exportMwh: START.exportMwh + Math.floor((150 * elapsed) / HOUR_MS) * 1000,
      activePowerMw: Math.round(900 * Math.sin(elapsed / 11_000)) * 1000 - 150_000,
      ...restless(elapsed),
    }));
    expect(said).not.toContain("reject power-direction");
  });
});
