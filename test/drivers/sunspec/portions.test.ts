import { describe, expect, it } from "vitest";
import type { SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import type { SunSpecFault } from "../../../drivers/simulated/sunspec-faults.ts";
import * as device from "./devices.ts";
import {
  cleanupAfterEach,
  codeOf,
  fixed,
  frameDigest,
  openSuite,
  problemOf,
  type SuiteRequest,
} from "./kit.ts";

const later = cleanupAfterEach();

const SUITE: readonly SimulatedModel[] = [
  ...[device.derAc(), device.derCapacity(), device.enterService(), device.derControls()],
  ...[device.derStorage(), device.derDc()],
];
const DEVICES: Readonly<Record<string, readonly SimulatedModel[]>> = {
  "an inverter and a meter": [device.inverter(103), device.meterOf(203), device.meterOf(213)],
  "the suite of 701": SUITE,
  "a hybrid with 160": [device.inverter(113), device.hybridStorage(), device.mppt()],
  "a battery with its strings": [device.bank(), device.lithiumBank(), device.lithiumString(1, 64.2)],
};

async function snapshotOf(models: readonly SimulatedModel[], faults: readonly SunSpecFault[], options = {}) {
  const suite = await openSuite(
    later,
    { models: fixed(...models), faults: () => faults },
    { dcChannels: true, timeoutMs: 2000, ...options },
  );
  await suite.meter.identify();
  suite.requests.length = 0;
  const snapshot = await suite.meter.read();
  return { ...suite, snapshot };
}

/** The readings without their evidence, which covers the registers that were read. */
function values({ snapshot }: Awaited<ReturnType<typeof snapshotOf>>): object[] {
  return [...snapshot.readings, ...snapshot.flexibility].map(({ evidence: _, ...rest }) => rest);
}

function longest(requests: readonly SuiteRequest[]): number {
  return Math.max(...requests.map(({ count }) => count));
}

describe("a device that gives less than 125 registers at once", () => {
  const limits = [124, 100, 60, 50, 30, 16].map((registers) => ({ registers }));

  for (const [name, models] of Object.entries(DEVICES))
    it.each(limits)(`is read in portions of $registers, ${name}`, async ({ registers }) => {
      const whole = await snapshotOf(models, []);
      const limit: SunSpecFault = { kind: "read-limit", registers, answer: "illegal-value" };
      const parts = await snapshotOf(models, [limit]);
      expect(values(parts)).toEqual(values(whole));
      expect(parts.snapshot.absent).toEqual([]);
      expect(longest(parts.requests)).toBeLessThanOrEqual(registers);
    });

  it("is not asked for more again, for no model", async () => {
    const limit: SunSpecFault = { kind: "read-limit", registers: 50, answer: "illegal-value" };
    const asked: number[] = [];
    const faults = ({ count }: { count: number }): readonly SunSpecFault[] => {
      asked.push(count);
      return [limit];
    };
    const { meter } = await openSuite(later, { models: fixed(...SUITE, device.meterOf(203)), faults });
    await meter.identify();
    // Model 1 has 68 registers: asked for whole, in a portion of at most 60, and then of 50.
    expect(asked.filter((count) => count > 50)).toEqual([68, 57]);
    await meter.read();
    expect(asked.filter((count) => count > 50)).toHaveLength(2);
  });

  it("is found out although it keeps silent", async () => {
    const limit: SunSpecFault = { kind: "read-limit", registers: 60, answer: "silence" };
    const { requests, snapshot } = await snapshotOf([device.meterOf(203)], [limit]);
    expect(longest(requests)).toBeLessThanOrEqual(50);
    expect(snapshot.readings).toMatchObject([{ importMwh: 7_654_321_000 }]);
  });

  it("is read in one request where the part that is needed fits", async () => {
    // TotWh_SF is the 53rd register behind ID and L; the rest of the model is not needed.
    const limit: SunSpecFault = { kind: "read-limit", registers: 60, answer: "illegal-value" };
    const { requests } = await snapshotOf([device.meterOf(203)], [limit]);
    expect(requests).toEqual([{ start: 40_070, count: 55 }]);
  });

  it("is believed where the configuration says so", async () => {
    const { requests } = await snapshotOf([device.inverter(103), device.meterOf(203)], [], {
      maxRegisters: 40,
    });
    expect(longest(requests)).toBeLessThanOrEqual(40);
  });

  it("refuses to be read across the border of a model, and is not", async () => {
    const { snapshot } = await snapshotOf(SUITE, [{ kind: "model-borders" }]);
    expect(snapshot.readings.map(({ channel }) => channel)).toEqual(["inverter", "battery", "dc1", "dc2"]);
  });

  it("has a hole that nobody may read", async () => {
    // Registers of TotVAhExp, which no reading needs; ID and L count, so offset 55.
    const hole: SunSpecFault = { kind: "hole", model: 203, offset: 56, count: 2 };
    const beyond = await snapshotOf([device.meterOf(203)], [hole]);
    expect(beyond.snapshot.readings).toMatchObject([{ importMwh: 7_654_321_000 }]);
    // Between what is needed: reactive power, PhV between A_SF and PhVphA, and A behind ID and L.
    for (const [offset, count] of [
      [28, 4],
      [7, 1],
      [2, 1],
    ] as const) {
      const between: SunSpecFault = { kind: "hole", model: 203, offset, count };
      const around = await snapshotOf([device.meterOf(203)], [between]);
      expect(around.snapshot.readings).toMatchObject([
        { importMwh: 7_654_321_000, activePowerMw: 2_100_000 },
      ]);
    }
  });

  it("is not read when it gives a meter in no portion at all", async () => {
    const hole: SunSpecFault = { kind: "hole", model: 203, offset: 0, count: 3 };
    const suite = { models: fixed(device.meterOf(203)), faults: () => [hole] };
    const { meter } = await openSuite(later, suite);
    // Even its ID is refused.
    expect((await problemOf(meter.identify())).detail.cause).toMatchObject({ code: "sunspec-chain-broken" });
  });

  it("lists a model of controls that it does not give, and is read without", async () => {
    const hole: SunSpecFault = { kind: "hole", model: 123, offset: 4, count: 20 };
    const models = [device.inverter(103), device.immediate()];
    const { snapshot } = await snapshotOf(models, [hole]);
    expect(snapshot.readings).toMatchObject([{ channel: "inverter", activePowerMw: -3_600_000 }]);
    expect(snapshot.flexibility).toEqual([]);
  });
});

describe("a repeating group", () => {
  const inputs = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ ID: at + 1, DCW: 100 * (at + 1), DCWH: 1000 * (at + 1) }));
  const ports = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ PrtTyp: 0, DCW: 100 * (at + 1), DCWhInj: 1000 * (at + 1) }));
  const strings = (count: number) => Array.from({ length: count }, (_, at) => ({ StrSoC: 40 + at }));

  it.each([
    ["160 with 6 modules", device.mppt(inputs(6)), 6, 1],
    ["160 with 7 modules", device.mppt(inputs(7)), 7, 4],
    ["714 with 4 ports", device.derDc(ports(4)), 4, 1],
    ["714 with 5 ports", device.derDc(ports(5)), 5, 4],
    ["803 with 3 strings", { ...device.lithiumBank({ NStr: 3 }), sets: strings(3) }, 3, 1],
    ["803 with 4 strings", { ...device.lithiumBank({ NStr: 4 }), sets: strings(4) }, 4, 4],
  ] as const)("of %s is read whole", async (_name, model, sets, requested) => {
    const { requests, snapshot } = await snapshotOf([device.inverter(101), model], []);
    expect(snapshot.readings).toHaveLength(1 + sets);
    const last = snapshot.readings.at(-1);
    if (model.id === 803) expect(last?.stateOfChargePpm).toBe((40 + sets - 1) * 10_000);
    else expect(last).toMatchObject({ exportMwh: sets * 1_000_000, activePowerMw: -sets * 100_000 });
    // Without those for the inverter; with what the values hang on before and behind them.
    expect(requests.length - 1).toBe(requested);
  });

  it("of several models of a kind is counted on", async () => {
    const two = [device.inverter(101), device.mppt(inputs(2)), device.mppt(inputs(3))];
    const { snapshot } = await snapshotOf(two, []);
    const names = snapshot.readings.map(({ channel }) => channel);
    expect(names).toEqual(["inverter", "dc1", "dc2", "dc3", "dc4", "dc5"]);
  });

  it("has as many sets as its count says, and no more than there is room for", async () => {
    const fewer = { ...device.mppt(inputs(4)), values: { N: 2 } };
    expect((await snapshotOf([device.inverter(101), fewer], [])).snapshot.readings).toHaveLength(3);
    const more = { ...device.mppt(inputs(2)), values: { N: 9 } };
    expect((await snapshotOf([device.inverter(101), more], [])).snapshot.readings).toHaveLength(3);
    const silent = { ...device.mppt(inputs(3)), values: {} };
    expect((await snapshotOf([device.inverter(101), silent], [])).snapshot.readings).toHaveLength(4);
  });

  it("of a model that ends early is read as far as it goes", async () => {
    // The last module has no DCWH any more, and nothing behind it; then it has no room as a whole.
    const cut = { ...device.mppt(inputs(3)), without: 8 };
    expect((await snapshotOf([device.inverter(101), cut], [])).snapshot.readings).toHaveLength(3);
  });
});

