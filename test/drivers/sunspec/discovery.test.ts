import { describe, expect, it } from "vitest";
import { startModbusServer } from "../../../drivers/simulated/modbus-server.ts";
import { encodeChain } from "../../../drivers/simulated/sunspec-encode.ts";
import type { SunSpecFault } from "../../../drivers/simulated/sunspec-faults.ts";
import { simulatedCommon } from "../../../drivers/simulated/sunspec-suite.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, codeOf, fixed, openSuite, openSunSpec, problemOf } from "./kit.ts";

const later = cleanupAfterEach();
const ROOF = fixed(device.inverter(103));

function openFaulty(faults: readonly SunSpecFault[], options: object = {}, base = 40_000) {
  return openSuite(later, { models: ROOF, faults: () => faults, base }, options);
}

describe("a place where the device keeps silent", () => {
  it("costs one deadline, and no other place", async () => {
    const faults = [40_000, 0].map((start) => ({ kind: "silent-at" as const, start }));
    const { meter } = await openFaulty(faults, { timeoutMs: 120 }, 50_000);
    const begunMs = performance.now();
    expect((await meter.identify()).serial).toBe("T-1");
    expect(performance.now() - begunMs).toBeGreaterThan(2 * 110);
    expect((await meter.read()).readings).toMatchObject([{ activePowerMw: -3_600_000 }]);
  });

  it("is asked once when the device is found, and not again", async () => {
    const asked: number[] = [];
    const { meter } = await openSuite(
      later,
      {
        models: ROOF,
        base: 0,
        faults: ({ start }) => {
          asked.push(start);
          return [{ kind: "silent-at", start: 40_000 }];
        },
      },
      { timeoutMs: 120 },
    );
    await meter.identify();
    expect(asked.filter((start) => start === 40_000)).toHaveLength(1);
    asked.length = 0;
    await meter.identify();
    expect(asked[0]).toBe(0);
    expect(asked).not.toContain(40_000);
  });

  it("is waited for as long as the deadline says", async () => {
    const slow = await openFaulty([{ kind: "slow-at", start: 40_000, ms: 60 }], { timeoutMs: 20_000 });
    expect((await slow.meter.identify()).serial).toBe("T-1");
    const late = await openFaulty([{ kind: "slow-at", start: 40_000, ms: 5000 }], { timeoutMs: 120 });
    // Nothing is at 0 and 50000, and what came too late is nothing.
    expect(await codeOf(late.meter.identify())).toBe("driver-not-sunspec");
  });

  it("everywhere is a device that does not answer", async () => {
    const faults = [40_000, 0, 50_000].map((start) => ({ kind: "silent-at" as const, start }));
    const { meter } = await openFaulty(faults, { timeoutMs: 60 });
    const problem = await problemOf(meter.identify());
    expect(problem.code).toBe("driver-no-answer");
    expect(problem.detail.cause).toMatchObject({ code: "modbus-timeout" });
  });

  it("may also be where the device hangs up", async () => {
    const map = encodeChain([simulatedCommon("T-1"), device.inverter(103)]);
    const server = await startModbusServer({
      port: 0,
      read: ({ start, count }) => ({ registers: map.slice(start, start + count) }),
      misbehave: ({ start }) => (start >= 40_000 ? { kind: "close-before-reply" } : undefined),
    });
    later(() => server.close());
    const meter = openSunSpec(server, { timeoutMs: 300 });
    later(() => meter.close());
    expect((await meter.identify()).serial).toBe("T-1");
  });
});

describe("a gateway", () => {
  it("that answers with zeros for a unit that is not there is no device", async () => {
    const { meter } = await openFaulty([{ kind: "zeros-for-absent-units" }], { unit: 9 });
    const problem = await problemOf(meter.identify());
    expect(problem.code).toBe("driver-not-sunspec");
    expect(problem.message).toContain("check the unit number");
  });
});

