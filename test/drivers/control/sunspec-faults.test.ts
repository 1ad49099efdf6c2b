import { describe, expect, it } from "vitest";
import { codeOf, problemOf } from "../modbus/kit.ts";
import { suites } from "./kit.ts";

const suite = suites();
const SETPOINT = { kind: "powerSetpoint", leaseMs: 60_000 } as const;

describe("ratings", () => {
  it("are what the device says, and less where the installer allows less", async () => {
    const { control } = await suite("der");
    expect(await control.ratings()).toEqual({
      ...{ maxChargeMw: 3_300_000, maxDischargeMw: 3_300_000, maxImportMw: 3_300_000 },
      ...{ maxExportMw: 10_000_000, usableEnergyMwh: 5_400_000, minReservePpm: 50_000 },
      ...{ maxReservePpm: 1_000_000, rampMwPerS: 3_000_000 },
    });
    const small = await suite("der", { driver: { controlLimits: { maxImportW: 1000, maxExportW: 1500 } } });
    expect(await small.control.ratings()).toMatchObject({ maxImportMw: 1_000_000, maxExportMw: 1_500_000 });
    const outside = small.control.apply({ ...SETPOINT, powerMw: 1_000_001 });
    expect((await problemOf(outside)).detail).toMatchObject({ expected: "-1500000 to 1000000" });
    expect(await codeOf(small.control.apply({ ...SETPOINT, powerMw: -1_500_001 }))).toBe(
      "control-outside-ratings",
    );
    expect(small.device.writes()).toEqual([]);
  });
});

describe("a device that cannot be written", () => {
  it.each([
    [1, "cannot be written"],
    [2, "does not have this register"],
    [3, "does not take this value"],
    [4, "present state"],
  ] as const)("answers with exception %i, and is said to refuse", async (refuses, words) => {
    const { control } = await suite("der", { refuses });
    const problem = await problemOf(control.apply({ ...SETPOINT, powerMw: 0 }));
    expect(problem.code).toBe("control-refused");
    expect(problem.message).toContain(words);
    expect(await codeOf(control.renew("powerSetpoint", 60_000))).toBe("control-not-leased");
  });
});

describe("faults of the device", () => {
  it("a connection lost in the middle leaves the device reverted", async () => {
    const { control, device, pass } = await suite("der");
    device.setFaults(["loses-connection-in-the-middle"]);
    expect(await codeOf(control.apply({ ...SETPOINT, powerMw: 1_000_000 }))).toBe("control-interrupted");
    expect((await control.readBack())[0]).toMatchObject({ active: false });
    pass(1);
    expect((await control.apply({ ...SETPOINT, powerMw: 1_000_000 })).readBack).toBe("agrees");
  });

  it.each(["clamps-silently", "wrong-readback"] as const)(
    "%s differs when it is read back",
    async (fault) => {
      const { control, device } = await suite("der");
      device.setFaults([fault]);
      const result = await control.apply({ ...SETPOINT, powerMw: 2_000_000 });
      expect(result.readBack).toBe("differs");
      expect(result.state?.value).not.toEqual(result.written);
    },
  );

  it.each(["ignores-command", "bms-limit", "obeys-late"] as const)(
    "%s is seen by the meter alone",
    async (fault) => {
      const { control, device, meter, pass } = await suite("der");
      device.setFaults([fault]);
      expect((await control.apply({ ...SETPOINT, powerMw: -2_000_000 })).readBack).toBe("agrees");
      pass(5);
      const { readings } = await meter.read();
      expect(readings[0]?.activePowerMw).not.toBe(-2_000_000);
      pass(20);
      const late = (await meter.read()).readings[0]?.activePowerMw;
      if (fault === "obeys-late") expect(late).toBe(-2_000_000);
      else expect(late).not.toBe(-2_000_000);
    },
  );

  it("forgets-timer is ended by whoever holds the lease", async () => {
    const { control, device, pass, power } = await suite("der");
    device.setFaults(["forgets-timer"]);
    await control.apply({ ...SETPOINT, powerMw: 500_000 });
    pass(120);
    expect((await control.readBack())[0]).toMatchObject({ active: true, remainingMs: 0 });
    expect(power("battery")).toBe(500_000);
    expect(await control.revert("powerSetpoint")).toMatchObject({ readBack: "agrees" });
  });
});
