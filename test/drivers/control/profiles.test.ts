import { describe, expect, it } from "vitest";
import type { Controllable } from "../../../drivers/control.ts";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { bundledProfile } from "../../../drivers/profile/bundled.ts";
import { codeOf, HAS_MBPOLL, problemOf } from "../modbus/kit.ts";
import { type Bench, benches } from "../simulated/kit.ts";
import { controlOf, polled } from "./kit.ts";

const bench = benches();

interface Controlled extends Bench {
  readonly meter: PolledMeter;
  readonly control: Controllable;
  /** What flows into that boundary, mW. */
  power(name: string): number;
}

async function controlled(name: string, driver: Readonly<Record<string, unknown>> = {}): Promise<Controlled> {
  const started = await bench(bundledProfile(name));
  const meter = started.open(driver);
  await meter.identify();
  const power = (channel: string): number =>
    started.device.truth().boundaries.get(channel)?.powerMw ?? Number.NaN;
  return { ...started, meter, control: controlOf(meter), power };
}

/** Registers by number, for the makers' tables; again where the device has not yet let its only client go. */
async function registers(port: number, unit: number, starts: readonly number[]): Promise<readonly number[]> {
  const all: number[] = [];
  for (const start of starts) {
    let register: readonly number[] = [];
    for (let tries = 0; register.length === 0 && tries < 20; tries++)
      register = await polled(port, start, 1, unit);
    all.push(...register);
  }
  return all;
}

describe("Huawei SUN2000 with LUNA2000", () => {
  /** It serves one client at a time. */
  it.skipIf(!HAS_MBPOLL)(
    "is forced to charge for whole minutes, and reverts without any client",
    async () => {
      const { control, device, meter, pass, power } = await controlled("huawei-sun2000");
      const { maxChargeMw = 0 } = await control.ratings();
      const powerMw = 100_000;
      expect(maxChargeMw).toBeGreaterThanOrEqual(powerMw);
      const result = await control.apply({ kind: "powerSetpoint", powerMw, leaseMs: 179_999 });
      expect(result).toMatchObject({ readBack: "agrees", leaseMs: 120_000, reverts: "device" });
      await meter.close();
      expect(await codeOf(control.revert("powerSetpoint"))).toBe("control-closed");
      // 47083 minutes, 47100 charge, 47246 by time, 47247 and 47248 W.
      const numbers = [47_083, 47_100, 47_246, 47_247, 47_248];
      expect(await registers(device.port, 1, numbers)).toEqual([2, 1, 0, 0, 100]);
      pass(10);
      expect(power("battery")).toBe(powerMw);
      pass(111);
      expect(await registers(device.port, 1, [47_100])).toEqual([0]);
    },
  );

  it.skipIf(!HAS_MBPOLL).each([
    [-100_000, 100],
    [0, 0],
  ])("of %i mW is a discharge with %i W", async (powerMw, watts) => {
    const { control, device, meter, pass, power } = await controlled("huawei-sun2000");
    await control.apply({ kind: "powerSetpoint", powerMw, leaseMs: 120_000 });
    pass(10);
    expect(power("battery")).toBe(powerMw);
    await meter.close();
    expect(await registers(device.port, 1, [47_100, 47_249, 47_250])).toEqual([2, 0, watts]);
  });

  it("is reverted", async () => {
    const { control, pass, power } = await controlled("huawei-sun2000");
    await control.apply({ kind: "powerSetpoint", powerMw: -100_000, leaseMs: 120_000 });
    expect((await control.revert("powerSetpoint")).readBack).toBe("agrees");
    pass(10);
    expect(power("battery")).not.toBe(-100_000);
  });

  it("keeps to what the battery says that it can", async () => {
    const { control } = await controlled("huawei-sun2000");
    const { maxChargeMw = 0, maxDischargeMw = 0 } = await control.ratings();
    for (const powerMw of [maxChargeMw + 1, -maxDischargeMw - 1])
      expect(await codeOf(control.apply({ kind: "powerSetpoint", powerMw, leaseMs: 120_000 }))).toBe(
        "control-outside-ratings",
      );
    expect(await codeOf(control.apply({ kind: "powerSetpoint", powerMw: 0, leaseMs: 60_000 }))).toBe(
      "control-bad-lease",
    );
  });
});

