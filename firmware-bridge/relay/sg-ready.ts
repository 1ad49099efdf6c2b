import type { PositionTimes } from "./output-rules.ts";
import type { Position, Relay, RelayShown, RelayStates } from "./relay.ts";

export type SgReadyState = "blocked" | "normal" | "advised" | "ordered";

/**
 * The four states of the SG Ready label (regulations of the Bundesverband Waermepumpe, section 2.1; the same in SMA's manual EDMM-10,
 * "Configuration of SG Ready interface"), with the contacts that stand for them: first and second of the pair.
 */
export const SG_READY: Readonly<Record<SgReadyState, Position>> = {
  /** State 1, contacts 1:0: the heat pump does not run, for two hours at the most. */
  blocked: 0b01,
  /** State 2, contacts 0:0: as if nobody commanded anything. */
  normal: 0b00,
  /** State 3, contacts 0:1: it is advised to take more, and may not. */
  advised: 0b10,
  /** State 4, contacts 1:1: it is told to start, as far as its own limits let it. */
  ordered: 0b11,
};

const TWO_HOURS_MS = 7_200_000;
/** The label names no rest between two blocks. This is as long as the least time of a state that is not configured. */
const LEAST_REST_MS = 600_000;

/** Nobody commands it: normal operation, whatever happened. */
export const SG_READY_STATES: RelayStates = {
  onStart: SG_READY.normal,
  onExit: SG_READY.normal,
  onLoss: SG_READY.normal,
};

/** Every state lasts `leastMs` at the least, the block two hours at the most, and then it rests. */
export function sgReadyTimes(leastMs: number): readonly PositionTimes[] {
  return [0b00, 0b01, 0b10, 0b11].map((position) =>
    position === SG_READY.blocked
      ? { leastMs, mostMs: TWO_HOURS_MS, restMs: Math.max(leastMs, LEAST_REST_MS) }
      : { leastMs },
  );
}

/** A heat pump with SG Ready's two contacts, in the words of the label. */
export class SgReady {
  readonly #relay: Relay;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  /** Throws what {@link Relay.set} does. */
  async set(state: SgReadyState, leaseMs: number): Promise<RelayShown> {
    return await this.#relay.set(SG_READY[state], leaseMs);
  }

  /** Back to normal, when the dwell time is over. */
  async release(): Promise<RelayShown> {
    return await this.#relay.release();
  }

  /** The state that the contacts are driven to, not what the heat pump makes of it. */
  async state(): Promise<SgReadyState> {
    return sgReadyState((await this.#relay.shown()).position);
  }
}

export function sgReadyState(position: Position): SgReadyState {
  if (position === SG_READY.blocked) return "blocked";
  if (position === SG_READY.advised) return "advised";
  return position === SG_READY.ordered ? "ordered" : "normal";
}