describe("a chain of models", () => {
  /** A device whose registers at 40000 are these, and nothing behind them. */
  async function openRegisters(registers: readonly number[]) {
    const server = await startModbusServer({
      port: 0,
      read: ({ start, count }) => {
        const from = start - 40_000;
        const there = from >= 0 && from + count <= registers.length;
        return there ? { registers: registers.slice(from, from + count) } : { exception: 2 };
      },
    });
    later(() => server.close());
    const meter = openSunSpec(server);
    later(() => meter.close());
    return meter;
  }

  async function causeOf(registers: readonly number[]) {
    return (await problemOf((await openRegisters(registers)).identify())).detail.cause;
  }

  const COMMON = encodeChain([simulatedCommon("T-1")]).slice(0, -2);

  it("that goes on behind the last register is refused", async () => {
    // Model 1 ends at 40070; 25,466 registers more and there is no room for an ID and L.
    expect(await causeOf([...COMMON, 64_001, 25_463])).toMatchObject({
      code: "sunspec-chain-endless",
      message: expect.stringContaining("64001 at 40070 with 25463 registers"),
    });
    expect(await causeOf([...COMMON, 64_001, 65_535])).toMatchObject({ code: "sunspec-chain-endless" });
  });

  it("that ends in nothing is refused, with the place", async () => {
    expect(await causeOf([...COMMON, 64_001, 2, 7, 7])).toMatchObject({
      code: "sunspec-chain-broken",
      message: expect.stringContaining("register 40074"),
    });
  });

  it("of more models than there can be is refused", async () => {
    const empty = Array.from({ length: 120 }, () => [64_001, 0]).flat();
    expect(await causeOf([...COMMON, ...empty, 0xffff, 0])).toMatchObject({
      code: "sunspec-chain-endless",
      message: expect.stringContaining("goes in circles"),
    });
  });

  it("with models that nobody knows, empty ones among them, is walked to its end", async () => {
    const meter = await openRegisters([
      ...COMMON,
      ...[64_001, 0, 64_002, 3, 1, 2, 3],
      ...encodeChain([device.inverter(101)]).slice(2),
    ]);
    expect((await meter.read()).readings).toMatchObject([{ channel: "inverter" }]);
  });
});

describe("a device that changes", () => {
  it("is found again after a model came in between", async () => {
    let faults: readonly SunSpecFault[] = [];
    const { meter } = await openSuite(later, { models: ROOF, faults: () => faults });
    await meter.read();
    faults = [{ kind: "layout-change", before: 103, length: 50 }];
    expect(await codeOf(meter.read())).toBe("sunspec-layout-changed");
    expect((await meter.read()).readings).toMatchObject([{ activePowerMw: -3_600_000 }]);
  });

  it("to nothing but ones is refused until it is awake", async () => {
    let faults: readonly SunSpecFault[] = [];
    const { meter } = await openSuite(later, { models: ROOF, faults: () => faults });
    await meter.identify();
    faults = [{ kind: "all-ones" }];
    expect(await codeOf(meter.read())).toBe("sunspec-all-ones");
    faults = [];
    expect((await meter.read()).readings).toMatchObject([{ activePowerMw: -3_600_000 }]);
  });

  it.each([
    ["inverter", device.inverter(103), "W_SF", 2, { activePowerMw: -3_600_000 }],
    ["meter", device.meterOf(203), "TotWh_SF", 1, { importMwh: 7_654_320_000, resolutionMwh: 10_000 }],
    [
      "inverter",
      device.derAc(),
      "TotWh_SF",
      3,
      { exportMwh: 5_000_000_000_000_000, resolutionMwh: 1_000_000 },
    ],
    ["battery", device.bank(), "W_SF", 2, { activePowerMw: -1_800_000 }],
  ] as const)(
    "its scale factor is read as it is now: %s %#",
    async (_kind, model, scale, exponent, expected) => {
      let faults: readonly SunSpecFault[] = [];
      const { meter } = await openSuite(later, { models: fixed(model), faults: () => faults });
      const [before] = (await meter.read()).readings;
      faults = [{ kind: "scale-change", model: model.id, scale, exponent }];
      expect((await meter.read()).readings).toMatchObject([expected]);
      faults = [];
      expect((await meter.read()).readings).toEqual([before]);
    },
  );
});

describe("a boundary that a device shows in several families of models", () => {
  it("is one channel: of the suite, or else of integers, or else of floats", async () => {
    const all = [device.inverter(113), device.inverter(103), device.derAc()];
    const { meter } = await openSuite(later, {
      models: fixed(...all, device.meterOf(213), device.meterOf(203)),
    });
    const { readings } = await meter.read();
    expect(readings).toMatchObject([
      { channel: "inverter", exportMwh: 5_000_000_000_000_000 },
      { channel: "meter", importMwh: 7_654_321_000, currentMa: [3100, 3200, 3300] },
    ]);
  });

  it("is read where energy is counted", async () => {
    const empty = device.derAc({ TotWhInj: 0, TotWhAbs: 0 });
    const { meter } = await openSuite(later, { models: fixed(empty, device.inverter(113)) });
    expect((await meter.read()).readings).toMatchObject([{ channel: "inverter", exportMwh: 12_345_600_000 }]);
  });

  it("is several channels where one family has several models", async () => {
    const { meter } = await openSuite(later, {
      models: fixed(device.inverter(101), device.inverter(103), device.nameplate(), device.immediate()),
    });
    await meter.identify();
    // Whose the rating and the controls are is not known.
    expect(meter.channels().map(({ name, maxExportMw }) => [name, maxExportMw])).toEqual([
      ["inverter", undefined],
      ["inverter2", undefined],
    ]);
    expect((await meter.read()).flexibility).toEqual([]);
  });
});
