/** What an output does when nobody commands it. */
export interface RelayStates {
  readonly onStart: boolean;
  readonly onExit: boolean;
  /** When the agent has been silent for longer than the lease. */
  readonly onLoss: boolean;
}

/**
 * One output: a contactor, an inhibit line, or one of SG Ready's two contacts. Every command is a lease that
 * must be renewed; the process that holds the pin drops the relay by itself when it is not.
 */
export interface Relay {
  readonly states: RelayStates;
  /** Least time between two changes, ms. A command within it is refused with `relay-dwell`. */
  readonly dwellMs: number;
  /** Switches for at most `leaseMs`; throws a Problem `relay-…`. */
  set(closed: boolean, leaseMs: number): Promise<void>;
  /** The contact's state as read back, not as commanded. */
  readBack(): Promise<boolean>;
  /** Goes to `states.onExit`. May be called twice. */
  close(): Promise<void>;
}
