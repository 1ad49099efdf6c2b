import { describe, expect, it } from "vitest";
import { READING_STATUS } from "../../../attest/reading.ts";
import type { Snapshot } from "../../../drivers/driver.ts";
import type { SimulatedProfileOptions } from "../../../drivers/simulated/profile-device.ts";
import {
  faultNamed,
  SIMULATED_FAULTS,
  type SimulatedFault,
} from "../../../drivers/simulated/profile-faults.ts";
import { codeOf, problemOf } from "../modbus/kit.ts";
import { type Bench, benches, differences, patiently, profileOf, readingOf } from "./kit.ts";

/*
 * What a driver makes of each fault: it says so with a code, leaves the value out, doubts it, or shows what the device
 * shows. It never takes one value for another.
 */

const at = (address: number, rest: object): object => ({ snapshot: "all", address, ...rest });
const NONE = { notImplemented: ["0x80000000"] };
const METER = profileOf({
  identity: {
    make: "Test",
    model: "Meter",
    serial: { point: "serial" },
    match: [{ point: "frequency", between: [45, 65] }],
  },
  transport: { tcp: {}, serial: { baud: 19_200 }, unit: 3 },
  snapshots: {
    all: { table: "input", start: 0, count: 40 },
    names: { table: "holding", start: 0, count: 10, interval: "identify" },
  },
  points: {
    power: at(0, { type: "s32", unit: "W", ...NONE }),
    powerL1: at(2, { type: "s32", unit: "W", ...NONE }),
    powerL2: at(4, { type: "s32", unit: "W", ...NONE }),
    powerL3: at(6, { type: "s32", unit: "W", ...NONE }),
    voltage: at(8, { type: "float32", unit: "V" }),
    frequency: at(10, { type: "u16", scale: 0.01, unit: "Hz" }),
    importEnergy: at(11, { type: "u32", unit: "Wh", kind: "counter" }),
    exportEnergy: at(13, { type: "u32", unit: "Wh", kind: "counter" }),
    state: at(15, { type: "u16", kind: "state", values: { 1: "ok", 7: "fault" } }),
    ratio: at(16, { type: "u16", kind: "setting" }),
    serial: { snapshot: "names", address: 0, type: "text", registers: 8, kind: "text" },
  },
  channels: {
    grid: {
      role: "grid",
      power: "power",
      sign: { positive: "import", source: "a test's own" },
      import: "importEnergy",
      export: "exportEnergy",
      voltage: ["voltage"],
      frequency: "frequency",
      status: "state",
      ctRatio: "ratio",
    },
  },
  checks: [
    {
      sum: ["powerL1", "powerL2", "powerL3"],
      equals: "power",
      tolerance: { absolute: 20, percent: 10 },
      channel: "grid",
      affects: ["power"],
    },
  ],
});
const PLAIN = profileOf({
  snapshots: { all: { table: "input", start: 0, count: 4 } },
  points: { energy: at(0, { type: "u32", unit: "Wh", kind: "counter" }) },
  channels: { load: { role: "load", import: "energy", counter: { wraps: false } } },
});

/** 2^32 steps of 1 Wh. */
const END_MWH = 2 ** 32 * 1000;

/** Faults that a deadline tells. */
const SILENT: ReadonlySet<SimulatedFault> = new Set(["late", "lost", "truncated"]);

const bench = benches();

interface Trial extends Bench {
  readonly meter: ReturnType<Bench["open"]>;
  read(): Promise<Snapshot>;
}

/** A meter that was identified while it was well, and has the fault now. */
async function trial(fault: SimulatedFault, kind: "tcp" | "rtu-over-tcp" = "tcp"): Promise<Trial> {
  const timeoutMs = kind === "tcp" && !SILENT.has(fault) ? 3000 : 400;
  const place: SimulatedProfileOptions["place"] = { kind, port: 0 };
  const started = await bench(METER, { place });
  const meter = started.open({ timeoutMs });
  await patiently(() => meter.identify());
  started.pass(9);
  expect(differences(METER, await patiently(() => meter.read()), started.device.truth())).toEqual([]);
  started.device.setFaults([fault]);
  return { ...started, meter, read: () => meter.read() };
}

