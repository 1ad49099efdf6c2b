import { describe, expect, it } from "vitest";
import { codeOf, HAS_MBPOLL } from "../modbus/kit.ts";
import { polled, suites } from "./kit.ts";

const suite = suites();

/*
 * Where the simulated devices' models lie, counted by hand from the lengths in the definitions: model 1 has 66 registers
 * from 40002 on, 701 153, 702 50, 103 50, 120 26, 121 30; each has ID and L before it.
 */
const M704 = 40_002 + 68 + 155 + 52 + 2;
const M124 = 40_002 + 68 + 52 + 28 + 2;
const M123 = 40_002 + 68 + 52 + 28 + 32 + 2;

const SETPOINT = { kind: "powerSetpoint", leaseMs: 60_000 } as const;

describe("model 704: setpoint of a battery inverter", () => {
  it("writes what ends the command first, the value next and the enable at last", async () => {
    const { device, control } = await suite("der");
    const result = await control.apply({ ...SETPOINT, powerMw: 2_000_000 });
    expect(result).toMatchObject({
      written: { kind: "powerSetpoint", powerMw: 2_000_000 },
      readBack: "agrees",
      leaseMs: 60_000,
      reverts: "device",
      before: { active: false },
      state: { active: true, remainingMs: 60_000 },
    });
    // WSet counts generation in steps of 10 W: charging with 2000 W is -200, 0xFFFFFF38.
    expect(device.writes().map(({ start, values }) => [start - M704, ...values])).toEqual([
      [28, 0, 0, 60],
      [21, 1, 0xffff, 0xff38],
      [20, 1],
    ]);
  });

  it.skipIf(!HAS_MBPOLL)("leaves what another program reads there", async () => {
    const { device, control } = await suite("der");
    await control.apply({ ...SETPOINT, powerMw: -1_234_567 });
    // 1234.567 W is 123 steps of 10 W, cut off; discharge is generation.
    expect(await polled(device.port, M704 + 20, 4)).toEqual([1, 1, 0, 123]);
    expect(await polled(device.port, M704 + 28, 5)).toEqual([0, 0, 60, 0, 60]);
  });

  it("says what the registers can express, and flows accordingly", async () => {
    const { control, pass, power } = await suite("der");
    const charge = await control.apply({ ...SETPOINT, powerMw: 1_234_567 });
    expect(charge).toMatchObject({ written: { powerMw: 1_230_000 }, readBack: "agrees" });
    pass(5);
    expect(power("battery")).toBe(1_230_000);
    await control.apply({ ...SETPOINT, powerMw: -900_000 });
    pass(5);
    expect(power("battery")).toBe(-900_000);
  });

  it("reverts by itself when its time is over, and not before when it is renewed", async () => {
    const { control, pass, power } = await suite("der");
    await control.apply({ ...SETPOINT, powerMw: 500_000 });
    pass(40);
    expect((await control.renew("powerSetpoint", 60_000)).readBack).toBe("agrees");
    pass(50);
    expect(power("battery")).toBe(500_000);
    expect((await control.readBack())[0]).toMatchObject({ active: true, remainingMs: 10_000 });
    pass(15);
    expect((await control.readBack())[0]).toMatchObject({ kind: "powerSetpoint", active: false });
    expect(power("battery")).not.toBe(500_000);
  });

  it("is reverted at once, again and again, also by who did not begin it", async () => {
    const { control, device, pass, power } = await suite("der");
    expect(await control.revert("powerSetpoint")).toMatchObject({ readBack: "agrees" });
    await control.apply({ ...SETPOINT, powerMw: 500_000 });
    expect(await control.revert("powerSetpoint")).toMatchObject({ readBack: "agrees" });
    expect(await control.revert("powerSetpoint")).toMatchObject({ state: { active: false } });
    pass(5);
    expect(power("battery")).not.toBe(500_000);
    expect(device.writes().at(-1)).toMatchObject({ start: M704 + 29, values: [0, 0] });
  });

  it("grants whole seconds, never more than was asked for", async () => {
    const { control } = await suite("der");
    const { leaseMs, state } = await control.apply({ ...SETPOINT, powerMw: 0, leaseMs: 12_999 });
    expect([leaseMs, state?.remainingMs]).toEqual([12_000, 12_000]);
  });

  it("is in percent where the device has no watts", async () => {
    const { control, device } = await suite("der", {
      values: new Map([[704, { WSet: undefined, WSetRvrt: undefined, WSetPct: 0 }]]),
    });
    expect(control.capabilities().find(({ kind }) => kind === "powerSetpoint")?.step).toBe(100_000);
    // The simulated device takes no percent: it says so, and nothing was changed but the timer.
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 550_000 }))).toBe("control-interrupted");
    expect(device.writes().at(-1)?.start).toBe(M704 + 29);
  });

  it("is ended by its holder where the device has no timer", async () => {
    const { control, device } = await suite("der", { values: new Map([[704, { WSetEnaRvrt: undefined }]]) });
    expect(control.capabilities()[0]).toMatchObject({ reverts: "holder", longestLeaseMs: 3_600_000 });
    const result = await control.apply({ ...SETPOINT, powerMw: 0, leaseMs: 12_999 });
    expect(result).toMatchObject({ reverts: "holder", leaseMs: 12_999, readBack: "agrees" });
    expect(device.writes().map(({ start }) => start - M704)).toEqual([21, 20]);
  });
});