describe("a model that ends before its scale factors", () => {
  it.each([
    [16, 60],
    [30, 60],
    [125, 60],
    [16, 75],
  ])("is not read beyond its end in portions of %i, %i registers short", async (registers, without) => {
    const limit: SunSpecFault = { kind: "read-limit", registers, answer: "illegal-value" };
    const short = { ...device.meterOf(203), without };
    const faults: readonly SunSpecFault[] = [limit, { kind: "model-borders" }];
    const { snapshot } = await snapshotOf([short, device.inverter(103)], faults);
    const meter = snapshot.readings.find(({ channel }) => channel === "meter");
    expect(meter).toMatchObject({ activePowerMw: 2_100_000, frequencyMhz: 50_020 });
    expect(meter).not.toHaveProperty("importMwh");
  });
});

describe("a model of controls that is not answered any more", () => {
  it("takes nothing with it but the flexibility", async () => {
    let faults: readonly SunSpecFault[] = [];
    const models = fixed(device.inverter(103), device.settings(), device.immediate());
    const { meter } = await openSuite(later, { models, faults: () => faults });
    expect((await meter.read()).flexibility).toHaveLength(1);
    faults = [{ kind: "hole", model: 123, offset: 0, count: 26 }];
    const { readings, flexibility, absent } = await meter.read();
    expect(readings).toMatchObject([{ activePowerMw: -3_600_000, exportMwh: 12_345_600_000 }]);
    expect(flexibility).toEqual([]);
    expect(absent).toEqual([expect.stringMatching(/^model 123: .*exception 2/)]);
  });

  it("is looked for again when another model is in its place", async () => {
    let faults: readonly SunSpecFault[] = [];
    const models = fixed(device.inverter(103), device.settings(), device.immediate());
    const { meter } = await openSuite(later, { models, faults: () => faults });
    await meter.read();
    faults = [{ kind: "layout-change", before: 123, length: 24 }];
    expect(await codeOf(meter.read())).toBe("sunspec-layout-changed");
    expect((await meter.read()).flexibility).toHaveLength(1);
  });
});

