import { describe, expect, it } from "vitest";
import { DISCONTINUITY, REGISTER } from "../../../attest/leaf.ts";
import { Bench, GRID, reading } from "./kit.ts";

const KWH = 1_000_000;
const START = { importMwh: 5000 * KWH, exportMwh: 1000 * KWH, activePowerMw: 1_200_000 };
const NEXT = { ...START, importMwh: START.importMwh + 2000 };
const IMPORT_ONLY = { ...GRID, quantities: ["import", "power"] as const };

function started(channel = GRID): Bench {
  const bench = new Bench(channel);
  expect(bench.say(START)).toBe("accept");
  return bench;
}

describe("the range rules", () => {
  it.each([
    ["power above the nameplate and its head room", { activePowerMw: 21_562_501 }, "power-range"],
    ["power below it", { activePowerMw: -21_562_501 }, "power-range"],
    ["0x8000 as power", { activePowerMw: -32_768_000 }, "power-range"],
    ["a voltage", { voltageMv: [230_000, 100_000_001] }, "voltage-range"],
    ["a negative voltage", { voltageMv: [-1] }, "voltage-range"],
    ["a current", { currentMa: [20_000_001] }, "current-range"],
    ["a frequency", { frequencyMhz: 327_670 }, "frequency-range"],
    ["a state of charge above 100 %", { stateOfChargePpm: 1_000_001 }, "state-of-charge-range"],
    ["a negative state of charge", { stateOfChargePpm: -1 }, "state-of-charge-range"],
    ["a negative register", { importMwh: -1 }, "register-range"],
    ["a fraction", { activePowerMw: 0.5 }, "malformed"],
    ["NaN", { importMwh: Number.NaN }, "malformed"],
    ["a short digest", { evidence: new Uint8Array(16) }, "malformed"],
  ])("reject %s", (_name, values, code) => {
    const bench = started();
    expect(bench.say({ ...NEXT, ...values })).toBe(`reject ${code}`);
    expect(bench.say(NEXT)).toBe("accept");
  });

  it("accept what is just possible", () => {
    const bench = started();
    expect(bench.say({ ...NEXT, activePowerMw: 21_562_500, stateOfChargePpm: 1_000_000 })).toBe("accept");
    expect(bench.say({ ...NEXT, activePowerMw: -21_562_500, frequencyMhz: 0 })).toBe("accept");
  });

  it("allow 2 MW where nobody says what a channel can take", () => {
    const { maxImportMw: _i, maxExportMw: _e, ...unknown } = GRID;
    const bench = started(unknown);
    expect(bench.say({ ...NEXT, activePowerMw: 2_000_000_000 })).toBe("accept");
    expect(bench.say({ ...NEXT, activePowerMw: 2_000_000_001 })).toBe("reject power-range");
  });

  it("say value, unit and limit", () => {
    const verdict = started().judge({ ...NEXT, activePowerMw: 99_000_000 });
    expect(verdict).toMatchObject({
      kind: "reject",
      reason: { message: "power is 99 kW, possible is -21.562 kW to 21.562 kW" },
    });
  });
});

