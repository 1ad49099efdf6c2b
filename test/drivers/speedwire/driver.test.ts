import { createSocket } from "node:dgram";
import { afterEach, describe, expect, it } from "vitest";
import type { PushMeter, Snapshot } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { type SpeedwireDevice, speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { startSpeakingMeter } from "../../../drivers/simulated/telegram-meter.ts";
import { listenSpeedwire } from "../../../drivers/speedwire/asking.ts";
import { smaSpeedwireDriver } from "../../../drivers/speedwire/driver.ts";
import { until } from "../line/kit.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const GROUP = "239.12.255.254";
const LOOPBACK = { interface: "127.0.0.1", group: GROUP } as const;

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** A meter whose clock goes on by a second with every telegram. */
async function meterAt(port: number, serial: string, device: SpeedwireDevice = {}): Promise<void> {
  let spoken = 0;
  const shown = (): ShownByMeter => {
    spoken += 1;
    return {
      serial,
      importT1Mwh: 500_000_000 + spoken * 100,
      importT2Mwh: 0,
      exportT1Mwh: 70_000_000,
      exportT2Mwh: 0,
      activePowerMw: -1_500_000,
      timeMs: spoken * 1_000,
      voltageMv: [230_000, 231_000, 232_000],
      currentMa: [2_170, 2_165, 2_155],
      frequencyMhz: 50_010,
    };
  };
  const place = { kind: "datagrams", group: GROUP, port, interfaceAddress: "127.0.0.1" } as const;
  open.push(await startSpeakingMeter({ place, periodMs: 25, shown, speaker: speedwireSpeaker(device) }));
}

function driverAt(port: number, options: Readonly<Record<string, unknown>> = {}): PushMeter {
  const parsed = smaSpeedwireDriver.schema.parse({ ...LOOPBACK, port, ...options });
  const meter = smaSpeedwireDriver.open(parsed);
  if (meter.mode !== "push") throw new Error("the driver is polled");
  open.push(meter);
  return meter;
}

describe("driver sma-speedwire over loopback multicast", () => {
  it("keeps the contract on a simulated meter", async () => {
    const port = await freePort();
    await meterAt(port, "3003000001", { device: "home-manager" });
    const results = await conformance(
      smaSpeedwireDriver,
      { ...LOOPBACK, port },
      { unreachable: { ...LOOPBACK, port: await freePort(), interface: "none0" } },
    );
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });

  it("delivers what the meter shows, each telegram once", async () => {
    const port = await freePort();
    await meterAt(port, "1900000001");
    const meter = driverAt(port);
    const snapshots: Snapshot[] = [];
    meter.start({ onSnapshot: (snapshot) => snapshots.push(snapshot), onProblem: () => undefined });
    expect(await meter.identify()).toEqual({
      make: "SMA",
      model: "Energy Meter EMETER-20",
      serial: "1900000001",
      firmware: "2.0.18.R",
    });
    await until("four snapshots", () => snapshots.length >= 4);
    const energy = snapshots.map(({ readings }) => readings[0]?.importMwh ?? 0);
    expect(energy.every((value, index) => index === 0 || value > (energy[index - 1] ?? value))).toBe(true);
    expect(snapshots[0]).toMatchObject({
      readings: [{ channel: "grid", exportMwh: 70_000_000, activePowerMw: -1_500_000 }],
      frames: [{ what: "speedwire telegram" }],
    });
    expect(meter.channels()).toMatchObject([{ role: "grid", resolutionMwh: 100 }]);
  });

  it("asks which of two meters is meant, and reads the one that is named", async () => {
    const port = await freePort();
    await meterAt(port, "1900000001");
    await meterAt(port, "1900000002");
    await expect(driverAt(port).identify()).rejects.toMatchObject({
      code: "speedwire-several",
      message: expect.stringMatching(/190000000[12], 190000000[12].*serial/),
    });
    const named = driverAt(port, { serial: "1900000002" });
    expect((await named.identify()).serial).toBe("1900000002");
  });

  it("says which meters there are where the named one is not", async () => {
    const port = await freePort();
    await meterAt(port, "1900000001");
    await expect(driverAt(port, { serial: 42 }).identify()).rejects.toMatchObject({
      code: "speedwire-serial",
      message: expect.stringMatching(/expected 42, got 1900000001;/),
    });
  });

  it("says again and again that another meter speaks in place of the one that it read", async () => {
    const port = await freePort();
    await meterAt(port, "1900000001");
    const meter = driverAt(port, { silenceMs: 1_000 });
    const problems: string[] = [];
    meter.start({
      onSnapshot: () => undefined,
      onProblem: (problem) => problems.push("code" in problem ? String(problem.code) : problem.message),
    });
    await meter.identify();
    await open.shift()?.close();
    await meterAt(port, "1900000002");
    const replaced = (): number => problems.filter((code) => code === "driver-identity-changed").length;
    await until("two words of it", () => replaced() >= 2);
  });

  it("tells what to check where nothing is heard", async () => {
    const meter = driverAt(await freePort(), { identifyTimeoutMs: 1_000 });
    await expect(meter.identify()).rejects.toMatchObject({
      code: "driver-no-answer",
      message: expect.stringMatching(/IGMP.*9522/),
    });
  });

  it.each([
    [{ serial: 0 }],
    [{ serial: "1900O" }],
    [{ serial: "4294967296" }],
    [{ group: "group" }],
    [{ staleAfterMs: 5_000 }],
    [{ interface: "" }],
  ])("refuses the option %j", (options) => {
    expect(smaSpeedwireDriver.schema.safeParse(options).success).toBe(false);
    expect(smaSpeedwireDriver.schema.parse({})).toMatchObject({ group: GROUP, port: 9522 });
  });
});

describe("listening for Speedwire meters", () => {
  it("hears all of them, with the address that they speak from, and sends nothing", async () => {
    const port = await freePort();
    await meterAt(port, "1900000001");
    await meterAt(port, "3003000001", { device: "home-manager" });
    const heard = await listenSpeedwire(new AbortController().signal, 1_000, { ...LOOPBACK, port });
    expect(heard.toSorted((one, other) => one.identity.serial.localeCompare(other.identity.serial))).toEqual([
      {
        address: "127.0.0.1",
        identity: expect.objectContaining({ model: "Energy Meter EMETER-20", serial: "1900000001" }),
      },
      {
        address: "127.0.0.1",
        identity: expect.objectContaining({ model: "Sunny Home Manager 2.0", serial: "3003000001" }),
      },
    ]);
  });

  it("ends when it is told to", async () => {
    const abort = new AbortController();
    const listening = listenSpeedwire(abort.signal, 600_000, { ...LOOPBACK, port: await freePort() });
    abort.abort();
    expect(await listening).toEqual([]);
    expect(await listenSpeedwire(abort.signal, 600_000, { ...LOOPBACK, port: await freePort() })).toEqual([]);
  });

  it("says where it cannot listen", async () => {
    const listening = listenSpeedwire(new AbortController().signal, 50, { interface: "none0" });
    await expect(listening).rejects.toMatchObject({ code: "line-interface" });
  });
});
