/** A rate and what may come on top of it. */
export interface Rate {
  readonly limitMw: number;
  /** Step of the register. */
  readonly stepMwh: number;
}

/** A gateway may serve values that are this old: what it then makes up for is no jump. */
const LATE_MS = 15_000;
/** mW times ms to mWh. */
const MS_PER_HOUR = 3_600_000;

/**
 * How far one register may rise. It fills with the energy that the limit lets through in the time that passes, up to
 * a fixed reserve (15 s at the limit and one step) beyond what the last reading left. So no series of readings,
 * however it is cut up, can rise by more than limit times time plus one reserve.
 */
export class Allowance {
  readonly #limitMw: number;
  #reserveMwh: number | undefined;

  constructor(limitMw: number) {
    this.#limitMw = limitMw;
  }

  /** The most that the register can have risen, mWh, `elapsedMs` after it was last taken. */
  mostMwh(elapsedMs: number, stepMwh: number): number {
    const full = fullReserveMwh({ limitMw: this.#limitMw, stepMwh });
    return Math.min(this.#reserveMwh ?? full, full) + energyMwh(this.#limitMw, elapsedMs);
  }

  /** The register has risen by `riseMwh`, at most {@link mostMwh}, and was taken. */
  take(riseMwh: number, elapsedMs: number, stepMwh: number): void {
    const left = this.mostMwh(elapsedMs, stepMwh) - riseMwh;
    this.#reserveMwh = Math.min(left, fullReserveMwh({ limitMw: this.#limitMw, stepMwh }));
  }

  /** A new beginning, with a full reserve. */
  refill(): void {
    this.#reserveMwh = undefined;
  }
}

/** The most by which a register can rise between two readings that nothing else is known of. */
export function plausibleRiseMwh(rate: Rate, elapsedMs: number): number {
  return fullReserveMwh(rate) + energyMwh(rate.limitMw, elapsedMs);
}

/** What a register may rise at once beyond what the time lets through: a late value and one step. */
export function fullReserveMwh({ limitMw, stepMwh }: Rate): number {
  return energyMwh(limitMw, LATE_MS) + stepMwh;
}

function energyMwh(powerMw: number, durationMs: number): number {
  return (powerMw * durationMs) / MS_PER_HOUR;
}