describe("the register rules", () => {
  it("accept what can have flowed since the last reading", () => {
    const bench = started();
    expect(bench.say(NEXT)).toBe("accept");
    expect(bench.say({ ...NEXT, importMwh: NEXT.importMwh + 21 * KWH }, 3_600_000)).toBe("accept");
  });

  it.each([
    ["a zero", { importMwh: 0, exportMwh: 0 }, "hold register-zero"],
    ["a zero in one of two registers", { exportMwh: 0 }, "hold register-zero"],
    ["a spike", { importMwh: NEXT.importMwh + 53_000 * KWH }, "hold register-jump"],
    ["a drop", { importMwh: 4000 * KWH }, "hold register-down"],
    ["all ones", { importMwh: 0xffff_ffff * 1000 }, "reject register-fill"],
    ["0x8000 in 10 Wh steps", { importMwh: 0x8000 * 10_000 }, "reject register-fill"],
  ])("let %s leave no trace", (_name, values, said) => {
    const bench = started();
    expect(bench.say({ ...NEXT, ...values })).toBe(said);
    expect(bench.say(NEXT)).toBe("accept");
    expect(bench.gate.counts()).toMatchObject({ accepted: 2, discontinuities: 0 });
    expect([...bench.gate.counts().rejected.values()]).toEqual([1]);
  });

  it("say how far a register jumped and what would have been possible", () => {
    const verdict = started().judge({ ...NEXT, importMwh: START.importMwh + 53_000 * KWH });
    expect(verdict).toMatchObject({
      reason: {
        message:
          "the import register rose by 53,000.000 kWh in 5 s to 58,000.000 kWh, possible is 0.120 kWh at 21.562 kW",
      },
    });
  });

  it("make a reset a discontinuity after three re-reads that agree", () => {
    const bench = started();
    const reset = { importMwh: 3000, exportMwh: 0, activePowerMw: 0 };
    expect([1, 2, 3].map(() => bench.say(reset, 500))).toEqual(Array(3).fill("hold register-down"));
    const verdict = bench.judge({ ...reset, importMwh: 4000 }, 500);
    expect(verdict).toMatchObject({
      kind: "discontinuity",
      classification: DISCONTINUITY.registerReset,
      reading: { importMwh: 4000, exportMwh: 0 },
    });
    expect(bench.say({ ...reset, importMwh: 6000 })).toBe("accept");
  });

  it("hold on while re-reads contradict each other", () => {
    const bench = started();
    const values = [3000, 900 * KWH, 3000, 4000, 2000];
    expect(values.map((importMwh) => bench.say({ ...START, importMwh }, 500))).toEqual(
      Array(5).fill("hold register-down"),
    );
    expect(bench.gate.counts().rejected.get("register-down")).toBe(4);
  });

  it("do not count the same telegram as a confirmation", () => {
    const bench = started();
    const frozen = { ...START, importMwh: 3000, meterTimeMs: 1_790_000_000_000 };
    expect(Array.from({ length: 9 }, () => bench.say(frozen))).toEqual(Array(9).fill("hold register-down"));
  });

  it("make a jump that stays a discontinuity", () => {
    const bench = started();
    const jumped = { ...START, importMwh: 9000 * KWH };
    for (let i = 0; i < 3; i += 1) expect(bench.say(jumped, 500)).toBe("hold register-jump");
    expect(bench.say(jumped, 500)).toBe(`discontinuity ${DISCONTINUITY.settingsChanged} register-jump`);
    expect(bench.say({ ...jumped, importMwh: 9000 * KWH + 2000 })).toBe("accept");
  });

  it("tell a rollover from a reset by the width and by what can have flowed", () => {
    const wide = { ...IMPORT_ONLY, rolloverMwh: 100_000 * KWH };
    const before = { importMwh: 99_999_999_000, activePowerMw: 1_200_000 };
    const rolled = new Bench(wide);
    rolled.say(before);
    for (let i = 0; i < 3; i += 1) expect(rolled.say({ importMwh: 1000 }, 500)).toBe("hold register-down");
    expect(rolled.say({ importMwh: 2000 }, 500)).toBe(
      `discontinuity ${DISCONTINUITY.rollover} register-down`,
    );

    const reset = new Bench(wide);
    reset.say({ importMwh: 60_000 * KWH });
    for (let i = 0; i < 3; i += 1) reset.say({ importMwh: 1000 }, 500);
    expect(reset.say({ importMwh: 1000 }, 500)).toBe(
      `discontinuity ${DISCONTINUITY.registerReset} register-down`,
    );
  });

  it("believe a rollover that lands on zero", () => {
    const bench = new Bench({ ...IMPORT_ONLY, rolloverMwh: 100_000 * KWH });
    bench.say({ importMwh: 99_999_999_000 });
    for (let i = 0; i < 3; i += 1) bench.say({ importMwh: 0 }, 500);
    expect(bench.say({ importMwh: 0 }, 500)).toBe(`discontinuity ${DISCONTINUITY.rollover} register-down`);
  });

  it("take zeros that stay for a register that is asleep, and a reset only once it counts again", () => {
    const bench = started();
    const zero = { importMwh: 0, exportMwh: 0, activePowerMw: 50_000 };
    for (let i = 0; i < 3; i += 1) expect(bench.say(zero, 500)).toBe("hold register-zero");
    for (let i = 0; i < 9; i += 1) expect(bench.say(zero)).toBe("accept without register-zero");
    expect(bench.judge(zero)).toMatchObject({ reading: reading({ activePowerMw: 50_000 }) });
    expect(bench.say(NEXT)).toBe("accept");

    for (let i = 0; i < 5; i += 1) bench.say(zero, 500);
    for (let i = 0; i < 3; i += 1) expect(bench.say({ ...zero, importMwh: 1000 })).toBe("hold register-down");
    expect(bench.say({ ...zero, importMwh: 2000 })).toBe(
      `discontinuity ${DISCONTINUITY.registerReset} register-down`,
    );
  });

  it("never believe that all registers are zero, and after a day that one of two is", () => {
    const bench = started();
    const asleep = { importMwh: 0, exportMwh: 0, activePowerMw: 50_000 };
    for (let i = 0; i < 5; i += 1) bench.say(asleep, 500);
    for (let day = 0; day < 3; day += 1)
      expect(bench.say(asleep, 24 * 3_600_000)).toBe("accept without register-zero");
    expect(bench.say({ ...NEXT, importMwh: NEXT.importMwh + 20 * KWH })).toBe("accept");

    const later = started();
    const oneOfTwo = { ...NEXT, exportMwh: 0 };
    for (let i = 0; i < 5; i += 1) later.say(oneOfTwo, 500);
    expect(later.say(oneOfTwo, 23 * 3_600_000)).toBe("accept without register-zero");
    expect(later.say(oneOfTwo, 3_600_000)).toBe(`discontinuity ${DISCONTINUITY.registerReset} register-zero`);
  });

  it("never let many small steps add up to more than the limit", () => {
    const bench = started();
    const limitMwPerMs = (17_250_000 * 1.25) / 3_600_000;
    let importMwh = START.importMwh;
    let accepted = importMwh;
    for (let i = 0; i < 200; i += 1) {
      importMwh = accepted + Math.floor(limitMwPerMs * 5000) + 1000;
      if (bench.say({ ...START, importMwh }) === "accept") accepted = importMwh;
    }
    expect(accepted - START.importMwh).toBeLessThanOrEqual(limitMwPerMs * (200 * 5000 + 15_000) + 1000);
    expect(accepted).toBeGreaterThan(START.importMwh);
  });

  it("let a gateway that froze for 15 s catch up", () => {
    const bench = started();
    bench.say(START);
    bench.say(START);
    expect(bench.say({ ...START, importMwh: START.importMwh + 75_000 })).toBe("accept");
  });
});