describe("a fault of the wire", () => {
  const WIRE: readonly (readonly [SimulatedFault, string])[] = [
    ["late", "modbus-timeout"],
    ["lost", "modbus-timeout"],
    ["truncated", "modbus-timeout"],
    ["damaged", "modbus-malformed"],
    ["wrong-unit", "modbus-malformed"],
    ["wrong-function", "modbus-malformed"],
    ["wrong-byte-count", "modbus-malformed"],
    ["wrong-size", "modbus-malformed"],
    ["behind-previous", "modbus-malformed"],
    ["before-foreign", "modbus-malformed"],
    ["noise", "modbus-malformed"],
    ["twice", "nothing"],
    ["unsolicited", "nothing"],
  ];

  it.each(WIRE)("%s is told as %s over TCP, and no value is ever wrong", async (fault, code) => {
    const { read, pass, device } = await trial(fault);
    const first = await read().catch(({ code: said }) => said);
    if (code === "nothing") expect(differences(METER, first, device.truth())).toEqual([]);
    else expect(first).toBe(code);
    const before = device.requests();
    let good = 0;
    for (let tries = 0; device.requests() < before + 12 && tries < 60; tries++) {
      pass(1);
      const snapshot = await read().catch(() => undefined);
      if (snapshot === undefined) continue;
      good += 1;
      expect(differences(METER, snapshot, device.truth())).toEqual([]);
    }
    expect(good).toBeGreaterThan(2);
  });

  it.each([
    ["damaged", "modbus-crc"],
    ["lost", "modbus-timeout"],
    ["wrong-unit", "modbus-malformed"],
  ] as const)("%s is told as %s in RTU frames", async (fault, code) => {
    const { read } = await trial(fault, "rtu-over-tcp");
    expect(await codeOf(read())).toBe(code);
  });
});

