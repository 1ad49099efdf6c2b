import type { ChannelRole } from "../../attest/reading.ts";
import { BATTERY, type HomeOptions, type HomePowers, SimulatedHome } from "./home.ts";
import { enlarged, type Steering } from "./steering.ts";

/** What truly flows through one metered boundary at one instant. */
export interface Boundary {
  /** + into the boundary. */
  readonly powerMw: number;
  /** What has flowed in and out since the meter was new, whole mWh. */
  readonly importMwh: number;
  readonly exportMwh: number;
  /** What the registers stood at when the simulation began. */
  readonly importStartMwh: number;
  readonly exportStartMwh: number;
}

/** Everything that devices of a site could measure at one instant. */
export interface SiteInstant {
  readonly boundaries: ReadonlyMap<string, Boundary>;
  readonly stateOfChargePpm: number;
  /** L1, L2, L3 to neutral. */
  readonly voltageMv: readonly [number, number, number];
  readonly frequencyMhz: number;
}

/** Something physical that devices measure. */
export interface PhysicalModel {
  /** Lets it run up to `nowMs`. */
  advanceTo(nowMs: number): void;
  readonly instant: SiteInstant;
}

/** One boundary of a site. */
export interface BoundaryPlan {
  readonly name: string;
  readonly role: ChannelRole;
  /** Which part of the role's whole flows through it: `index` of `count`. */
  readonly part: { readonly index: number; readonly count: number };
  /** Where it is metered in one direction only, or nothing can flow in the other. */
  readonly only?: "import" | "export";
  readonly importStartMwh: number;
  readonly exportStartMwh: number;
}

export interface SitePlan {
  /** Every power is a so many-th of a home's; a divisor of 1000, so that they stay whole. */
  readonly divisor: number;
  /** Servers in the rack, for the role "compute"; default 1. */
  readonly servers?: number;
  readonly boundaries: readonly BoundaryPlan[];
}

export interface SiteOptions extends Pick<HomeOptions, "dayMs" | "daySpeed" | "lossPpm" | "stepMs" | "day"> {
  /** The instant at which it begins, on the clock that `advanceTo` is given. */
  readonly startMs: number;
  /** Asked at each step: what its battery and its roof are told at that instant, in the site's own powers. */
  steering?(nowMs: number): Steering;
}

/** The largest powers that a role can show before they are divided, mW: the home's appliances, sun and battery. */
export const ROLE_LIMITS: Readonly<
  Record<ChannelRole, { readonly importMw: number; readonly exportMw: number }>
> = {
  grid: { importMw: 22_000_000, exportMw: 13_000_000 },
  generation: { importMw: 0, exportMw: 9_200_000 },
  storage: { importMw: BATTERY.limitMw, exportMw: BATTERY.limitMw },
  load: { importMw: 19_000_000, exportMw: 0 },
  compute: { importMw: 450_000, exportMw: 0 },
};

const STEP_MS = 100;
const UJ_PER_MWH = 3_600_000;
/** Beyond this a computer was asleep, not the site: the time is left out. */
const LONGEST_PAUSE_MS = 60_000;
const SERVER_W = { idle: 180, busy: 420 };
const MW_PER_W = 1000;

/** What one boundary has counted: whole mWh, and what is left of the next one in each direction. */
class Meter {
  readonly plan: BoundaryPlan;
  powerMw = 0;
  #importUj = 0;
  #exportUj = 0;
  #importMwh: number;
  #exportMwh: number;

  constructor(plan: BoundaryPlan) {
    this.plan = plan;
    this.#importMwh = plan.importStartMwh;
    this.#exportMwh = plan.exportStartMwh;
  }

  count(durationMs: number): void {
    const energyUj = this.powerMw * durationMs;
    this.#importUj += Math.max(energyUj, 0);
    this.#exportUj += Math.max(-energyUj, 0);
    this.#importMwh += Math.floor(this.#importUj / UJ_PER_MWH);
    this.#exportMwh += Math.floor(this.#exportUj / UJ_PER_MWH);
    this.#importUj %= UJ_PER_MWH;
    this.#exportUj %= UJ_PER_MWH;
  }

