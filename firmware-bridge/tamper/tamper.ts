import type { Problem } from "../../attest/problem.ts";

/** The states of a tamper leaf (attest/leaf.ts, `Tamper.state`). */
export const TAMPER_STATES = { opened: 1, closed: 2, unwatched: 3 } as const;

/** What is sealed of an enclosure. */
export type SealedTamperState = keyof typeof TAMPER_STATES;

/** What is seen of an enclosure. That nobody sees it is a problem, and no event. */
export type TamperState = Exclude<SealedTamperState, "unwatched">;

/** What is known of an enclosure, to be sealed as one leaf. */
export interface TamperEvent {
  /** The installer's name of the input, at most 128 bytes: `Tamper.input`. */
  readonly input: string;
  readonly state: TamperState;
  /**
   * `watching`: what it is now that somebody looks; before that nobody did. `edge`: it was seen to change. `found`: it had
   * changed when somebody looked again, within the time between two looks.
   */
  readonly how: "watching" | "edge" | "found";
  /** How long ago, by a clock that is never set; of `found` at the most. Absent of `watching`: nobody knows since when. */
  readonly agoMs?: number;
  /** Of `watching`: for how long nobody had watched; absent at the start, when the log knows better. */
  readonly unwatchedMs?: number;
}

export interface TamperListener {
  onTamper(event: TamperEvent): void;
  /** Nobody watches any more; it is tried again by itself, and an event says when somebody does. */
  onProblem(problem: Problem): void;
}

/** One input that watches an enclosure. */
export interface TamperInput {
  /** The first event says the state; without one, `onProblem` says why. */
  start(listener: TamperListener): void;
  /** Never throws, may be called twice. */
  stop(): Promise<void>;
}
