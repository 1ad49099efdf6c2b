import { generationMw, householdLoadMw, isLowTariff } from "./home-day.ts";
import { curtailed, type Steering, steered } from "./steering.ts";

/** 1 mWh is 3.6 J, and 1 mW in 1 ms is 1 µJ. */
const UJ_PER_MWH = 3_600_000;
const MW_PER_W = 1000;
const STEP_MS = 100;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const DAY_MINUTES = 1440;
/** Beyond this a computer was asleep, not the home: the time is left out. */
const LONGEST_PAUSE_MS = 60_000;

/** Inverter of the simulated home. */
export const INVERTER_RATED_MW = 10_000_000;
/** Battery of the simulated home. It has no losses but those it is given, and follows the surplus within about a second. */
export const BATTERY = {
  capacityMwh: 10_000_000,
  limitMw: 3_300_000,
  reservePpm: 100_000,
} as const;
/** What the battery's power changes by in a second at most. */
const BATTERY_RAMP_MW_PER_S = 3_000_000;

/** Powers at one instant, whole watts; + is into each boundary but for the generation, which counts as given. */
export interface HomePowers {
  readonly loadMw: number;
  /** What the roof gives, 0 or more. */
  readonly generationMw: number;
  /** + charging, - discharging. */
  readonly batteryMw: number;
  /** + import, - export: load - generation + battery. */
  readonly gridMw: number;
}

/** Registers in mWh, each a start value and what was counted since. */
export interface HomeRegisters {
  readonly gridImportLowMwh: number;
  readonly gridImportNormalMwh: number;
  readonly gridExportLowMwh: number;
  readonly gridExportNormalMwh: number;
  readonly generationMwh: number;
  readonly chargedMwh: number;
  readonly dischargedMwh: number;
}

/** What was counted since the start in µJ, before any register cuts it to its steps. */
export type HomeCounted = { readonly [R in keyof HomeRegisters | "loadMwh"]: bigint };

/** What is otherwise on one day than on another. */
export interface HomeDay {
  /** Part of the sun of a clear day. */
  readonly sunPpm: number;
  /** How much later the household does everything. */
  readonly lateMinutes: number;
  /** What it draws all day beside its appliances. */
  readonly moreMw: number;
}

export interface HomeOptions {
  /** The instant at which the home begins, on the clock that {@link SimulatedHome.advanceTo} is given. */
  readonly startMs: number;
  /** Time of the home's day at the start; default 11:56. */
  readonly dayMs?: number;
  /** How much faster than real time the home's day passes; default 60, one minute a second. */
  readonly daySpeed?: number;
  /** Asked at each step: what battery and roof are told at that instant. */
  steering?(nowMs: number): Steering;
  /** Part of the battery's power that is lost in each direction; default none. */
  readonly lossPpm?: number;
  /** Asked at each step: how long it is, whole ms; default 100. Nothing changes within a step. */
  stepMs?(nowMs: number): number;
  /** The home's days, the first one is 0; by default they are all alike. */
  day?(number: number): HomeDay;
}

const START: HomeRegisters = {
  gridImportLowMwh: 4_312_840_000,
  gridImportNormalMwh: 3_987_215_000,
  gridExportLowMwh: 1_204_466_000,
  gridExportNormalMwh: 2_871_093_000,
  generationMwh: 18_654_310_000,
  chargedMwh: 2_415_702_000,
  dischargedMwh: 2_268_951_000,
};
/** Where nothing else is said: 11:56, and one minute a second. */
export const START_OF_DAY_MS: number = (11 * 60 + 56) * MINUTE_MS;
export const DAY_SPEED = 60;
const START_CHARGE_PPM = 540_000;
const USUAL_DAY: HomeDay = { sunPpm: 1_000_000, lateMinutes: 0, moreMw: 0 };

/**
 * A home with a roof, a household, a battery and one grid connection, as one physical model: at each instant grid =
 * load - generation + battery, and every register is the sum of power times time, in integers.
 *
 * Only its day runs faster (sun, clouds, appliances). Registers count real time, because a register that runs ahead of
 * its power is what a quality gate refuses.
 */
