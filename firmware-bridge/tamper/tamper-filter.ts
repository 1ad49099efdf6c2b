import type { TamperState } from "./tamper.ts";

export interface TamperFilterSettings {
  /** A contact that is open for a shorter time has bounced. */
  readonly openedNs: bigint;
  /** It has to stay closed for so long to be closed: an enclosure that rattles is one opening, and one leaf. */
  readonly closedNs: bigint;
}

export interface TamperChange {
  readonly state: TamperState;
  /** When the level changed, not when it was believed. */
  readonly sinceNs: bigint;
}

/** Levels of a contact, made into openings and closings. It has no timer: whoever has one asks {@link settle}. */
export class TamperFilter {
  readonly #settings: TamperFilterSettings;
  #state: TamperState;
  #level: TamperChange;

  /** With a state that was looked at, and is believed. */
  constructor(settings: TamperFilterSettings, looked: TamperChange) {
    this.#settings = settings;
    this.#state = looked.state;
    this.#level = looked;
  }

  get state(): TamperState {
    return this.#state;
  }

  /** One edge; with what has been true before it for long enough. */
  push(edge: TamperChange): TamperChange | undefined {
    const before = this.settle(edge.sinceNs);
    // The same level again: an edge in between was lost, and with it the time.
    if (edge.state !== this.#level.state) this.#level = edge;
    return before;
  }

  /** What has become true by that time, once. */
  settle(nowNs: bigint): TamperChange | undefined {
    const dueNs = this.dueNs();
    if (dueNs === undefined || nowNs < dueNs) return undefined;
    this.#state = this.#level.state;
    return this.#level;
  }

  /** When {@link settle} has something to say, if the level stays. */
  dueNs(): bigint | undefined {
    const { state, sinceNs } = this.#level;
    if (state === this.#state) return undefined;
    return sinceNs + (state === "opened" ? this.#settings.openedNs : this.#settings.closedNs);
  }
}