describe("the set of registers", () => {
  it("accepts a reading without any, and goes on from the last ones", () => {
    const bench = started();
    expect(bench.say({ activePowerMw: 0 })).toBe("accept");
    expect(bench.say(NEXT)).toBe("accept");
  });

  it("never lets one of two pass", () => {
    const bench = started();
    const { exportMwh: _e, ...half } = NEXT;
    expect(bench.say(half)).toBe("accept without registers-incomplete");
    expect(bench.judge(half)).toMatchObject({ reading: reading({ activePowerMw: 1_200_000 }) });
    expect(bench.say({ importMwh: NEXT.importMwh })).toBe("reject registers-incomplete");
  });

  it("leaves out a register that the channel is not known to have", () => {
    const bench = new Bench({ ...GRID, registers: REGISTER.import });
    expect(bench.say(START)).toBe("accept without register-appeared");
    expect(bench.judge(NEXT)).toEqual({
      kind: "accept",
      reading: reading({ importMwh: NEXT.importMwh, activePowerMw: 1_200_000 }),
      stripped: expect.objectContaining({ code: "register-appeared" }),
    });
  });

  it("accepts a battery without registers", () => {
    const bench = new Bench({ ...GRID, role: "storage", quantities: ["power", "stateOfCharge"] });
    expect(bench.say({ stateOfChargePpm: 540_000, activePowerMw: 0 })).toBe("accept");
    expect(bench.say({})).toBe("reject empty");
  });

  it("refuses a fill value as the first one", () => {
    const bench = new Bench(IMPORT_ONLY);
    expect(bench.say({ importMwh: 0x7fff_ffff * 1000 })).toBe("reject register-fill");
    expect(bench.say({ importMwh: 5 * KWH })).toBe("accept");
  });

  it("accepts a fill value that is the natural next one", () => {
    const bench = new Bench(IMPORT_ONLY);
    bench.say({ importMwh: 65_534_000 });
    expect(bench.say({ importMwh: 65_535_000 })).toBe("accept");
    expect(bench.say({ importMwh: 65_536_000 })).toBe("accept");
  });
});

describe("after a restart", () => {
  const clocks = { timeMs: 1_790_000_000_000, nowMs: 1_790_000_000_000 + 3_600_000, monotonicMs: 1000 };

  it("judges by the time on the wall", () => {
    const registers = { importMwh: START.importMwh, exportMwh: START.exportMwh };
    const rise = (importMwh: number): string =>
      new Bench(GRID, { ...registers, ...clocks }).say(
        { ...START, importMwh: START.importMwh + importMwh },
        0,
      );
    expect(rise(21 * KWH)).toBe("accept");
    expect(rise(23 * KWH)).toBe("hold register-jump");
    expect(rise(-1)).toBe("hold register-down");
  });

  it("calls what it cannot judge without a clock a gap", () => {
    const lost = { ...clocks, nowMs: 5000 };
    const bench = new Bench(GRID, { importMwh: START.importMwh, exportMwh: START.exportMwh, ...lost });
    const risen = { ...START, importMwh: START.importMwh + 20 * KWH };
    for (let i = 0; i < 3; i += 1) expect(bench.say(risen, 500)).toBe("hold register-jump");
    expect(bench.say(risen, 500)).toBe(`discontinuity ${DISCONTINUITY.gap} register-jump`);
  });

  it("knows the time again from the first reading that it took", () => {
    const registers = { importMwh: START.importMwh, exportMwh: START.exportMwh };
    const bench = new Bench(GRID, { ...registers, ...clocks, nowMs: 5000 });
    expect(bench.say(START)).toBe("accept");
    const jumped = { ...START, importMwh: 9000 * KWH };
    for (let i = 0; i < 3; i += 1) bench.say(jumped, 500);
    expect(bench.say(jumped, 500)).toBe(`discontinuity ${DISCONTINUITY.settingsChanged} register-jump`);
  });

  it("does not hold a reading against registers of another set", () => {
    const bench = new Bench(GRID, { importMwh: 1, ...clocks });
    expect(bench.say(START)).toBe("accept");
  });
});