describe("model 704: output limit", () => {
  const LIMIT = { kind: "exportLimit", leaseMs: 60_000 } as const;

  it("is a percentage of WMax, and keeps to it", async () => {
    const { control, device, pass, power } = await suite("der");
    const result = await control.apply({ ...LIMIT, limitMw: 1_234_567 });
    // 12.34567 % of 10 kW in steps of 0.1 %.
    expect(result).toMatchObject({ written: { limitMw: 1_230_000 }, readBack: "agrees" });
    expect(device.writes().map(({ start, values }) => [start - M704, ...values])).toEqual([
      [15, 0, 0, 60],
      [13, 123],
      [12, 1],
    ]);
    pass(120);
    expect(power("battery")).toBeGreaterThanOrEqual(-3_300_000);
  });

  it("goes back to a limit that somebody set before, by itself and when it is reverted", async () => {
    const standing = { WMaxLimPctEna: 1, WMaxLimPct: 30 };
    const { control, device } = await suite("der", { values: new Map([[704, standing]]) });
    const before = { active: true, value: { kind: "exportLimit", limitMw: 3_000_000 } };
    // What the options put there hides what was written, so that it reads back other than it is.
    const result = await control.apply({ ...LIMIT, limitMw: 1_000_000 });
    expect(result).toMatchObject({ before, readBack: "differs" });
    expect(device.writes()[0]).toMatchObject({ start: M704 + 14, values: [300, 1, 0, 60] });
    expect(await codeOf(control.apply({ ...LIMIT, limitMw: 4_000_000 }))).toBe("control-outside-ratings");
    await control.revert("exportLimit");
    expect(
      device
        .writes()
        .slice(-3)
        .map(({ start, values }) => [start - M704, ...values]),
    ).toEqual([
      [13, 300],
      [12, 1],
      [16, 0, 0],
    ]);
  });

  it("is not taken away where nobody knows whose it is", async () => {
    const { control } = await suite("der", {
      values: new Map([[704, { WMaxLimPctEna: 1, WMaxLimPct: 30 }]]),
    });
    expect(await codeOf(control.revert("exportLimit"))).toBe("control-no-before");
  });
});

describe("model 123: output limit of a PV inverter", () => {
  const LIMIT = { kind: "exportLimit", limitMw: 2_500_000, leaseMs: 90_000 } as const;

  it("limits the roof until its timer ends", async () => {
    const { control, device, pass, power } = await suite("output");
    expect(control.capabilities()).toMatchObject([{ kind: "exportLimit", channel: "inverter", ramp: true }]);
    pass(10);
    expect(power("pv")).toBeLessThan(-2_500_000);
    expect(await control.apply({ ...LIMIT, rampMwPerS: 3_000_000 })).toMatchObject({ readBack: "agrees" });
    // 10 kW at 3 kW a second are 4 s, rounded up.
    expect(device.writes().map(({ start, values }) => [start - M123, ...values])).toEqual([
      [5, 90, 4],
      [3, 250],
      [7, 1],
    ]);
    pass(5);
    expect(power("pv")).toBeGreaterThanOrEqual(-2_500_000);
    pass(90);
    expect((await control.readBack())[0]?.active).toBe(false);
    expect(power("pv")).toBeLessThan(-2_500_000);
  });

  it("is not put over a limit of somebody else", async () => {
    const values = new Map([[123, { WMaxLim_Ena: 1, WMaxLimPct: 60 }]]);
    const { control } = await suite("output", { values });
    expect(await codeOf(control.apply(LIMIT))).toBe("control-conflict");
  });

  it("is not there where the device only takes commands and shows nothing", async () => {
    const { meter } = await suite("output").then(({ meter: one }) => ({ meter: one }));
    expect(meter.control).toBeDefined();
    const blind = suite("output", { values: new Map([[123, { WMaxLim_Ena: undefined }]]) });
    await expect(blind).rejects.toThrow("takes no commands");
  });
});

