/** Which contacts are closed: the first one is bit 0. */
export type Position = number;

/** What an output does when nobody commands it. */
export interface RelayStates {
  /** From the start on, and whenever no lease runs. */
  readonly onStart: Position;
  /** Set before the lines are let go of at a regular end. */
  readonly onExit: Position;
  /** When the agent has been silent for too long, has ended without a word, or the process that holds the lines has. */
  readonly onLoss: Position;
}

/** Why an output is where it is. `ending`: the lease is over, and the dwell time is not. */
export type PositionReason = "start" | "lease" | "ending" | "ended" | "lost";

/** What the process that holds the lines says: what it drives, not what a contact does. */
export interface RelayShown {
  readonly position: Position;
  readonly why: PositionReason;
  /** Of a lease that runs. */
  readonly leaseMs?: number;
  /** Until the output may leave its position; absent when it may. */
  readonly dwellMs?: number;
}

/**
 * One output of one contact or more: a contactor, an inhibit line, SG Ready's two contacts. Every command is a lease that
 * must be renewed; the process that holds the lines ends it by itself when it is not.
 */
export interface Relay {
  readonly states: RelayStates;
  /**
   * Takes a position for at most `leaseMs`, and resolves when the lines are there. The same position again is a renewal.
   *
   * @throws Problem `relay-dwell` before the position that it is in has lasted its least time, `relay-position`, `relay-lease`, `relay-not-held`
   */
  set(position: Position, leaseMs: number): Promise<RelayShown>;
  /** Ends the lease; the output goes back when the dwell time is over. */
  release(): Promise<RelayShown>;
  /** @throws Problem `relay-not-held` */
  shown(): Promise<RelayShown>;
}
