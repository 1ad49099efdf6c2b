import { startModbusServer } from "../../drivers/simulated/modbus-server.ts";
import { startP1Meter } from "../../drivers/simulated/p1-meter.ts";
import type { P1State } from "../../drivers/simulated/p1-telegram.ts";
import { readImage } from "../../drivers/simulated/register-image.ts";
import { telegramAt } from "./capture-time.ts";
import { type RegisterCapture, readCaptures, type TelegramCapture } from "./captures.ts";
import type { Cleanups } from "./cleanups.ts";
import { type DemoSite, type DeviceEntry, HOST, SAMPLING_MS } from "./site.ts";
import { Tally } from "./tally.ts";

const EXPLANATION = [
  "Captures of real devices: each telegram is a P1 meter on a line of its own, the registers are a SunSpec inverter.",
  "Each capture is one instant, repeated once a second (meters older than DSMR 5 send every 10 s): registers stand still.",
];

/** Replays the captures of a folder, each as a device of its own on a loopback socket. */
export async function startCapturesSite(folder: string, cleanups: Cleanups): Promise<DemoSite> {
  const { telegrams, device } = readCaptures(folder);
  const served = new Tally();
  const devices: DeviceEntry[] = [];
  for (const telegram of telegrams) devices.push(await startTelegram(telegram, served, cleanups));
  devices.push(await startRegisters(device, served, cleanups));
  return {
    kind: "captures",
    devices,
    provable: [...telegrams, device].map(({ name, file }) => ({ name, file })),
    served,
    explanation: EXPLANATION,
    clock: () => undefined,
  };
}

async function startTelegram(
  { name, bytes, registers }: TelegramCapture,
  served: Tally,
  cleanups: Cleanups,
): Promise<DeviceEntry> {
  const meter = await startP1Meter({
    host: HOST,
    port: 0,
    periodMs: SAMPLING_MS,
    state: () => NOT_ENCODED,
    telegram: () => telegramAt(bytes, Date.now()),
    onServed: () => served.add(name, registers),
  });
  cleanups.add(() => meter.close());
  return {
    id: name,
    driver: "dsmr-p1",
    line: `tcp://${HOST}:${meter.port}`,
    intervalMs: SAMPLING_MS,
    channels: { grid: { name } },
  };
}

/** The simulated meter wants a state; the bytes of the capture go out in its place. */
const NOT_ENCODED: P1State = {
  serial: "",
  importT1Mwh: 0,
  importT2Mwh: 0,
  exportT1Mwh: 0,
  exportT2Mwh: 0,
  activePowerMw: 0,
  timeMs: 0,
  voltageMv: [],
  currentMa: [],
};

async function startRegisters(
  { name, image, energy }: RegisterCapture,
  served: Tally,
  cleanups: Cleanups,
): Promise<DeviceEntry> {
  const server = await startModbusServer({
    host: HOST,
    port: 0,
    read: (request) => readImage(image, request),
    onServed: ({ start, count }) => {
      const whole = start <= energy.start && start + count >= energy.start + energy.count;
      if (whole) served.add(name, energy.registers);
    },
  });
  cleanups.add(() => server.close());
  return {
    id: name,
    driver: "sunspec",
    host: HOST,
    port: server.port,
    intervalMs: SAMPLING_MS,
    channels: { inverter: { name } },
  };
}