describe.each(["sungrow-sh", "sungrow-sh-signed"])("Sungrow %s", (name) => {
  it.skipIf(!HAS_MBPOLL)("is forced with mode, power and command", async () => {
    const { control, device, pass, power } = await controlled(name);
    const read = (): Promise<readonly number[]> => registers(device.port, 1, [13_049, 13_050, 13_051]);
    await control.apply({ kind: "powerSetpoint", powerMw: 250_000, leaseMs: 60_000 });
    expect(await read()).toEqual([2, 0xaa, 250]);
    pass(10);
    expect(power("battery")).toBe(250_000);
    await control.apply({ kind: "powerSetpoint", powerMw: -300_000, leaseMs: 60_000 });
    expect(await read()).toEqual([2, 0xbb, 300]);
    pass(10);
    expect(power("battery")).toBe(-300_000);
    await control.apply({ kind: "powerSetpoint", powerMw: 0, leaseMs: 60_000 });
    expect((await read()).slice(0, 2)).toEqual([2, 0xcc]);
    pass(10);
    expect(power("battery")).toBe(0);
    expect((await control.revert("powerSetpoint")).readBack).toBe("agrees");
    expect((await read()).slice(0, 2)).toEqual([0, 0xcc]);
  });

  it("reserves and limits what the owner's settings come back from", async () => {
    const { control } = await controlled(name, { controlLimits: { maxExportW: 6000 } });
    const reserve = { kind: "stateOfChargeReserve", leaseMs: 60_000 } as const;
    const first = await control.apply({ ...reserve, reservePpm: 300_500 });
    expect(first).toMatchObject({ written: { reservePpm: 301_000 }, readBack: "agrees", reverts: "holder" });
    expect(await codeOf(control.apply({ ...reserve, reservePpm: 500_001 }))).toBe("control-outside-ratings");
    expect(await control.revert(reserve.kind)).toMatchObject({ readBack: "agrees", state: first.before });
    const limit = { kind: "exportLimit", leaseMs: 60_000 } as const;
    expect((await control.apply({ ...limit, limitMw: 100_000 })).readBack).toBe("agrees");
    expect(await control.revert("exportLimit")).toMatchObject({ state: { active: false } });
  });

  it("takes no export limit that nobody bounds", async () => {
    const { control } = await controlled(name);
    const command = { kind: "exportLimit", limitMw: 100_000, leaseMs: 60_000 } as const;
    expect(await codeOf(control.apply(command))).toBe("control-no-rating");
  });
});

describe("Victron GX", () => {
  const limits = { controlLimits: { maxImportW: 10_000, maxExportW: 5000 } };
  const SETPOINT = { kind: "powerSetpoint", leaseMs: 60_000 } as const;

  it.skipIf(!HAS_MBPOLL)("keeps the power at the grid connection, - into the grid", async () => {
    const { control, device, pass, power } = await controlled("victron-gx", limits);
    expect(control.capabilities()[0]).toMatchObject({ channel: "grid", reverts: "holder", step: 1000 });
    expect((await control.apply({ ...SETPOINT, powerMw: -500_000 })).readBack).toBe("agrees");
    expect(await registers(device.port, 100, [2716, 2717])).toEqual([0xffff, 0x10000 - 500]);
    pass(10);
    const { grid, battery } = { grid: power("grid"), battery: power("battery") };
    // The battery brings it about, as far as it can.
    expect(grid === -500_000 || Math.abs(battery) === 3_300_000).toBe(true);
    expect((await control.revert("powerSetpoint")).readBack).toBe("agrees");
    expect(await registers(device.port, 100, [2716, 2717])).toEqual([0, 0]);
  });

  it("cannot be asked for 0 W, which gives it back to its owner", async () => {
    const { control } = await controlled("victron-gx", limits);
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 0 }))).toBe("control-not-expressible");
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 10_000_001 }))).toBe("control-outside-ratings");
  });

  it("has to be told what the connection bears", async () => {
    const { control } = await controlled("victron-gx");
    const problem = await problemOf(control.apply({ ...SETPOINT, powerMw: 100_000 }));
    expect(problem.code).toBe("control-no-rating");
    expect(problem.message).toContain("controlLimits");
  });
});

