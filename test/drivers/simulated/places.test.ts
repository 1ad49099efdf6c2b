import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ModbusBus } from "../../../drivers/modbus/bus.ts";
import { bundledProfile } from "../../../drivers/profile/bundled.ts";
import { startSimulatedProfile } from "../../../drivers/simulated/profile-device.ts";
import { until } from "../line/kit.ts";
import {
  cable,
  cleanupAfterEach,
  codeOf,
  HAS_MBPOLL,
  HAS_SOCAT,
  PYMODBUS,
  problemOf,
} from "../modbus/kit.ts";
import { type Bench, benches, differences, patiently, profileOf } from "./kit.ts";

const run = promisify(execFile);
const later = cleanupAfterEach();
const bench = benches();
/** A meter with floats, one with integers, low word first, and an inverter. */
const SOME = ["eastron-sdm630", "carlo-gavazzi-em24", "deye-string"] as const;

async function expectTruth({ compiled, device, open, pass }: Bench, options: object = {}): Promise<void> {
  const meter = open({ ...options });
  await patiently(() => meter.identify());
  pass(9);
  const snapshot = await patiently(() => meter.read());
  expect(differences(compiled, snapshot, device.truth())).toEqual([]);
  expect(snapshot.readings.length).toBeGreaterThan(0);
}

describe("a simulated device", () => {
  it.each(SOME)("is read as %s over RTU over TCP", async (name) => {
    const started = await bench(bundledProfile(name), { place: { kind: "rtu-over-tcp", port: 0 } });
    await expectTruth(started, { timeoutMs: 400 });
  });

  it.each(SOME)("is read as %s on a serial line, at the line's own pace", async (name) => {
    if (!HAS_SOCAT) return;
    const { near, far, close } = await cable();
    later(close);
    const baudRate = 19_200;
    const started = await bench(bundledProfile(name), { place: { kind: "serial", path: far, baudRate } });
    const startMs = performance.now();
    await expectTruth(started, { line: `serial://${near}?baud=${baudRate}`, timeoutMs: 400 });
    // Eleven bits a character at most; each request has eight and each reply at least five.
    const leastMs = (started.device.requests() * 13 * 10_000) / baudRate;
    expect(performance.now() - startMs).toBeGreaterThan(leastMs);
    if (name === SOME[0]) await expectSilence(started, `serial://${near}?baud=${baudRate}`);
  });

  it("says when its line is gone", async () => {
    if (!HAS_SOCAT) return;
    const { far, unplug, close } = await cable();
    later(close);
    const { device } = await bench(bundledProfile("eastron-sdm630"), {
      place: { kind: "serial", path: far },
    });
    await unplug();
    expect((await device.lost).code).toBe("line-closed");
  });

  it("answers for nobody else and outside of its registers as a device does", async () => {
    const snapshots = {
      all: { table: "input", start: 100, count: 10 },
      more: { table: "input", start: 110, count: 2 },
      held: { table: "holding", start: 5, count: 1 },
    };
    const points = {
      energy: { snapshot: "all", address: 100, type: "u32", unit: "Wh", kind: "counter" },
      code: { snapshot: "held", address: 5, type: "u16" },
    };
    const transport = {
      tcp: {},
      unit: 9,
      maxRegisters: 12,
      readable: [{ table: "input", start: 90, count: 10 }],
      echo: false,
    };
    const identity = { make: "T", model: "T", match: [{ point: "code", equals: [0x4b57] }] };
    const compiled = profileOf({
      snapshots,
      points,
      channels: { load: { role: "load", import: "energy" } },
      transport,
      identity,
    });
    const { device } = await bench(compiled);
    const bus = ModbusBus.open(
      { transport: "tcp", host: "127.0.0.1", port: device.port },
      { timeoutMs: 3000 },
    );
    later(() => bus.close());
    const unit = 9;
    expect([...(await bus.readHoldingRegisters({ unit, start: 5, count: 1 }))]).toEqual([0x4b57]);
    const whole = await bus.readInputRegisters({ unit, start: 100, count: 12 });
    expect([...whole.subarray(2)]).toEqual(new Array(10).fill(0));
    expect(whole[0]).toBeGreaterThan(0);
    await bus.readInputRegisters({ unit, start: 90, count: 12 });
    expect(await codeOf(bus.readInputRegisters({ unit, start: 105, count: 8 }))).toBe(
      "modbus-illegal-address",
    );
    expect(await codeOf(bus.readHoldingRegisters({ unit, start: 100, count: 1 }))).toBe(
      "modbus-illegal-address",
    );
    expect(await codeOf(bus.readInputRegisters({ unit, start: 90, count: 13 }))).toBe("modbus-illegal-value");
    expect(await codeOf(bus.readBits("coils", { unit, start: 0, count: 1 }))).toBe("modbus-illegal-function");
    expect(await codeOf(bus.readIdentification(unit, "basic"))).toBe("modbus-illegal-function");
    const other = await problemOf(bus.readInputRegisters({ unit: 1, start: 100, count: 2 }));
    expect(other.code).toBe("modbus-wrong-unit");
    expect(other.message).toContain("exception 11");
    expect(device.requests()).toBe(9);
  });

  it("serves no more clients than the device does", async () => {
    const compiled = bundledProfile("eastron-sdm630");
    const one = {
      ...compiled,
      profile: { ...compiled.profile, transport: { ...compiled.profile.transport, maxClients: 1 } },
    };
    const { device } = await bench(one);
    const open = (): ModbusBus => {
      const bus = ModbusBus.open(
        { transport: "tcp", host: "127.0.0.1", port: device.port },
        { timeoutMs: 3000 },
      );
      later(() => bus.close());
      return bus;
    };
    const [first, second] = [open(), open()];
    await first.readInputRegisters({ unit: 1, start: 0, count: 2 });
    expect(await codeOf(second.readInputRegisters({ unit: 1, start: 0, count: 2 }))).toBe("modbus-closed");
    await first.close();
    const served = (): Promise<boolean> =>
      second.readInputRegisters({ unit: 1, start: 0, count: 2 }, { insist: true }).then(
        () => true,
        () => false,
      );
    await expect.poll(served, { timeout: 5000 }).toBe(true);
  });

  it("says where it cannot listen", async () => {
    const compiled = bundledProfile("eastron-sdm630");
    const { device } = await bench(compiled);
    const again = startSimulatedProfile(compiled, { place: { kind: "tcp", port: device.port } });
    const problem = await problemOf(again);
    expect(problem.code).toBe("simulate-place");
    expect(problem.message).toContain(`127.0.0.1:${device.port}: the port is taken`);
    const nowhere = startSimulatedProfile(compiled, { place: { kind: "serial", path: "/dev/no-such-line" } });
    expect(await codeOf(nowhere)).toBe("line-not-found");
  });

  it("refuses what a model of somebody's own cannot be shown as, and says why", async () => {
    const compiled = bundledProfile("deye-string");
    const boundary = {
      powerMw: -9e15,
      importMwh: 0,
      exportMwh: 5_000_000,
      importStartMwh: 0,
      exportStartMwh: 0,
    };
    let powerMw = -4_000_000;
    const model = {
      advanceTo: (): void => undefined,
      get instant() {
        const boundaries = new Map([["pv", { ...boundary, powerMw }]]);
        return {
          boundaries,
          stateOfChargePpm: 0,
          voltageMv: [230_000, 230_000, 230_000] as const,
          frequencyMhz: 50_000,
        };
      },
    };
    const { device, open } = await bench(compiled, { model });
    const meter = open();
    await meter.identify();
    expect((await meter.read()).readings).toMatchObject([{ activePowerMw: powerMw, exportMwh: 5_000_000 }]);
    powerMw = -9e15;
    expect(await codeOf(meter.read())).toBe("modbus-device-failure");
    expect(device.problem?.code).toBe("simulate-range");
  });
});