export class SimulatedHome {
  readonly #daySpeed: number;
  readonly #lossPpm: number;
  readonly #steering: (nowMs: number) => Steering;
  readonly #stepMs: (nowMs: number) => number;
  readonly #day: (number: number) => HomeDay;
  readonly #counters: ReadonlyMap<keyof HomeCounted, EnergyCounter>;
  readonly #startOfDayMs: number;
  #elapsedMs = 0;
  #nowMs: number;
  #storedUj: number;
  #powers: HomePowers;

  constructor(options: HomeOptions) {
    const { startMs, dayMs = START_OF_DAY_MS, daySpeed = DAY_SPEED, lossPpm = 0 } = options;
    this.#lossPpm = lossPpm;
    this.#steering = (nowMs) => options.steering?.(nowMs) ?? {};
    this.#stepMs = (at) => options.stepMs?.(at) ?? STEP_MS;
    this.#day = (number) => options.day?.(number) ?? USUAL_DAY;
    this.#nowMs = startMs;
    this.#startOfDayMs = dayMs;
    this.#daySpeed = daySpeed;
    this.#storedUj = BATTERY_UJ_PER_PPM * START_CHARGE_PPM;
    const starts = new Map(Object.entries({ ...START, loadMwh: 0 }));
    this.#counters = new Map(COUNTED.map((name) => [name, new EnergyCounter(starts.get(name) ?? 0)]));
    this.#powers = this.#powersNow(0);
  }

