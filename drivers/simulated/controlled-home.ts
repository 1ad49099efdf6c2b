import { METER_FORMAT } from "../modbus/settings.ts";
import { BatteryInverter } from "./controlled-home-battery.ts";
import { gridMeter } from "./controlled-home-meter.ts";
import { DAY_SPEED, type HomeOptions, START_OF_DAY_MS } from "./home.ts";
import type { PeerOptions } from "./modbus-peer.ts";
import type { SlaveWrite } from "./modbus-slave.ts";
import { PhysicalSite, type SiteInstant } from "./physical-site.ts";
import type { SimulatedControlFault } from "./profile-faults.ts";
import { type OpenPlace, openPlace, type SimulatedPlace } from "./profile-place.ts";
import type { Steering } from "./steering.ts";

/** How a home is simulated whose battery takes commands. */
export interface ControlledHomeOptions
  extends Pick<HomeOptions, "dayMs" | "daySpeed" | "lossPpm" | "stepMs" | "day"> {
  /** Where the battery's inverter is reached. */
  readonly battery: SimulatedPlace;
  /** Where the meter at the grid connection is reached. */
  readonly meter: SimulatedPlace;
  /** Milliseconds; by default a clock that is never set. Where it is given, time passes only when somebody looks. */
  readonly clock?: () => number;
  /** When the battery does nothing unless it is told to, minutes of the home's day; by default never. */
  readonly keptBack?: { readonly fromMinute: number; readonly toMinute: number };
}

/** A running home: one physical model, seen by two devices. */
export interface ControlledHome {
  readonly batteryPort: number;
  readonly meterPort: number;
  /** What truly flows through "battery", "pv" and "grid", and has flowed. */
  truth(): SiteInstant;
  /** Of the battery's inverter. */
  setFaults(faults: readonly SimulatedControlFault[]): void;
  /** Every command that was written to the battery's inverter so far, in order. */
  writes(): readonly SlaveWrite[];
  /** Hangs up on every client of both; they may come back. */
  hangUp(): void;
  close(): Promise<void>;
}

/** In and out of a battery together, some tenth is lost. */
const LOSS_PPM = 50_000;
const MOST_CLIENTS = 8;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
const ADVANCE_MS = 1000;
/** Longer than this at once is taken for a computer that was asleep. */
const LONGEST_LOOK_MS = 60_000;

const WHOLE = { index: 0, count: 1 } as const;
const BOUNDARIES = [
  {
    name: "battery",
    role: "storage",
    part: WHOLE,
    importStartMwh: 2_415_702_000,
    exportStartMwh: 2_268_951_000,
  },
  { name: "pv", role: "generation", part: WHOLE, importStartMwh: 0, exportStartMwh: 18_654_310_000 },
  { name: "grid", role: "grid", part: WHOLE, importStartMwh: 8_300_055_000, exportStartMwh: 4_075_559_000 },
] as const;

/**
 * Starts a home with a roof, a household and a battery that obeys. The battery's inverter is a SunSpec device (701, 702,
 * 704, 713, 802) whose commands end by its own timers; the meter at the grid connection is a SunSpec meter (203) of another
 * maker. Both speak Modbus and know nothing of each other: what the battery does is seen at the meter because it flows
 * there. Throws Problem `simulate-place` where a place cannot be opened.
 */
export async function startControlledHome(options: ControlledHomeOptions): Promise<ControlledHome> {
  const home = new Home(options);
  await home.open();
  return home;
}

class Home implements ControlledHome {
  readonly #options: ControlledHomeOptions;
  readonly #clock: () => number;
  readonly #site: PhysicalSite;
  readonly #inverter: BatteryInverter;
  readonly #startMs: number;
  #lookedMs: number;
  #places: readonly OpenPlace[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ControlledHomeOptions) {
    const { clock = () => performance.now(), battery: _b, meter: _m, keptBack: _k, ...day } = options;
    this.#options = options;
    this.#clock = clock;
    this.#startMs = clock();
    this.#lookedMs = this.#startMs;
    this.#inverter = new BatteryInverter(clock, () => this.truth());
    this.#site = new PhysicalSite(
      { divisor: 1, boundaries: BOUNDARIES },
      { lossPpm: LOSS_PPM, ...day, startMs: this.#startMs, steering: (nowMs) => this.#steering(nowMs) },
    );
  }

  /** Both places, or none. */
  async open(): Promise<void> {
    const { battery, meter, clock } = this.#options;
    const inverter = this.#inverter;
    await this.#open(battery, { model: inverter, fault: (request) => inverter.faultOf(request) });
    try {
      await this.#open(meter, { model: gridMeter(() => this.truth()) });
    } catch (error) {
      await this.close();
      throw error;
    }
    if (clock === undefined) this.#timer = setInterval(() => this.truth(), ADVANCE_MS);
  }

  get batteryPort(): number {
    return this.#places[0]?.port ?? 0;
  }

  get meterPort(): number {
    return this.#places[1]?.port ?? 0;
  }

  truth(): SiteInstant {
    const nowMs = this.#clock();
    const { clock } = this.#options;
    // A clock that somebody moves leaps as it likes; only the machine's own can have been asleep.
    while (clock !== undefined && nowMs - this.#lookedMs > LONGEST_LOOK_MS) {
      this.#lookedMs += LONGEST_LOOK_MS;
      this.#site.advanceTo(this.#lookedMs);
    }
    this.#lookedMs = nowMs;
    this.#site.advanceTo(nowMs);
    return this.#site.instant;
  }

  setFaults(faults: readonly SimulatedControlFault[]): void {
    this.truth();
    this.#inverter.setFaults(faults, () => this.#places[0]?.hangUp());
  }

  writes(): readonly SlaveWrite[] {
    return this.#inverter.writes;
  }

  hangUp(): void {
    for (const place of this.#places) place.hangUp();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#places.map((place) => place.close()));
  }

  /** What is told goes before what the battery keeps to by itself. */
  #steering(nowMs: number): Steering {
    const told = this.#inverter.steering(nowMs);
    const { keptBack, dayMs = START_OF_DAY_MS, daySpeed = DAY_SPEED } = this.#options;
    if (keptBack === undefined) return told;
    const minute = ((dayMs + (nowMs - this.#startMs) * daySpeed) / MINUTE_MS) % DAY_MINUTES;
    const isKept = minute >= keptBack.fromMinute && minute < keptBack.toMinute;
    return isKept ? { batteryMw: 0, ...told } : told;
  }

  async #open(place: SimulatedPlace, peer: Omit<PeerOptions, "framing" | "order">): Promise<void> {
    const open = await openPlace(place, {
      peer: { ...peer, order: "turn" },
      ...{ format: METER_FORMAT, maxClients: MOST_CLIENTS, onLost: () => undefined },
    });
    this.#places = [...this.#places, open];
  }
}
