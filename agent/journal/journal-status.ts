import type { FramesStatus } from "./frames.ts";

/**
 * - `ok`: everything is written
 * - `slow`: room is short, and not every sample is sealed
 * - `full`: the reserve is in use
 * - `lost`: no file takes anything; what is sealed waits in memory
 * - `takes-over`: an epoch was begun, and leaves of the one before are being appended first
 */
export type JournalState = "ok" | "slow" | "full" | "lost" | "takes-over";

/** How the journal stands, for people. */
export interface JournalStatus {
  readonly state: JournalState;
  /** Bytes that readings may still take; absent while no file can be asked. */
  readonly leftBytes?: number;
  /** One sample of so many is sealed, and the last one of each interval; 0: none. */
  readonly pace: number;
  /** Samples that were left out, since the start. */
  readonly leftOut: number;
  /** Readings that were released, since the start. */
  readonly released: number;
  readonly frames: FramesStatus;
  /** Why the state is not `ok`, where something failed. */
  readonly problem?: string;
}