describe("model 124: rates of a storage", () => {
  it("forces one power with both rates, written at once behind the timer", async () => {
    const { control, device, pass, power } = await suite("storage");
    const result = await control.apply({ ...SETPOINT, powerMw: 1_650_000, leaseMs: 30_000 });
    expect(result).toMatchObject({ written: { powerMw: 1_650_000 }, readBack: "agrees", reverts: "device" });
    // 50 % of 3300 W in steps of 0.01 %: InWRte 5000, OutWRte -5000, both bits of StorCtl_Mod.
    expect(device.writes().map(({ start, values }) => [start - M124, ...values])).toEqual([
      [13, 30, 0],
      [10, 65_536 - 5000, 5000],
      [3, 3],
    ]);
    pass(5);
    expect(power("battery")).toBe(1_650_000);
    pass(26);
    expect((await control.readBack())[0]).toMatchObject({ active: false });
  });

  it("forces discharge with the signs the other way round, and holds with zero", async () => {
    const { control, device, pass, power } = await suite("storage");
    await control.apply({ ...SETPOINT, powerMw: -825_000 });
    expect(device.writes().find(({ start }) => start === M124 + 10)?.values).toEqual([2500, 65_536 - 2500]);
    pass(5);
    expect(power("battery")).toBe(-825_000);
    expect(await control.apply({ ...SETPOINT, powerMw: 0 })).toMatchObject({ readBack: "agrees" });
    pass(5);
    expect(power("battery")).toBe(0);
  });

  it("limits one direction alone", async () => {
    const { control, device, pass, power } = await suite("storage");
    await control.apply({ kind: "importLimit", limitMw: 330_000, leaseMs: 30_000 });
    expect(
      device
        .writes()
        .slice(-2)
        .map(({ start, values }) => [start - M124, ...values]),
    ).toEqual([
      [11, 1000],
      [3, 1],
    ]);
    pass(20);
    expect(power("battery")).toBeLessThanOrEqual(330_000);
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 0 }))).toBe("control-conflict");
    await control.revert("importLimit");
    expect(
      device
        .writes()
        .slice(-3)
        .map(({ start, values }) => [start - M124, ...values]),
    ).toEqual([
      [3, 0],
      [10, 10_000, 10_000],
      [13, 0],
    ]);
  });

  it("changes as slowly as it is told to", async () => {
    const { control, pass, power } = await suite("storage");
    await control.apply({ ...SETPOINT, powerMw: -3_000_000, leaseMs: 600_000 });
    pass(10);
    await control.apply({ ...SETPOINT, powerMw: 3_000_000, leaseMs: 600_000, rampMwPerS: 100_000 });
    pass(10);
    expect(power("battery")).toBeGreaterThan(-3_000_000);
    expect(power("battery")).toBeLessThanOrEqual(-3_000_000 + 10 * 100_000);
    pass(80);
    expect(power("battery")).toBe(3_000_000);
  });

  it("does not charge from the grid where the owner has not allowed it", async () => {
    const { control } = await suite("storage", { values: new Map([[124, { ChaGriSet: 0 }]]) });
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 100_000 }))).toBe("control-not-allowed");
    expect((await control.apply({ ...SETPOINT, powerMw: -100_000 })).readBack).toBe("agrees");
  });
});

describe("the reserve of models 802 and 124", () => {
  it.each([
    ["der", 30_000, 450_000],
    ["storage", 30_000, 450_000],
  ] as const)("of %s is rounded up, kept to, and put back", async (models, leaseMs, reservePpm) => {
    const { control, pass, device } = await suite(models);
    const command = { kind: "stateOfChargeReserve", leaseMs } as const;
    const { before, written } = await control.apply({ ...command, reservePpm: 123_456 });
    expect(written).toMatchObject({ reservePpm: 124_000 });
    expect(before.value).toMatchObject({ reservePpm: 100_000 });
    await control.apply({ ...command, reservePpm });
    await control.revert("stateOfChargeReserve");
    const states = await control.readBack();
    expect(states.find(({ kind }) => kind === command.kind)?.value).toMatchObject({ reservePpm: 100_000 });
    expect(await codeOf(control.apply({ ...command, reservePpm: 1_000_001 }))).toBe(
      "control-outside-ratings",
    );
    expect(await codeOf(control.revert("stateOfChargeReserve"))).toBe("control-no-before");
    expect(await control.revert("stateOfChargeReserve", before)).toMatchObject({ readBack: "agrees" });
    await control.apply({ ...command, reservePpm: 540_000 });
    await control.apply({ ...SETPOINT, powerMw: -2_000_000 });
    pass(30);
    expect(device.truth().stateOfChargePpm).toBeGreaterThanOrEqual(539_000);
  });

  it("is not written under local control", async () => {
    const { control } = await suite("der", { values: new Map([[802, { LocRemCtl: 1 }]]) });
    const command = { kind: "stateOfChargeReserve", leaseMs: 30_000, reservePpm: 200_000 } as const;
    expect(await codeOf(control.apply(command))).toBe("control-not-allowed");
  });
});
