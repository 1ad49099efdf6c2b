/**
 * The vocabulary of readings. Everywhere: **+ is into the metered boundary (consumption, charging), - is out
 * of it (generation, discharge)**; registers are cumulative, unsigned and never net; integers only, unit in
 * the name. An absent property means that the meter did not say; it is never written as zero.
 */

/** What a channel measures, as seen from the site. Numbers are those of the channel manifest. */
export const CHANNEL_ROLES = { grid: 1, generation: 2, storage: 3, load: 4, compute: 5 } as const;
export type ChannelRole = keyof typeof CHANNEL_ROLES;

/** Status bits of a reading, OR-ed together. */
export const READING_STATUS = {
  /** The device says that it is in standby, asleep or off. */
  standby: 1,
  /** The device itself reports a fault. */
  deviceFault: 2,
  /** The meter's own clock says that the value is older than two sampling intervals. */
  stale: 4,
  /** Registers were computed as the sum of all tariff registers of one telegram. */
  tariffSum: 8,
  /** The registers are those at the meter's own time, as meters have them that send theirs behind the full hour. */
  registersAtMeterTime: 16,
} as const;

/** One coherent set of values of one channel, as a driver read it at one instant. */
export interface MeterReading {
  /** The driver's own name of the channel, one of those it described. */
  readonly channel: string;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly activePowerMw?: number;
  readonly stateOfChargePpm?: number;
  /** Per phase, L1 first. A single-phase meter gives one element. */
  readonly voltageMv?: readonly number[];
  readonly currentMa?: readonly number[];
  readonly frequencyMhz?: number;
  /** The meter's own clock, ms since 1970 UTC, where it prints one. */
  readonly meterTimeMs?: number;
  /** Step of the registers in mWh where it is not the channel's. */
  readonly resolutionMwh?: number;
  /** OR of {@link READING_STATUS}. */
  readonly status?: number;
  /** SHA-256 of the raw frame or register block that the numbers came from: 32 bytes. */
  readonly evidence: Uint8Array;
}

/** What a controllable device could take off or put onto the grid now, derived from what its driver reads. */
export interface FlexibilityReading {
  readonly channel: string;
  readonly averagePowerMw?: number;
  readonly stateOfChargePpm?: number;
  /** Energy that can be taken out now, above the reserve. */
  readonly usableEnergyMwh?: number;
  readonly reserveEnergyMwh?: number;
  readonly capacityMwh?: number;
  /** `reduce`: net import goes down (discharge). Powers and energies are unsigned here. */
  readonly reducePowerMw?: number;
  readonly reduceEnergyMwh?: number;
  /** `increase`: net import goes up (charge). */
  readonly increasePowerMw?: number;
  readonly increaseEnergyMwh?: number;
  readonly importLimitMw?: number;
  readonly exportLimitMw?: number;
  readonly setpointMw?: number;
  readonly available: boolean;
  /** SHA-256 of the register block that the numbers came from: 32 bytes. */
  readonly evidence: Uint8Array;
}
