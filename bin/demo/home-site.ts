import { BATTERY, INVERTER_RATED_MW, SimulatedHome } from "../../drivers/simulated/home.ts";
import { startP1Meter } from "../../drivers/simulated/p1-meter.ts";
import type { P1State } from "../../drivers/simulated/p1-telegram.ts";
import { startSunSpecBattery, startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import type { Cleanups } from "./cleanups.ts";
import { type DemoSite, type DeviceEntry, HOST, SAMPLING_MS } from "./site.ts";
import { type Registers, Tally } from "./tally.ts";

const MWH_PER_WH = 1000;
const VOLTAGE_MV = 230_000;
const PHASES = 3;

const EXPLANATION = [
  "A simulated home: one physical model feeds an inverter and a battery (SunSpec over Modbus TCP) and a P1 meter.",
  "Its day passes 60 times as fast, one minute a second: sun, clouds and appliances change quickly.",
  "Its registers count real time, so power and energy agree.",
];

/** Starts a simulated home: a P1 meter, an inverter and a battery on loopback sockets. */
export async function startHomeSite(cleanups: Cleanups): Promise<DemoSite> {
  const model = new SimulatedHome({ startMs: performance.now() });
  const served = new Tally();
  const home = (): SimulatedHome => {
    model.advanceTo(performance.now());
    return model;
  };
  const devices = [
    await startGridMeter(home, served, cleanups),
    await startInverter(home, served, cleanups),
    await startBattery(home, served, cleanups),
  ];
  return {
    kind: "home",
    devices,
    provable: [{ name: "grid" }, { name: "solar" }, { name: "battery" }],
    served,
    explanation: EXPLANATION,
    clock: () => clockText(model.dayMinute),
  };
}

async function startGridMeter(
  home: () => SimulatedHome,
  served: Tally,
  cleanups: Cleanups,
): Promise<DeviceEntry> {
  const meter = await startP1Meter({
    host: HOST,
    port: 0,
    periodMs: SAMPLING_MS,
    state: () => p1State(home()),
    onServed: (state) => served.add("grid", shownByP1(state)),
  });
  cleanups.add(() => meter.close());
  return {
    id: "p1-meter",
    driver: "dsmr-p1",
    line: `tcp://${HOST}:${meter.port}`,
    intervalMs: SAMPLING_MS,
    channels: { grid: { name: "grid" } },
  };
}

async function startInverter(
  home: () => SimulatedHome,
  served: Tally,
  cleanups: Cleanups,
): Promise<DeviceEntry> {
  const inverter = await startSunSpecInverter({
    host: HOST,
    port: 0,
    state: () => {
      const { powers, registers } = home();
      return {
        serial: "SIM-PV-0001",
        model: "Simulated inverter",
        ratedPowerMw: INVERTER_RATED_MW,
        activePowerMw: 0 - powers.generationMw,
        exportMwh: registers.generationMwh,
      };
    },
    onServed: ({ exportMwh }) => served.add("solar", { exportMwh }),
  });
  cleanups.add(() => inverter.close());
  return {
    id: "inverter",
    driver: "sunspec",
    host: HOST,
    port: inverter.port,
    intervalMs: SAMPLING_MS,
    channels: { inverter: { name: "solar" } },
  };
}

async function startBattery(
  home: () => SimulatedHome,
  served: Tally,
  cleanups: Cleanups,
): Promise<DeviceEntry> {
  const battery = await startSunSpecBattery({
    host: HOST,
    port: 0,
    state: () => {
      const { powers, registers, stateOfChargePpm } = home();
      return {
        serial: "SIM-BAT-0001",
        model: "Simulated battery",
        activePowerMw: powers.batteryMw,
        importMwh: registers.chargedMwh,
        exportMwh: registers.dischargedMwh,
        stateOfChargePpm,
        capacityMwh: BATTERY.capacityMwh,
        chargeLimitMw: BATTERY.limitMw,
        dischargeLimitMw: BATTERY.limitMw,
        reservePpm: BATTERY.reservePpm,
      };
    },
    onServed: ({ importMwh, exportMwh }) =>
      served.add("battery", { exportMwh, ...(importMwh === undefined ? {} : { importMwh }) }),
  });
  cleanups.add(() => battery.close());
  return {
    id: "battery",
    driver: "sunspec",
    host: HOST,
    port: battery.port,
    meterRole: "storage",
    intervalMs: SAMPLING_MS,
    channels: { meter: { name: "battery" }, battery: { name: "battery cells" } },
  };
}

function p1State({ powers, registers }: SimulatedHome): P1State {
  const phaseMa = Math.round((Math.abs(powers.gridMw) / VOLTAGE_MV / PHASES) * 1000);
  return {
    serial: "SIM-P1-0001",
    importT1Mwh: registers.gridImportLowMwh,
    importT2Mwh: registers.gridImportNormalMwh,
    exportT1Mwh: registers.gridExportLowMwh,
    exportT2Mwh: registers.gridExportNormalMwh,
    activePowerMw: powers.gridMw,
    timeMs: Date.now(),
    voltageMv: new Array<number>(PHASES).fill(VOLTAGE_MV),
    currentMa: new Array<number>(PHASES).fill(phaseMa),
  };
}

/** The totals of a telegram: each tariff register is printed in whole Wh, and the sum is of what is printed. */
function shownByP1(state: P1State): Required<Registers> {
  return {
    importMwh: wholeWh(state.importT1Mwh) + wholeWh(state.importT2Mwh),
    exportMwh: wholeWh(state.exportT1Mwh) + wholeWh(state.exportT2Mwh),
  };
}

function wholeWh(energyMwh: number): number {
  return Math.floor(energyMwh / MWH_PER_WH) * MWH_PER_WH;
}

function clockText(dayMinute: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `${two(dayMinute / 60)}:${two(dayMinute % 60)}`;
}