  get boundary(): Boundary {
    const { importStartMwh, exportStartMwh } = this.plan;
    return {
      powerMw: this.powerMw,
      importMwh: this.#importMwh,
      exportMwh: this.#exportMwh,
      importStartMwh,
      exportStartMwh,
    };
  }
}

/**
 * A home, and a rack of servers, as one device's channels meter them. What a role has altogether is divided among its
 * boundaries so that they add up to it exactly, and each register is the sum of its own power times time.
 */
export class PhysicalSite implements PhysicalModel {
  readonly #plan: SitePlan;
  readonly #home: SimulatedHome;
  readonly #meters: readonly Meter[];
  readonly #stepMs: (nowMs: number) => number;
  #nowMs: number;
  #instant: SiteInstant | undefined;

  constructor(plan: SitePlan, options: SiteOptions) {
    this.#plan = plan;
    this.#nowMs = options.startMs;
    this.#stepMs = (at) => options.stepMs?.(at) ?? STEP_MS;
    this.#home = new SimulatedHome({
      ...options,
      steering: (nowMs) => enlarged(options.steering?.(nowMs) ?? {}, plan.divisor),
    });
    this.#meters = plan.boundaries.map((boundary) => new Meter(boundary));
    this.#flow();
  }

  advanceTo(nowMs: number): void {
    if (nowMs - this.#nowMs > LONGEST_PAUSE_MS) this.#nowMs = nowMs;
    for (let stepMs = this.#stepMs(this.#nowMs); this.#nowMs + stepMs <= nowMs; ) {
      for (const meter of this.#meters) meter.count(stepMs);
      this.#nowMs += stepMs;
      this.#home.advanceTo(this.#nowMs);
      this.#flow();
      stepMs = this.#stepMs(this.#nowMs);
    }
  }

  /** The same object until something has changed. */
  get instant(): SiteInstant {
    this.#instant ??= this.#look();
    return this.#instant;
  }

  #look(): SiteInstant {
    const minute = this.#home.dayMinute;
    return {
      boundaries: new Map(this.#meters.map((meter) => [meter.plan.name, meter.boundary])),
      stateOfChargePpm: this.#home.stateOfChargePpm,
      voltageMv: [voltageAt(minute, 0), voltageAt(minute, 1), voltageAt(minute, 2)],
      frequencyMhz: 50_000 + Math.round(20 * Math.sin(minute / 3)),
    };
  }

  #flow(): void {
    this.#instant = undefined;
    for (const meter of this.#meters) {
      const { role, part, only } = meter.plan;
      const share = shareOf(this.#wholeMw(role, only) / this.#plan.divisor, part);
      meter.powerMw = only === undefined ? share : onlyWay(share, only);
    }
  }

  #wholeMw(role: ChannelRole, only: BoundaryPlan["only"]): number {
    const powers: HomePowers = this.#home.powers;
    switch (role) {
      case "grid":
        // A meter that knows one direction stands before a home without a roof.
        return only === "import" ? powers.loadMw : powers.gridMw;
      case "generation":
        return 0 - powers.generationMw;
      case "storage":
        return powers.batteryMw;
      case "load":
        return powers.loadMw;
      case "compute":
        return this.#rackMw();
    }
  }

  #rackMw(): number {
    const { idle, busy } = SERVER_W;
    const work = (1 + Math.sin(this.#home.dayMinute / 2)) / 2;
    return Math.round(idle + (busy - idle) * work) * (this.#plan.servers ?? 1) * MW_PER_W;
  }
}

/** The parts add up to the whole: the last one has what is left. */
function shareOf(wholeMw: number, { index, count }: BoundaryPlan["part"]): number {
  const weights = (count * (count + 1)) / 2;
  const share = (at: number): number => Math.trunc((wholeMw * (at + 1)) / weights) + 0;
  if (index < count - 1) return share(index);
  const others = Array.from({ length: count - 1 }, (_, at) => share(at));
  return others.reduce((rest, one) => rest - one, wholeMw);
}

function onlyWay(powerMw: number, only: "import" | "export"): number {
  return only === "import" ? Math.max(powerMw, 0) : Math.min(powerMw, 0);
}

function voltageAt(minute: number, phase: number): number {
  return 230_000 + Math.round(1_900 * Math.sin(minute / 11 + 2 * phase));
}
