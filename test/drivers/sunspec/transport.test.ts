import { describe, expect, it } from "vitest";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { startLinePeer, startTcpPeer } from "../../../drivers/simulated/modbus-peer.ts";
import {
  type SunSpecSuite,
  simulatedCommon,
  sunSpecSlave,
} from "../../../drivers/simulated/sunspec-suite.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { cable, HAS_SOCAT } from "../modbus/kit.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, codeOf } from "./kit.ts";

const later = cleanupAfterEach();

const SUITE: SunSpecSuite = {
  unit: 3,
  models: () => [simulatedCommon("RTU-1"), device.derAc(), device.derStorage(), device.meterOf(203)],
};

function openAt(options: object): PolledMeter {
  const meter = sunspecDriver.open(sunspecDriver.schema.parse({ timeoutMs: 1000, unit: 3, ...options }));
  later(() => meter.close());
  if (meter.mode !== "polled") throw new Error("the SunSpec driver is polled");
  return meter;
}

async function isRead(meter: PolledMeter): Promise<void> {
  expect((await meter.identify()).serial).toBe("RTU-1");
  expect((await meter.read()).readings).toMatchObject([
    { channel: "inverter", exportMwh: 5_000_000_000_000_000, activePowerMw: -9_000_000 },
    { channel: "meter", importMwh: 7_654_321_000 },
    { channel: "battery", stateOfChargePpm: 600_000 },
  ]);
}

describe("a SunSpec device", () => {
  it("is read over TCP", async () => {
    const peer = await startTcpPeer({ framing: "tcp", model: sunSpecSlave(SUITE) });
    later(() => peer.close());
    await isRead(openAt({ host: "127.0.0.1", port: peer.port }));
  });

  it("is read as RTU over TCP", async () => {
    const peer = await startTcpPeer({ framing: "rtu", model: sunSpecSlave(SUITE), order: "turn" });
    later(() => peer.close());
    await isRead(openAt({ line: `tcp://127.0.0.1:${peer.port}` }));
  });

  it("is found on a line although it keeps silent at 40000", async () => {
    const suite: SunSpecSuite = { ...SUITE, base: 0, faults: () => [{ kind: "silent-at", start: 40_000 }] };
    const peer = await startTcpPeer({ framing: "rtu", model: sunSpecSlave(suite), order: "turn" });
    later(() => peer.close());
    await isRead(openAt({ line: `tcp://127.0.0.1:${peer.port}`, timeoutMs: 400 }));
  });
});

describe("a SunSpec device on a serial line", () => {
  if (!HAS_SOCAT) return void it.skip("socat is not installed");

  it("is read as RTU", async () => {
    const { near, far, close } = await cable();
    later(close);
    const format = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 } as const;
    const line = new SerialLine({ path: far, ...format });
    const peer = await startLinePeer({ framing: "rtu", model: sunSpecSlave(SUITE) }, line);
    later(() => peer.close());
    await isRead(openAt({ line: `serial://${near}?baud=115200&format=8N1` }));
  });
});

describe("the driver's options", () => {
  const accepts = (options: object): boolean => sunspecDriver.schema.safeParse(options).success;

  it("take one place, and one only", () => {
    expect(accepts({ host: "inverter.lan" })).toBe(true);
    expect(accepts({ line: "tcp://server.lan:8899" })).toBe(true);
    expect(accepts({ line: "serial:///dev/ttyUSB0?baud=19200&format=8E1" })).toBe(true);
    expect(accepts({})).toBe(false);
    expect(accepts({ host: "inverter.lan", line: "tcp://server.lan:8899" })).toBe(false);
    expect(accepts({ line: "serial:///dev/ttyUSB0?format=7E1" })).toBe(false);
    expect(accepts({ line: "tcp://server.lan:8899", unit: 0 })).toBe(false);
  });

  it("are the ones of before, and new ones", () => {
    const before = {
      ...{ host: "inverter.lan", port: 1502, unit: 126, timeoutMs: 5000, connectDelayMs: 100, minGapMs: 20 },
      ...{ base: 50_000, meterRole: "load", meterPowerSign: "export-positive" },
      batteryPowerSign: "charge-positive",
    };
    expect(sunspecDriver.schema.parse(before)).toEqual({ ...before, dcChannels: false });
    expect(accepts({ ...before, maxRegisters: 50, dcChannels: true })).toBe(true);
    expect(accepts({ ...before, maxRegisters: 15 })).toBe(false);
    expect(accepts({ ...before, maxRegisters: 126 })).toBe(false);
  });

  it("say which place it was when another device answers", async () => {
    let serial = "RTU-1";
    const suite: SunSpecSuite = {
      ...SUITE,
      models: () => [simulatedCommon(serial), device.inverter(103)],
    };
    const peer = await startTcpPeer({ framing: "rtu", model: sunSpecSlave(suite), order: "turn" });
    later(() => peer.close());
    const meter = openAt({ line: `tcp://127.0.0.1:${peer.port}` });
    await meter.identify();
    serial = "RTU-2";
    await peer.close();
    const again = await startTcpPeer(
      { framing: "rtu", model: sunSpecSlave(suite), order: "turn" },
      peer.port,
    );
    later(() => again.close());
    await meter.read().catch(() => undefined);
    await expect.poll(() => codeOf(meter.read()), { timeout: 25_000 }).toBe("driver-identity-changed");
  });
});
