/** One edge that was counted, with the kernel's own time of it. */
export interface Pulse {
  /** Counted since the source was installed, across restarts. Never falls. */
  readonly count: number;
  /** Monotonic, ns, as the kernel stamped the edge. */
  readonly kernelTimeNs: bigint;
}

/** A stretch in which nobody counted. It is a stated gap in the log, never interpolated. */
export interface CountingGap {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Counts the pulses of an S0 output (EN 62053-31; pulses from 30 ms). Counting happens in a process that does
 * nothing else, because a busy event loop loses pulses.
 */
export interface PulseSource {
  /** Starts counting; throws a Problem `pulse-…` when the line cannot be had. */
  start(listener: PulseListener): Promise<void>;
  /** Pulses counted so far, durable across restarts. */
  count(): number;
  /** Stops counting and begins a gap. May be called twice. */
  stop(): Promise<void>;
}

export interface PulseListener {
  onPulse(pulse: Pulse): void;
  onGap(gap: CountingGap): void;
  onProblem(problem: Error): void;
}
