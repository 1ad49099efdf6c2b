/** What a home's battery and roof are told to do; what is absent they decide by themselves. */
export interface Steering {
  /** Power of the battery: + charging, - discharging. */
  readonly batteryMw?: number;
  /** Power at the grid connection, which the battery brings about: + import. */
  readonly gridMw?: number;
  /** The most that the battery may take in and give out, 0 or more; a negative one forces the other direction. */
  readonly chargeLimitMw?: number;
  readonly dischargeLimitMw?: number;
  /** The most that may flow into the grid: the roof gives less then. */
  readonly exportLimitMw?: number;
  /** The most that the roof may give. */
  readonly generationLimitMw?: number;
  readonly reservePpm?: number;
  /** The most that the battery's own management lets through, in both directions. */
  readonly managementMw?: number;
  /** How fast the battery follows. */
  readonly rampMwPerS?: number;
}

/** Powers before they are steered. */
export interface FreePowers {
  readonly loadMw: number;
  readonly generationMw: number;
}

/** What the roof gives, and what the battery wants, before its ramp and how full it is. */
export interface SteeredPowers {
  readonly generationMw: number;
  readonly wantedMw: number;
}

/** More than any home has. */
const ALL_MW = 1e12;

export function steered({ loadMw, generationMw }: FreePowers, steering: Steering): SteeredPowers {
  const given = Math.min(generationMw, steering.generationLimitMw ?? generationMw);
  const free = given - loadMw;
  const wanted = steering.batteryMw ?? (steering.gridMw === undefined ? free : free + steering.gridMw);
  const { chargeLimitMw = ALL_MW, dischargeLimitMw = ALL_MW, managementMw = ALL_MW } = steering;
  const limited = Math.max(0 - dischargeLimitMw, Math.min(wanted, chargeLimitMw));
  return { generationMw: given, wantedMw: Math.max(0 - managementMw, Math.min(limited, managementMw)) };
}

/** What the roof still gives where no more than a limit may flow into the grid. */
export function curtailed(
  { loadMw, generationMw }: FreePowers,
  batteryMw: number,
  exportLimitMw: number | undefined,
): number {
  if (exportLimitMw === undefined) return generationMw;
  const excess = generationMw - loadMw - batteryMw - exportLimitMw;
  return Math.max(0, generationMw - Math.max(0, excess));
}

/** Every power a so many-th of it, so that what is told to a part of a home can be told to the whole. */
export function enlarged(steering: Steering, factor: number): Steering {
  const entries = Object.entries(steering).map(
    ([name, value]: [string, number]) => [name, name === "reservePpm" ? value : value * factor] as const,
  );
  return Object.fromEntries(entries);
}

interface Told {
  readonly fromMs: number;
  readonly steering: Steering;
}

/** Commands take effect a while after they were given. */
export class DelayedSteering {
  #told: readonly Told[] = [{ fromMs: Number.NEGATIVE_INFINITY, steering: {} }];

  tell(atMs: number, steering: Steering, responseMs: number): void {
    this.#told = [...this.#told, { fromMs: atMs + responseMs, steering }];
  }

  /** What holds at an instant; instants never go back. */
  at(nowMs: number): Steering {
    const begun = this.#told.filter(({ fromMs }) => fromMs <= nowMs);
    const last = begun.at(-1) ?? { fromMs: nowMs, steering: {} };
    this.#told = [last, ...this.#told.filter(({ fromMs }) => fromMs > nowMs)];
    return last.steering;
  }
}