describe("evidence", () => {
  it("is the digest of the whole model where one request holds it", async () => {
    const { meter, server } = await openSuite(later, { models: fixed(device.inverter(103)) });
    const [reading] = (await meter.read()).readings;
    expect(reading?.evidence).toEqual(frameDigest([40_070, await dump(server, 40_070, 52)]));
  });

  it("is the digest of what was taken, in the order of the addresses, where one does not", async () => {
    const limit: SunSpecFault = { kind: "read-limit", registers: 60, answer: "illegal-value" };
    const suite = { models: fixed(device.derAc()), faults: () => [limit] };
    const { meter, server } = await openSuite(later, suite, { maxRegisters: 60 });
    const [reading] = (await meter.read()).readings;
    // ID and L, then the points of the table in their order, with as many registers as each has.
    const points = [0, 1, 2, 3, 8, 15, 16, ...range(17, 25), 39, 43, 45, 62, 66, 68, 85, 89, 91];
    const scales = [111, 112, 113, 114, 118];
    const registers = await dump(server, 40_070, 60).then(async (first) => [
      ...first,
      ...(await dump(server, 40_130, 60)),
      ...(await dump(server, 40_190, 1)),
    ]);
    const taken = new Set([0, 1, ...[...points, ...scales].map((offset) => offset + 2)]);
    const begins = [...taken].filter((offset) => !taken.has(offset - 1));
    const runs = begins.map((begin) => {
      const end = registers.findIndex((_, offset) => offset > begin && !taken.has(offset));
      return [40_070 + begin, registers.slice(begin, end < 0 ? undefined : end)] as const;
    });
    expect(runs.length).toBeGreaterThan(5);
    expect(reading?.evidence).toEqual(frameDigest(...runs));
  });
});

