import { type HomePowers, type HomeRegisters, SimulatedHome } from "./home.ts";
import type { ShownByMeter } from "./speaking.ts";

/** What of a home a meter measures: its grid connection, its roof or its battery. */
export type MeteredPart = "grid" | "solar" | "battery";

export interface TelegramHomeOptions {
  readonly part: MeteredPart;
  readonly serial: string;
  /** How much faster than real time the home's day passes; its registers count real time. */
  readonly daySpeed: number;
  /** A clock that is never set, ms; it moves the home. */
  readonly monotonicMs: () => number;
  /** The meter's own clock, ms since 1970 UTC. */
  readonly clockMs: () => number;
}

const PHASES = [0, 1, 2];
/** Strings of modules and batteries have one voltage. */
const DIRECT = [0];
const NOMINAL_MV: Readonly<Record<MeteredPart, number>> = { grid: 230_000, solar: 230_000, battery: 51_200 };
const MAINS_MHZ = 50_000;

/** What a meter in a simulated home shows, whenever it is asked. */
export function telegramHome(options: TelegramHomeOptions): () => ShownByMeter {
  const { part, serial, daySpeed, monotonicMs, clockMs } = options;
  const home = new SimulatedHome({ startMs: monotonicMs(), daySpeed });
  return () => {
    home.advanceTo(monotonicMs());
    const activePowerMw = powerOf(part, home.powers);
    const phases = part === "grid" ? PHASES : DIRECT;
    const nominalMv = NOMINAL_MV[part];
    const voltageMv = phases.map((phase) => voltageAt(home.dayMinute, { phase, nominalMv }));
    return {
      ...{ serial, activePowerMw, voltageMv, ...registersOf(part, home.registers) },
      currentMa: voltageMv.map((value) => currentMa(activePowerMw / phases.length, value)),
      frequencyMhz: MAINS_MHZ + Math.round(20 * Math.sin(home.dayMinute / 3)),
      timeMs: Math.floor(clockMs()),
    };
  };
}

type ShownRegisters = Pick<ShownByMeter, "importT1Mwh" | "importT2Mwh" | "exportT1Mwh" | "exportT2Mwh">;

function registersOf(part: MeteredPart, registers: HomeRegisters): ShownRegisters {
  switch (part) {
    case "grid":
      return {
        importT1Mwh: registers.gridImportLowMwh,
        importT2Mwh: registers.gridImportNormalMwh,
        exportT1Mwh: registers.gridExportLowMwh,
        exportT2Mwh: registers.gridExportNormalMwh,
      };
    case "solar":
      return { importT1Mwh: 0, importT2Mwh: 0, exportT1Mwh: registers.generationMwh, exportT2Mwh: 0 };
    case "battery":
      return {
        ...{ importT1Mwh: registers.chargedMwh, importT2Mwh: 0 },
        ...{ exportT1Mwh: registers.dischargedMwh, exportT2Mwh: 0 },
      };
  }
}

/** + into the metered part. */
function powerOf(part: MeteredPart, powers: HomePowers): number {
  switch (part) {
    case "grid":
      return powers.gridMw;
    case "solar":
      return 0 - powers.generationMw;
    case "battery":
      return powers.batteryMw;
  }
}

function voltageAt(
  minute: number,
  { phase, nominalMv }: { readonly phase: number; readonly nominalMv: number },
): number {
  return nominalMv + Math.round((nominalMv / 120) * Math.sin(minute / 11 + 2 * phase));
}

/** A meter shows how much, not which way. */
function currentMa(powerMw: number, voltageMv: number): number {
  return Math.round((Math.abs(powerMw) / voltageMv) * 1000);
}