describe("GoodWe ET", () => {
  it.skipIf(!HAS_MBPOLL)("is told power and mode", async () => {
    const { control, device, pass, power } = await controlled("goodwe-et");
    const read = (): Promise<readonly number[]> => registers(device.port, 247, [47_511, 47_512]);
    for (const [powerMw, mode] of [
      [400_000, 11],
      [-350_000, 12],
      [0, 8],
    ] as const) {
      await control.apply({ kind: "powerSetpoint", powerMw, leaseMs: 60_000 });
      expect(await read()).toEqual([mode, Math.abs(powerMw) / 1000]);
      pass(10);
      expect(power("battery")).toBe(powerMw);
    }
    await control.revert("powerSetpoint");
    expect(await read()).toEqual([1, 0]);
  });

  it("has modes, which exclude a setpoint", async () => {
    const { control, pass, power } = await controlled("goodwe-et");
    const mode = control.capabilities().find(({ kind }) => kind === "mode");
    expect(mode).toMatchObject({ modes: ["hold", "chargeOnly"], excludes: ["powerSetpoint"] });
    await control.apply({ kind: "mode", mode: "hold", leaseMs: 60_000 });
    pass(10);
    expect(power("battery")).toBe(0);
    expect(await codeOf(control.apply({ kind: "powerSetpoint", powerMw: 0, leaseMs: 60_000 }))).toBe(
      "control-conflict",
    );
    expect(await codeOf(control.apply({ kind: "mode", mode: "dischargeOnly", leaseMs: 60_000 }))).toBe(
      "control-not-supported",
    );
    const shown = (await control.apply({ kind: "mode", mode: "chargeOnly", leaseMs: 60_000 })).state;
    expect(shown?.value).toEqual({ kind: "mode", mode: "chargeOnly" });
  });
});

describe("faults of a profile's device", () => {
  const COMMAND = { kind: "powerSetpoint", powerMw: 200_000, leaseMs: 120_000 } as const;

  it.each([
    ["clamps-silently", "differs"],
    ["wrong-readback", "differs"],
    ["ignores-command", "agrees"],
  ] as const)("%s: the read-back %s", async (fault, readBack) => {
    const { control, device } = await controlled("huawei-sun2000");
    device.setFaults([fault]);
    expect((await control.apply(COMMAND)).readBack).toBe(readBack);
  });

  it("loses-connection-in-the-middle: it is reverted, and takes the next command", async () => {
    const { control, device } = await controlled("huawei-sun2000");
    device.setFaults(["loses-connection-in-the-middle"]);
    expect(await codeOf(control.apply(COMMAND))).toBe("control-interrupted");
    expect((await control.apply(COMMAND)).readBack).toBe("agrees");
  });

  it("forgets-timer: it goes on until it is reverted", async () => {
    const { control, device, pass, power } = await controlled("huawei-sun2000");
    device.setFaults(["forgets-timer"]);
    await control.apply(COMMAND);
    pass(300);
    expect(power("battery")).toBe(200_000);
    await control.revert("powerSetpoint");
    expect((await control.readBack())[0]?.active).toBe(false);
  });

  it("bms-limit and obeys-late show in the power alone", async () => {
    const { control, device, pass, power } = await controlled("huawei-sun2000");
    const { maxDischargeMw = 0 } = await control.ratings();
    device.setFaults(["bms-limit", "obeys-late"]);
    await control.apply({ ...COMMAND, powerMw: -maxDischargeMw });
    pass(15);
    const early = power("battery");
    pass(15);
    const quarter = -maxDischargeMw / 4;
    expect([early === quarter, power("battery") === quarter]).toEqual([false, true]);
  });

  it("cannot happen to a device without control", async () => {
    const { device } = await bench(bundledProfile("eastron-sdm120"));
    expect(() => device.setFaults(["ignores-command"])).toThrow("a profile without control");
  });
});

describe("a device without control", () => {
  it("has none", async () => {
    const { open } = await bench(bundledProfile("eastron-sdm120"));
    const meter = open();
    await meter.identify();
    expect(meter.control).toBeUndefined();
  });
});