describe("a fault of the device", () => {
  it("all-ones leaves every value out, and is no device to begin with", async () => {
    const { read, open } = await trial("all-ones");
    const snapshot = await read();
    expect(snapshot.readings).toEqual([]);
    expect(snapshot.absent.length).toBeGreaterThan(4);
    expect(snapshot.absent[0]).toContain("0xFFFF");
    expect(await codeOf(open().identify())).toBe("driver-not-matching");
  });

  it("all-zeros is refused by the driver, at a reading and to begin with", async () => {
    const { device, open } = await bench(PLAIN);
    const meter = open();
    await meter.identify();
    device.setFaults(["all-zeros"]);
    expect(await codeOf(meter.read())).toBe("driver-all-zeros");
    expect(await codeOf(open().identify())).toBe("driver-no-device");
  });

  it("zero-energy-after-wake-up shows zero registers beside the true power", async () => {
    const { read, device, meter } = await trial("zero-energy-after-wake-up");
    const { powerMw, exportMwh = 0 } = device.truth().boundaries.get("grid") ?? {};
    expect(await read()).toMatchObject({
      readings: [{ importMwh: 0, exportMwh: 0, activePowerMw: powerMw }],
    });
    device.setFaults([]);
    expect(readingOf(await meter.read(), "grid").exportMwh).toBe(exportMwh - (exportMwh % 1000));
  });

  it("frozen shows the same for ever", async () => {
    const { read, pass, device } = await trial("frozen");
    const before = readingOf(await read(), "grid");
    pass(60);
    expect(readingOf(await read(), "grid")).toEqual(before);
    expect(device.truth().boundaries.get("grid")?.powerMw).not.toBe(before.activePowerMw);
    device.setFaults([]);
    expect(differences(METER, await read(), device.truth())).toEqual([]);
  });

  it("counter-reset counts from 0", async () => {
    const { read, pass, device } = await trial("counter-reset");
    const before = device.truth().boundaries.get("grid")?.exportMwh ?? 0;
    expect(await read()).toMatchObject({ readings: [{ importMwh: 0, exportMwh: 0 }] });
    pass(30);
    const counted = (device.truth().boundaries.get("grid")?.exportMwh ?? 0) - before;
    expect(counted).toBeGreaterThan(5000);
    expect(readingOf(await read(), "grid").exportMwh).toBe(counted - (counted % 1000));
  });

  it("rollover goes through the end of the register, which the driver describes", async () => {
    const { read, pass, meter } = await trial("rollover");
    expect(meter.channels()).toMatchObject([{ rolloverMwh: END_MWH }]);
    expect(readingOf(await read(), "grid")).toMatchObject({ exportMwh: END_MWH - 10_000 });
    pass(30);
    const { importMwh, exportMwh } = readingOf(await read(), "grid");
    for (const energyMwh of [importMwh, exportMwh]) {
      expect(energyMwh).toBeGreaterThan(0);
      expect(energyMwh).toBeLessThan(50_000);
    }
  });

  it("torn-phases is doubted, whatever flows", async () => {
    const { read, pass } = await trial("torn-phases");
    for (const seconds of [0, 15, 30, 200]) {
      pass(seconds);
      expect((await read()).doubts).toMatchObject([{ channel: "grid", quantities: ["power"] }]);
    }
  });

  it("ratio-changed ends the reading", async () => {
    const { read, open } = await trial("ratio-changed");
    const problem = await problemOf(read());
    expect(problem.code).toBe("driver-settings-changed");
    expect(problem.detail).toMatchObject({ expected: "1", got: "2" });
    const again = open();
    await again.identify();
    expect(again.channels()).toMatchObject([{ ctRatio: [2, 1] }]);
  });

  it("other-serial is another device, once its line was down", async () => {
    const { read, open, device } = await trial("other-serial");
    expect(differences(METER, await read(), device.truth())).toEqual([]);
    device.hangUp();
    // The one reading that the hang-up meets may fail with the connection.
    const problem = await problemOf(read().catch(() => read()));
    expect(problem.code).toBe("driver-identity-changed");
    expect(problem.message).toContain("SIMULATED-0001");
    expect((await open().identify()).serial).toBe("SIMULATED-0002");
  });

  it("not-implemented leaves the values out, and the others in", async () => {
    const { read } = await trial("not-implemented");
    const { readings, absent } = await read();
    expect(readings).toMatchObject([{ exportMwh: expect.any(Number), frequencyMhz: expect.any(Number) }]);
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(readings[0]).not.toHaveProperty("voltageMv");
    expect(absent).toEqual(["grid power: not implemented", "grid voltage L1: not a number"]);
  });

  it("fault-status is a bit of the reading", async () => {
    const { read } = await trial("fault-status");
    expect(await read()).toMatchObject({ readings: [{ status: READING_STATUS.deviceFault }] });
  });

  it("stuck-busy is told as such", async () => {
    const { read, open } = await trial("stuck-busy");
    expect(await codeOf(read())).toBe("modbus-busy");
    expect(await codeOf(open().identify())).toBe("driver-no-answer");
  });

  it("gateway-zeros are taken for no device, beside the one that is there", async () => {
    const { read, open, device } = await trial("gateway-zeros");
    expect(differences(METER, await read(), device.truth())).toEqual([]);
    expect(await codeOf(open({ unit: 4 }).identify())).toBe("driver-no-device");
  });

  it("comes with others at a time, and goes", async () => {
    const { device, read } = await trial("counter-reset");
    device.setFaults(["counter-reset", "fault-status", "torn-phases"]);
    const snapshot = await read();
    expect(snapshot).toMatchObject({ readings: [{ exportMwh: 0, status: READING_STATUS.deviceFault }] });
    expect(snapshot.doubts).toHaveLength(1);
    device.setFaults([]);
    expect(device.faults).toEqual([]);
    expect(differences(METER, await read(), device.truth())).toEqual([]);
  });
});

describe("the list of faults", () => {
  it("has a sentence for each, and refuses others", () => {
    for (const [name, sentence] of Object.entries(SIMULATED_FAULTS)) {
      expect(faultNamed(name)).toBe(name);
      expect(sentence.length).toBeGreaterThan(20);
    }
    expect(() => faultNamed("constructor")).toThrow(/one of late, lost/);
  });

  it.each([
    "rollover",
    "torn-phases",
    "ratio-changed",
    "other-serial",
    "not-implemented",
    "fault-status",
  ] as const)("refuses %s where a device has no place for it, before it starts", async (fault) => {
    const { device } = await bench(PLAIN);
    expect(() => device.setFaults([fault])).toThrow(`the fault ${fault} cannot happen to this device`);
    expect(await codeOf(bench(PLAIN, { faults: [fault] }))).toBe("simulate-fault");
  });
});
