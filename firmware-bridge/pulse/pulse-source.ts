/** The newest pulses that were counted without a break, which power follows from. */
export interface RecentPulses {
  /** How many intervals lie in the span: one less than the pulses at its ends and between. */
  readonly intervals: number;
  /** From the first of these pulses to the last, ns, by the kernel's time of the edges. */
  readonly spanNs: bigint;
  /** When the last one began: monotonic, ns. */
  readonly lastNs: bigint;
}

/** What a counter shows at one instant. */
export interface PulseCount {
  /** Counted since the register file was made, across restarts. Never falls, and is on disk before it is told. */
  readonly count: number;
  /** When that was: monotonic, ns, the same clock as the edges'. */
  readonly atNs: bigint;
  /** Absent until two pulses were counted since this counter began. */
  readonly recent?: RecentPulses;
  /** Since this counter began: pulses that were too short, and edges to the level that the line was already known to have. */
  readonly tooShort: number;
  readonly repeated: number;
}

/** A stretch in which nobody counted. It is a stated gap in the log, never interpolated. */
export interface CountingGap {
  /** Last time at which the count is known, ms since 1970 UTC by the clock of that moment. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PulseReading extends PulseCount {
  /** Gaps that ended since the reading before, each told once. */
  readonly gaps: readonly CountingGap[];
  /** What else has to be said, in words, once. */
  readonly notes: readonly string[];
}

/**
 * Counts the pulses of an S0 output (IEC 62053-31). Counting happens in a process that does nothing else, because a
 * busy event loop loses pulses. Nothing is sent unasked, so however long nobody asks, nothing piles up and nothing is lost.
 */
export interface PulseSource {
  /** Begins to count; throws a Problem `pulse-…` when the line or the register file cannot be had. */
  start(): Promise<void>;
  /** Throws a Problem `pulse-…` while nobody counts; counting is taken up again by itself. */
  read(): Promise<PulseReading>;
  /** Stops counting and begins a gap. Never throws, may be called twice. */
  stop(): Promise<void>;
}
