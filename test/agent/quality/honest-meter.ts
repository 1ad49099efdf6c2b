import type { MeterReading } from "../../../attest/reading.ts";

/** What flows through a boundary at an instant, W; + is into it. */
export type Flow = (atMs: number) => number;

export interface HonestOptions {
  readonly flow: Flow;
  readonly startMwh: number;
  /** Step of its registers, mWh; or a float32 of kWh, whose steps grow with the register. */
  readonly step: number | "float32";
  /** What its shown power may be off by, as a part of 1, of the last digit 1 W. */
  readonly noise: number;
  /** The least power that it counts, W; less is shown and not counted. */
  readonly startsAtW: number;
  /** A number in [0, 1) that looks like chance. */
  readonly random: () => number;
  /** Whether it shows voltages and frequency, and a clock. */
  readonly voltage: boolean;
  readonly clock: boolean;
}

const MWMS_PER_MWH = 3_600_000;
/** Between two readings the flow is summed in pieces of this length. */
const PIECES = 8;
const METER_TIME_MS = Date.UTC(2026, 5, 1);

/** A meter that counts what flows and shows it as meters do: in steps, with noise, and at most once a second. */
export class HonestMeter {
  readonly #options: HonestOptions;
  #nowMs = 0;
  #importMwh: number;
  #exportMwh: number;

  constructor(options: HonestOptions) {
    this.#options = options;
    this.#importMwh = options.startMwh;
    this.#exportMwh = Math.floor(options.startMwh / 3);
  }

  advance(ms: number): void {
    const pieceMs = ms / PIECES;
    for (let piece = 0; piece < PIECES; piece += 1) {
      const watts = this.#options.flow(this.#nowMs + pieceMs * (piece + 0.5));
      this.#nowMs += pieceMs;
      if (Math.abs(watts) < this.#options.startsAtW) continue;
      const energyMwh = (Math.abs(watts) * 1000 * pieceMs) / MWMS_PER_MWH;
      if (watts > 0) this.#importMwh += energyMwh;
      else this.#exportMwh += energyMwh;
    }
  }

  shown(): Partial<MeterReading> {
    const { flow, noise, random, step, voltage, clock } = this.#options;
    const watts = flow(this.#nowMs) * (1 + noise * (2 * random() - 1));
    const resolution =
      step === "float32" ? { resolutionMwh: floatStep(Math.max(this.#importMwh, this.#exportMwh)) } : {};
    return {
      importMwh: this.#cut(this.#importMwh),
      exportMwh: this.#cut(this.#exportMwh),
      activePowerMw: Math.round(watts) * 1000,
      ...resolution,
      ...(voltage ? { voltageMv: [this.#voltage(), this.#voltage()], frequencyMhz: this.#frequency() } : {}),
      ...(clock ? { meterTimeMs: METER_TIME_MS + Math.floor(this.#nowMs / 1000) * 1000 } : {}),
    };
  }

  #cut(energyMwh: number): number {
    const { step } = this.#options;
    if (step === "float32") return Math.round(Math.fround(energyMwh / 1e6) * 1e6);
    return Math.floor(energyMwh / step) * step;
  }

  #voltage(): number {
    return 229_000 + Math.floor(this.#options.random() * 30) * 100;
  }

  #frequency(): number {
    return 49_950 + Math.floor(this.#options.random() * 10) * 10;
  }
}

/** Distance of float32 numbers around a register in kWh, mWh, rounded up: IEEE 754 has 24 bits of significand. */
function floatStep(energyMwh: number): number {
  const kilowattHours = Math.max(energyMwh / 1e6, 1e-6);
  return Math.ceil(2 ** (Math.floor(Math.log2(kilowattHours)) - 23) * 1e6);
}

/** Chance that is the same in every run (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let hash = Math.imul(state ^ (state >>> 15), state | 1);
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61);
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32;
  };
}

const DAY_MS = 86_400_000;

/** Flows as they are found behind meters, W. */
export const FLOWS: Readonly<Record<string, Flow>> = {
  standby: () => 5,
  "router and refrigerator": (atMs) => 35 + (atMs % 2_400_000 < 900_000 ? 110 : 0),
  "idle battery": (atMs) => (atMs % 7_200_000 < 60_000 ? 40 : 0),
  "roof by day, inverter asleep at night": (atMs) => {
    const sun = Math.sin((2 * Math.PI * (atMs % DAY_MS)) / DAY_MS);
    return sun <= 0 ? 4 : -9000 * sun * (0.6 + 0.4 * Math.sin(atMs / 97_000));
  },
  "house with a kettle": (atMs) => 250 + (atMs % 3_000_000 < 180_000 ? 2200 : 0),
  "car that charges at night": (atMs) => (atMs % DAY_MS < DAY_MS / 4 ? 11_000 : 180),
  "battery that swings around zero": (atMs) =>
    900 * Math.sin(atMs / 11_000) + 300 * Math.sin(atMs / 1_700_000),
  "grid connection of a house with a roof": (atMs) =>
    400 +
    (atMs % 2_700_000 < 240_000 ? 3000 : 0) -
    6000 * Math.max(0, Math.sin((2 * Math.PI * atMs) / DAY_MS)),
  "curtailed inverter": () => -5000,
};