/** Another unit's request stays without an answer, also one that every unit would answer. */
async function expectSilence({ open, device }: Bench, line: string): Promise<void> {
  const before = device.requests();
  const other = open({ line, unit: 77, timeoutMs: 400 });
  expect(await codeOf(other.identify())).toBe("driver-no-answer");
  await until("the other unit's request", () => device.requests() > before);
}

describe("a simulated device, asked by others", () => {
  it("shows mbpoll the power and the energy of a meter with floats", async () => {
    if (!HAS_MBPOLL) return;
    const { device, pass } = await bench(bundledProfile("eastron-sdm630"));
    pass(9);
    const registers = async (start: number): Promise<number[]> => {
      const { stdout } = await run("mbpoll", [
        ...["-1", "-0", "-a", "1", "-t", "3:hex", "-r", String(start), "-c", "2"],
        ...["-p", String(device.port), "127.0.0.1"],
      ]);
      return [...stdout.matchAll(/\]:\s+0x([0-9A-F]{4})/gi)].map(([, word]) =>
        Number.parseInt(word ?? "", 16),
      );
    };
    // IEEE 754 by hand: sign, exponent with bias 127, 23 bits of fraction; the high word first.
    const float = ([high = 0, low = 0]: readonly number[]): number => {
      const exponent = ((high >> 7) & 0xff) - 127;
      const fraction = 1 + ((high & 0x7f) * 65_536 + low) / 2 ** 23;
      return (high >> 15 === 1 ? -1 : 1) * fraction * 2 ** exponent;
    };
    const grid = device.truth().boundaries.get("grid");
    if (grid === undefined) throw new Error("no grid");
    expect(float(await registers(52))).toBeCloseTo(grid.powerMw / 1000, 2);
    expect(float(await registers(72))).toBeCloseTo(grid.importMwh / 1e6, 2);
    expect(float(await registers(74))).toBeCloseTo(grid.exportMwh / 1e6, 2);
    expect(grid.powerMw).toBeLessThan(0);
  });

  const CLIENT = `
import json, sys
from pymodbus.client import ModbusTcpClient
client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
client.connect()
def value(start):
    low, high = client.read_holding_registers(start, 2, slave=1).registers
    return high * 65536 + low
print(json.dumps({"energy": value(63), "power": value(86), "code": client.read_holding_registers(0, 1, slave=1).registers}))
print(json.dumps(str(client.read_holding_registers(40000, 1, slave=1))))
client.close()
`;

  it("shows pymodbus the power and the energy of an inverter, low word first", async () => {
    if (PYMODBUS === undefined) return;
    const { device, pass } = await bench(bundledProfile("deye-string"));
    pass(9);
    const { stdout } = await run(PYMODBUS, ["-c", CLIENT, String(device.port)]);
    const [values = "", refusal = ""] = stdout.trim().split("\n");
    const pv = device.truth().boundaries.get("pv");
    if (pv === undefined) throw new Error("no pv");
    // Steps of 0.1 kWh and of 0.1 W.
    expect(JSON.parse(values)).toEqual({
      energy: Math.floor(pv.exportMwh / 100_000),
      power: Math.floor(-pv.powerMw / 100),
      code: [2],
    });
    expect(pv.powerMw).toBeLessThan(-1_000_000);
    expect(refusal).toContain("Exception Response");
  });
});
