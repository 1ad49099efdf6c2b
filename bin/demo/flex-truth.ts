import type { ControlledHome } from "../../drivers/simulated/controlled-home.ts";
import { PLAN } from "./flex-plan.ts";

/** True net energies of one quarter of an hour, mWh: + into the home, + into the battery. */
export interface TrueInterval {
  readonly startMs: number;
  readonly gridMwh: number;
  readonly batteryMwh: number;
}

interface Stand {
  readonly atMs: number;
  readonly gridMwh: number;
  readonly batteryMwh: number;
}

/** What the physical model counts, beside everything that is read, sealed and proven. */
export class FlexTruth {
  readonly #home: ControlledHome;
  readonly #intervals: TrueInterval[] = [];
  #last: Stand | undefined;

  constructor(home: ControlledHome) {
    this.#home = home;
  }

  /** To be called at least at each quarter of an hour. */
  note(atMs: number): void {
    if (atMs % PLAN.intervalMs !== 0) return;
    const stand = { atMs, gridMwh: this.#net("grid"), batteryMwh: this.#net("battery") };
    const { atMs: startMs, gridMwh, batteryMwh } = this.#last ?? stand;
    if (this.#last !== undefined && atMs - startMs === PLAN.intervalMs)
      this.#intervals.push({
        startMs,
        gridMwh: stand.gridMwh - gridMwh,
        batteryMwh: stand.batteryMwh - batteryMwh,
      });
    this.#last = stand;
  }

  get intervals(): readonly TrueInterval[] {
    return this.#intervals;
  }

  #net(name: string): number {
    const { importMwh = 0, exportMwh = 0 } = this.#home.truth().boundaries.get(name) ?? {};
    return importMwh - exportMwh;
  }
}