describe("values that change while they are read", () => {
  /** Model 701 in portions, so that its scale factors do not come with its values. */
  async function torn(faults: (asked: number) => readonly SunSpecFault[]) {
    const limit: SunSpecFault = { kind: "read-limit", registers: 60, answer: "illegal-value" };
    let [asked, reading] = [0, false];
    const { meter } = await openSuite(
      later,
      {
        models: fixed(device.derAc({ W: 9000, WL1: 3000, WL2: 3000, WL3: 3000 })),
        faults: () => {
          asked += 1;
          return [limit, ...(reading ? faults(asked) : [])];
        },
      },
      { maxRegisters: 60 },
    );
    await meter.identify();
    [asked, reading] = [0, true];
    return meter;
  }
  const coarse = { kind: "scale-change", model: 701, scale: "W_SF", exponent: 1 } as const;

  it("with a scale factor that changes once, are read again", async () => {
    const meter = await torn((asked) => (asked > 3 ? [coarse] : []));
    const { readings, doubts } = await meter.read();
    expect(readings).toMatchObject([{ activePowerMw: -9_000_000 }]);
    expect(doubts).toBeUndefined();
  });

  it("with a scale factor that changes all the time, are refused", async () => {
    const meter = await torn((asked) => [{ ...coarse, exponent: asked % 4 }]);
    expect(await codeOf(meter.read())).toBe("sunspec-torn-read");
  });

  it("with a count that changes, are read again", async () => {
    let [asked, reading] = [0, false];
    const sets = Array.from({ length: 7 }, (_, at) => ({ DCW: 100, DCWH: 1000 * (at + 1) }));
    const models = () => {
      asked += 1;
      // The inverter is the first request; model 160 is read in two, with its count before and behind them.
      const fewer = reading && asked > 3;
      return [device.inverter(101), { ...device.mppt(sets), values: { N: fewer ? 6 : 7 } }];
    };
    const { meter } = await openSuite(later, { models }, { dcChannels: true });
    await meter.identify();
    [asked, reading] = [0, true];
    const { readings } = await meter.read();
    expect(readings).toHaveLength(8);
    expect(readings[6]).toMatchObject({ channel: "dc6", exportMwh: 6_000_000 });
    expect(readings[7]).not.toHaveProperty("exportMwh");
  });

  it("are never combined with a scale factor of another time, whenever it changes", async () => {
    for (let at = 1; at <= 12; at++) {
      const meter = await torn((asked) => (asked >= at ? [coarse] : []));
      const { readings } = await meter.read();
      expect(readings[0]?.activePowerMw, `changed at request ${at}`).toBe(-9_000_000);
    }
  });
});

function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, at) => from + at);
}

/** Registers as another client of the device sees them. */
async function dump(
  { host, port }: { host: string; port: number },
  start: number,
  count: number,
): Promise<number[]> {
  const { ModbusUnit } = await import("../../../drivers/modbus/unit.ts");
  const unit = new ModbusUnit({ transport: "tcp", host, port }, { unit: 1 });
  later(() => unit.close());
  return [...(await unit.readRegisters("holding", { start, count }))];
}
