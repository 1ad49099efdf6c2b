/** What a simulated meter shows at one instant. */
export interface ShownByMeter {
  /** Digits; each protocol brings them into its own form. */
  readonly serial: string;
  /** Two tariffs, low and normal; a protocol with one register shows their sum. */
  readonly importT1Mwh: number;
  readonly importT2Mwh: number;
  readonly exportT1Mwh: number;
  readonly exportT2Mwh: number;
  /** + import, - export. */
  readonly activePowerMw: number;
  /** The meter's own clock, ms since 1970 UTC. */
  readonly timeMs: number;
  /** Per phase, L1 first, one to three elements. */
  readonly voltageMv: readonly number[];
  readonly currentMa: readonly number[];
  readonly frequencyMhz: number;
}

/** How a simulated meter that speaks by itself makes its telegrams. Pure. */
export interface SimulatedSpeaker {
  /** How often it speaks unless it is told otherwise. */
  readonly periodMs: number;
  /** All telegrams that it sends at this instant, in order; most meters send one. */
  telegrams(shown: ShownByMeter): readonly Uint8Array[];
  /** The telegram with one value changed and its checksum left as it was; undefined where the protocol has none. */
  withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined;
}

/** A simulated meter that answers; one object serves one line and may remember where in a conversation it is. */
export interface SimulatedAnswerer {
  /** What it sends upon these bytes, in order; bytes may come in pieces. */
  answers(bytes: Uint8Array, shown: ShownByMeter): readonly Uint8Array[];
  withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined;
}