  /** Lets the home run up to `nowMs`, in whole steps. */
  advanceTo(nowMs: number): void {
    if (nowMs - this.#nowMs > LONGEST_PAUSE_MS) this.#nowMs = nowMs;
    for (let stepMs = this.#stepMs(this.#nowMs); this.#nowMs + stepMs <= nowMs; ) {
      this.#step(stepMs);
      stepMs = this.#stepMs(this.#nowMs);
    }
  }

  get powers(): HomePowers {
    return this.#powers;
  }

  get registers(): HomeRegisters {
    return {
      gridImportLowMwh: this.#counter("gridImportLowMwh").mwh,
      gridImportNormalMwh: this.#counter("gridImportNormalMwh").mwh,
      gridExportLowMwh: this.#counter("gridExportLowMwh").mwh,
      gridExportNormalMwh: this.#counter("gridExportNormalMwh").mwh,
      generationMwh: this.#counter("generationMwh").mwh,
      chargedMwh: this.#counter("chargedMwh").mwh,
      dischargedMwh: this.#counter("dischargedMwh").mwh,
    };
  }

  get counted(): HomeCounted {
    const parts = COUNTED.map((name) => [name, this.#counter(name).countedUj]);
    // COUNTED holds every key of the type.
    return Object.fromEntries(parts) as HomeCounted;
  }

  get stateOfChargePpm(): number {
    return Math.floor(this.#storedUj / BATTERY_UJ_PER_PPM);
  }

  /** Time of the home's own day, in minutes since midnight. */
  get dayMinute(): number {
    return (this.#sinceMidnightMs % DAY_MS) / MINUTE_MS;
  }

  /** Of the day on which it began. */
  get #sinceMidnightMs(): number {
    return this.#startOfDayMs + this.#elapsedMs * this.#daySpeed;
  }

  #step(stepMs: number): void {
    const { loadMw, generationMw, batteryMw, gridMw } = this.#powers;
    const tariff = isLowTariff(this.dayMinute) ? "Low" : "Normal";
    this.#counter("loadMwh").add(loadMw * stepMs);
    this.#counter("generationMwh").add(generationMw * stepMs);
    this.#counter("chargedMwh").add(Math.max(batteryMw, 0) * stepMs);
    this.#counter("dischargedMwh").add(Math.max(-batteryMw, 0) * stepMs);
    this.#counter(`gridImport${tariff}Mwh`).add(Math.max(gridMw, 0) * stepMs);
    this.#counter(`gridExport${tariff}Mwh`).add(Math.max(-gridMw, 0) * stepMs);
    this.#storedUj += batteryMw * stepMs - this.#lostUj(batteryMw * stepMs);
    this.#elapsedMs += stepMs;
    this.#nowMs += stepMs;
    this.#powers = this.#powersNow(batteryMw);
  }

  #powersNow(lastBatteryMw: number): HomePowers {
    const minute = this.dayMinute;
    const { sunPpm, lateMinutes, moreMw } = this.#day(Math.floor(this.#sinceMidnightMs / DAY_MS));
    const loadMw = moreMw + householdLoadMw((minute + DAY_MINUTES - lateMinutes) % DAY_MINUTES);
    const sunMw = wholeWatts((generationMw(minute) * sunPpm) / 1_000_000);
    const steering = this.#steering(this.#nowMs);
    const free = steered({ loadMw, generationMw: sunMw }, steering);
    const batteryMw = this.#batteryMw(free.wantedMw, lastBatteryMw, steering);
    const powers = { loadMw, generationMw: free.generationMw };
    const givenMw = curtailed(powers, batteryMw, steering.exportLimitMw);
    return { loadMw, generationMw: givenMw, batteryMw, gridMw: loadMw - givenMw + batteryMw };
  }

  /** Charges on surplus, discharges in need, never over its limits and never over full or below its reserve. */
  #batteryMw(wantedMw: number, lastMw: number, { reservePpm, rampMwPerS }: Steering): number {
    const roomUj = BATTERY_UJ_PER_PPM * 1_000_000 - this.#storedUj;
    const usableUj = this.#storedUj - BATTERY_UJ_PER_PPM * (reservePpm ?? BATTERY.reservePpm);
    const stepMs = this.#stepMs(this.#nowMs);
    const mostIn = Math.min(BATTERY.limitMw, wholeWatts(roomUj / stepMs));
    const mostOut = Math.max(0, Math.min(BATTERY.limitMw, wholeWatts(usableUj / stepMs)));
    const pace = ((rampMwPerS ?? BATTERY_RAMP_MW_PER_S) * stepMs) / 1000;
    const ramp = wholeWatts(Math.max(MW_PER_W, pace));
    const ramped = clamp(wantedMw, lastMw - ramp, lastMw + ramp);
    return clamp(ramped, 0 - mostOut, mostIn);
  }

  #lostUj(throughUj: number): number {
    return Math.ceil((Math.abs(throughUj) * this.#lossPpm) / 1_000_000);
  }

  #counter(name: keyof HomeCounted): EnergyCounter {
    const counter = this.#counters.get(name);
    if (counter === undefined) throw new Error(`no counter ${name}`);
    return counter;
  }
}

const COUNTED: readonly (keyof HomeCounted)[] = [
  "gridImportLowMwh",
  "gridImportNormalMwh",
  "gridExportLowMwh",
  "gridExportNormalMwh",
  "generationMwh",
  "chargedMwh",
  "dischargedMwh",
  "loadMwh",
];

const BATTERY_UJ_PER_PPM = (BATTERY.capacityMwh / 1_000_000) * UJ_PER_MWH;

/** A register that never loses a part of a step: whole mWh, and what is left of the next one. */
class EnergyCounter {
  readonly #startMwh: number;
  #mwh: number;
  #restUj = 0;

  constructor(startMwh: number) {
    this.#startMwh = startMwh;
    this.#mwh = startMwh;
  }

  add(energyUj: number): void {
    const rest = this.#restUj + energyUj;
    this.#mwh += Math.floor(rest / UJ_PER_MWH);
    this.#restUj = rest % UJ_PER_MWH;
  }

  get mwh(): number {
    return this.#mwh;
  }

  get countedUj(): bigint {
    return BigInt(this.#mwh - this.#startMwh) * BigInt(UJ_PER_MWH) + BigInt(this.#restUj);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}

function wholeWatts(powerMw: number): number {
  return Math.floor(powerMw / MW_PER_W) * MW_PER_W;
}
