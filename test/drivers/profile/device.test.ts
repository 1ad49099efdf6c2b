import { describe, expect, it } from "vitest";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { driverOfProfile } from "../../../drivers/profile/definition.ts";
import { startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import { cleanupAfterEach, problemOf } from "../modbus/kit.ts";
import { changed, compiled, ExampleMeter, METER } from "./kit.ts";

const later = cleanupAfterEach();

interface Bench {
  readonly memory: ExampleMeter;
  readonly meter: PolledMeter;
}

async function bench(text: string = METER, more: Readonly<Record<string, unknown>> = {}): Promise<Bench> {
  const memory = new ExampleMeter();
  const peer = await startTcpPeer({ framing: "tcp", model: memory });
  later(() => peer.close());
  const driver = driverOfProfile(compiled(text));
  const meter = driver.open(
    driver.schema.parse({ host: "127.0.0.1", port: peer.port, timeoutMs: 500, ...more }),
  );
  later(() => meter.close());
  if (meter.mode !== "polled") throw new Error("a profile's device is polled");
  return { memory, meter };
}

describe("a device by its profile", () => {
  it("says who it is and what it measures", async () => {
    const { meter } = await bench();
    expect(await meter.identify()).toEqual({ make: "Example", model: "EX-3", serial: "4711", firmware: "" });
    expect(meter.channels()).toEqual([
      {
        name: "grid",
        role: "grid",
        quantities: ["import", "export", "power"],
        resolutionMwh: 10_000,
        rolloverMwh: 2 ** 32 * 10_000,
        signSource: "the meter's manual",
        signVerified: false,
        ctRatio: [50, 1],
        profileDigest: compiled().digest,
      },
    ]);
  });

  it("reads a snapshot in the units of a reading", async () => {
    const { meter } = await bench();
    await meter.identify();
    const { readings, absent, doubts } = await meter.read();
    expect(readings).toMatchObject([
      {
        channel: "grid",
        activePowerMw: 600_000,
        importMwh: 123_450_000,
        exportMwh: 670_000,
        voltageMv: [230_100],
        status: 0,
      },
    ]);
    expect(readings[0]?.evidence).toHaveLength(32);
    expect(absent).toEqual([]);
    expect(doubts).toBeUndefined();
  });

  it("turns the sign where the profile or the installer says so", async () => {
    const outward = changed({ "channels.grid.sign.positive": "export" });
    for (const [text, more, expected] of [
      [outward, {}, -600_000],
      [outward, { positive: { grid: "import" } }, 600_000],
      [METER, { positive: { grid: "export" } }, -600_000],
    ] as const) {
      const { meter } = await bench(text, more);
      await meter.identify();
      expect((await meter.read()).readings[0]?.activePowerMw).toBe(expected);
    }
  });

  it("leaves out what the device does not have, does not implement, or cannot mean", async () => {
    const { meter, memory } = await bench();
    await meter.identify();
    memory.set("input", 3, [0x8000, 0]);
    memory.set("input", 9, [3001]);
    const { readings, absent } = await meter.read();
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(readings[0]).not.toHaveProperty("voltageMv");
    expect(absent).toEqual([
      "grid power: not implemented",
      "grid voltage L1: 300.1 V, possible is any to 300",
    ]);
  });

  it("asks three times for what a device may lack, then no more; and reads it where it is there", async () => {
    const { meter, memory } = await bench();
    await meter.identify();
    for (let reading = 0; reading < 5; reading++) await meter.read();
    expect(memory.requests.filter(({ start }) => start === 300)).toHaveLength(3);
    const other = await bench();
    other.memory.set("holding", 300, [55]);
    await other.meter.identify();
    expect(other.meter.channels().map(({ name }) => name)).toEqual(["grid", "battery"]);
    const { readings } = await other.meter.read();
    expect(readings[1]).toMatchObject({ channel: "battery", stateOfChargePpm: 550_000 });
  });

  it("doubts a total that its phases do not add up to", async () => {
    const { meter, memory } = await bench();
    await meter.identify();
    memory.set("input", 0, [100, 200, 250]);
    const { doubts } = await meter.read();
    expect(doubts).toEqual([
      {
        channel: "grid",
        quantities: ["power"],
        message: "powerL1 + powerL2 + powerL3 is 550 W, power is 600 W; tolerance 11 W",
      },
    ]);
    memory.set("input", 0, [100, 200, 311]);
    expect((await meter.read()).doubts).toBeUndefined();
  });

  it("uses nothing of an answer of all ones", async () => {
    const { meter, memory } = await bench();
    await meter.identify();
    memory.set(
      "input",
      0,
      Array.from({ length: 20 }, () => 0xffff),
    );
    const { readings, absent } = await meter.read();
    expect(readings).toEqual([]);
    expect(absent).toContain("grid power: the device answers with nothing but 0xFFFF");
  });

  it("uses nothing of an answer of all zeros", async () => {
    const { meter, memory } = await bench(changed({ "snapshots.ratios.interval": "poll" }));
    await meter.identify();
    for (const key of memory.registers.keys()) memory.registers.set(key, 0);
    expect((await problemOf(meter.read())).code).toBe("driver-all-zeros");
  });

  it("knows the step of a number whose digits stand in two registers", async () => {
    const counter = { snapshot: "live", type: "u16", unit: "kWh", kind: "counter" };
    const text = changed({
      "points.low": { ...counter, address: 12, scale: 0.1 },
      "points.high": { ...counter, address: 14, scale: 6553.6 },
      "channels.grid.import": ["low", "high"],
      "channels.grid.export": undefined,
    });
    const { meter, memory } = await bench(text);
    memory.set("input", 12, [5, 0, 2]);
    await meter.identify();
    expect(meter.channels()[0]?.resolutionMwh).toBe(100_000);
    expect((await meter.read()).readings[0]?.importMwh).toBe(13_107_700_000);
  });

  it("stops when a ratio was changed, and goes on after a new identification", async () => {
    const text = changed({ "snapshots.ratios.interval": "poll" });
    const { meter, memory } = await bench(text);
    await meter.identify();
    memory.set("holding", 200, [300, 0]);
    const problem = await problemOf(meter.read());
    expect(problem.code).toBe("driver-settings-changed");
    expect(problem.message).toContain("setting ratio was changed; expected 250, got 300");
    await meter.identify();
    expect(meter.channels()[0]?.ctRatio).toEqual([60, 1]);
    expect((await meter.read()).readings).toHaveLength(1);
  });

  it("multiplies by a ratio that the meter leaves to its reader", async () => {
    const text = changed({
      "snapshots.ratios.interval": "poll",
      "points.power.times": ["ratio"],
      "points.importEnergy.times": ["ratio"],
      checks: [],
    });
    const { meter } = await bench(text);
    await meter.identify();
    expect(meter.channels()[0]).toMatchObject({ resolutionMwh: 2_500_000, ctRatio: [50, 1] });
    const { readings } = await meter.read();
    expect(readings[0]).toMatchObject({
      activePowerMw: 150_000_000,
      importMwh: 30_862_500_000,
      exportMwh: 670_000,
    });
  });

  it.each([
    [600, 0, 600_000],
    [600, 1, -600_000],
    [-600, 1, -600_000],
    [-600, 0, -600_000],
  ])("takes the direction of %i from a flag of %i where it is a magnitude", async (power, flag, expected) => {
    const text = changed({
      "points.flag": { snapshot: "live", address: 11, type: "u16", kind: "state" },
      "points.power.negativeWhen": { point: "flag", equals: [1] },
      checks: [],
    });
    const { meter, memory } = await bench(text);
    await meter.identify();
    memory.set("input", 3, [power < 0 ? 0xffff : 0, power & 0xffff]);
    memory.set("input", 11, [flag]);
    expect((await meter.read()).readings[0]?.activePowerMw).toBe(expected);
  });

  it("gives the phases that there are, but none across a gap", async () => {
    const point = { snapshot: "live", type: "u16", unit: "V", notImplemented: [0] };
    const text = changed({
      "points.voltage2": { ...point, address: 12 },
      "points.voltage3": { ...point, address: 13 },
      "channels.grid.voltage": ["voltage", "voltage2", "voltage3"],
    });
    const { meter, memory } = await bench(text);
    await meter.identify();
    expect((await meter.read()).readings[0]?.voltageMv).toEqual([230_100]);
    memory.set("input", 13, [231]);
    expect((await meter.read()).readings[0]).not.toHaveProperty("voltageMv");
  });

  it("reads slow facts seldom", async () => {
    const { meter, memory } = await bench(changed({ "snapshots.ratios.interval": 3600 }));
    await meter.identify();
    for (let reading = 0; reading < 4; reading++) await meter.read();
    const asked = (start: number): number =>
      memory.requests.filter((request) => request.start === start).length;
    expect({ live: asked(0), device: asked(100), ratios: asked(200) }).toEqual({
      live: 5,
      device: 1,
      ratios: 2,
    });
  });
});

describe("what is no such device", () => {
  it("is said by the rule that does not hold", async () => {
    const { meter, memory } = await bench();
    memory.set("holding", 106, [8]);
    const problem = await problemOf(meter.identify());
    expect(problem.code).toBe("driver-not-matching");
    expect(problem.message).toContain('this is no Example three-phase meter; expected code: 7 or 9, got "8"');
  });

  it("is set in a way that the profile does not understand", async () => {
    const requires = [{ point: "ratio", equals: [1, 2], hint: "set parameter 7 to 1" }];
    const { meter } = await bench(changed({ "identity.requires": requires }));
    const problem = await problemOf(meter.identify());
    expect(problem.code).toBe("driver-wrong-setting");
    expect(problem.message).toContain(
      "setting ratio does not fit; expected 1 or 2, got 250; set parameter 7 to 1",
    );
  });

  it("is a unit that a gateway answers zeros for", async () => {
    const { meter, memory } = await bench();
    for (const key of memory.registers.keys()) memory.registers.set(key, 0);
    expect((await problemOf(meter.identify())).code).toBe("driver-no-device");
  });

  it("is a range that does not fit", async () => {
    const text = changed({ "identity.match": [{ point: "voltage", between: [235, 240] }] });
    const { meter } = await bench(text);
    expect((await problemOf(meter.identify())).message).toContain(
      "expected voltage between 235 and 240 V, got 230.1",
    );
  });

  it("is another device on the same address after the connection was lost", async () => {
    const memory = new ExampleMeter();
    const first = await startTcpPeer({ framing: "tcp", model: memory });
    const driver = driverOfProfile(compiled());
    const meter = driver.open(driver.schema.parse({ host: "127.0.0.1", port: first.port, timeoutMs: 500 }));
    later(() => meter.close());
    if (meter.mode !== "polled") throw new Error("polled");
    await meter.identify();
    await meter.read();
    await first.close();
    memory.set("holding", 104, [0, 4712]);
    const second = await startTcpPeer({ framing: "tcp", model: memory }, first.port);
    later(() => second.close());
    let problem = await problemOf(meter.read());
    for (let attempt = 0; attempt < 20 && problem.code.startsWith("modbus-"); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      problem = await problemOf(meter.read());
    }
    expect(problem.code).toBe("driver-identity-changed");
    expect(problem.message).toContain("serial 4711");
    expect(problem.message).toContain("serial 4712");
  });
});
