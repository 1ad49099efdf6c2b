import { SimulatedHome } from "../drivers/simulated/home.ts";
import { startP1Meter } from "../drivers/simulated/p1-meter.ts";
import type { P1State } from "../drivers/simulated/p1-telegram.ts";
import { startSunSpecInverter } from "../drivers/simulated/sunspec-device.ts";

/**
 * `node agent-devices.ts COUNT` serves so many devices on loopback, in turn a SunSpec inverter (Modbus TCP) and a P1 meter with a
 * telegram a second, prints {@link DeviceEntry} of each as JSON, and ends with its stdin.
 */
const HOST = "127.0.0.1";
const PERIOD_MS = 1000;
const VOLTAGE_MV = 230_000;

/** An entry under `devices` in the agent's configuration. */
export type DeviceEntry = Readonly<Record<string, string | number>>;

const count = Number(process.argv[2] ?? 0);
const entries = await Promise.all(
  Array.from({ length: count }, (_, at) => (at % 2 === 0 ? inverter(at) : p1Meter(at))),
);
process.stdout.write(`${JSON.stringify(entries)}\n`);
process.stdin.resume();
process.stdin.once("end", () => process.exit());

async function inverter(at: number): Promise<DeviceEntry> {
  const home = homeOf();
  const { port } = await startSunSpecInverter({
    ...{ host: HOST, port: 0 },
    state: () => {
      const { powers, registers } = home();
      const identity = { serial: `PV-${at}`, model: "Simulated inverter" };
      return { ...identity, activePowerMw: 0 - powers.generationMw, exportMwh: registers.generationMwh };
    },
  });
  return { id: `device-${at}`, driver: "sunspec", host: HOST, port, intervalMs: PERIOD_MS };
}

async function p1Meter(at: number): Promise<DeviceEntry> {
  const home = homeOf();
  const state = (): P1State => p1State(home(), `P1-${at}`);
  const { port } = await startP1Meter({ host: HOST, port: 0, periodMs: PERIOD_MS, state });
  return { id: `device-${at}`, driver: "dsmr-p1", line: `tcp://${HOST}:${port}`, intervalMs: PERIOD_MS };
}

function homeOf(): () => SimulatedHome {
  const home = new SimulatedHome({ startMs: performance.now(), daySpeed: 1 });
  return () => {
    home.advanceTo(performance.now());
    return home;
  };
}

function p1State({ powers, registers }: SimulatedHome, serial: string): P1State {
  const phaseMa = Math.round((Math.abs(powers.gridMw) / VOLTAGE_MV / 3) * 1000);
  return {
    ...{ serial, activePowerMw: powers.gridMw, timeMs: Date.now() },
    ...{ importT1Mwh: registers.gridImportLowMwh, importT2Mwh: registers.gridImportNormalMwh },
    ...{ exportT1Mwh: registers.gridExportLowMwh, exportT2Mwh: registers.gridExportNormalMwh },
    ...{ voltageMv: [VOLTAGE_MV, VOLTAGE_MV, VOLTAGE_MV], currentMa: [phaseMa, phaseMa, phaseMa] },
  };
}
