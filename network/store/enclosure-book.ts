import { KNOWN_TIME, type Leaf, type Tamper } from "../../attest/leaf.ts";

/** `Tamper.state` of attest/leaf.ts. */
export const ENCLOSURE_STATES = { opened: 1, closed: 2, unwatched: 3 } as const;

/** Inputs of one log whose state is kept. An agent watches no more; a device can name any number. */
export const MOST_INPUTS = 8;

/** What a log says of one enclosure, as far as it has been read. Times are the device's own, ms. */
export interface EnclosureState {
  readonly input: string;
  /** Of the newest leaf of that input. */
  readonly seq: number;
  readonly state: number;
  readonly timeMs: number;
  readonly timeQuality: number;
  /** Of the first leaf of the run that says the same, which may lie in an earlier epoch. */
  readonly sinceMs: number;
  readonly sinceQuality: number;
  /** 1 when it was open when somebody last watched, 0 when it was closed; null when nobody has ever watched. */
  readonly knownOpen: number | null;
  /** How often it was found open and had not been before, in this epoch and those before it. */
  readonly openings: number;
}

/** Leaves of inputs that are not kept. */
export interface FurtherLeaves {
  readonly leaves: number;
  readonly opened: number;
}

/** What the device's earlier epochs say; they have ended. */
export interface EarlierEpochs {
  /** The input as the last of them that has it left it. */
  state(input: string): EnclosureState | undefined;
  /** Whether one of them has a tamper leaf of just that time. */
  hasLeafAt(timeMs: number): boolean;
}

/** The enclosures of one log, leaf after leaf. */
export class EnclosureBook {
  readonly #inputs: Map<string, EnclosureState>;
  readonly #earlier: EarlierEpochs;
  #further: FurtherLeaves;

  /** @param held how far the log has been read already */
  constructor(
    earlier: EarlierEpochs,
    held: { readonly inputs?: readonly EnclosureState[]; readonly further?: FurtherLeaves | undefined } = {},
  ) {
    this.#earlier = earlier;
    this.#inputs = new Map((held.inputs ?? []).map((one) => [one.input, one]));
    this.#further = held.further ?? { leaves: 0, opened: 0 };
  }

  get inputs(): ReadonlyMap<string, EnclosureState> {
    return this.#inputs;
  }

  get further(): FurtherLeaves {
    return this.#further;
  }

  /** Takes the log's next tamper leaf. */
  enter(leaf: Tamper): void {
    const known = this.#inputs.get(leaf.input);
    if (known === undefined && this.#inputs.size >= MOST_INPUTS) {
      const opened = this.#further.opened + (isOpened(leaf) ? 1 : 0);
      this.#further = { leaves: this.#further.leaves + 1, opened };
      return;
    }
    const before = known ?? this.#earlier.state(leaf.input);
    this.#inputs.set(leaf.input, this.#after(before, leaf));
  }

  #after(before: EnclosureState | undefined, leaf: Tamper): EnclosureState {
    const { input, seq, state, timeMs, timeQuality } = leaf;
    const goesOn = before !== undefined && before.state === state;
    const since = goesOn ? before : { sinceMs: timeMs, sinceQuality: timeQuality };
    const isOpening = isOpened(leaf) && before?.knownOpen !== 1 && !this.#isSaidAgain(leaf);
    return {
      ...{ input, seq, state, timeMs, timeQuality },
      ...{ sinceMs: since.sinceMs, sinceQuality: since.sinceQuality },
      knownOpen: knownOpen(state) ?? before?.knownOpen ?? null,
      openings: (before?.openings ?? 0) + (isOpening ? 1 : 0),
    };
  }

  /**
   * An epoch appends again, with its own time, what lies above the size that the one before was receipted to (evidence
   * format, "Breaks"); where the receipt was lost, that is stored here twice.
   */
  #isSaidAgain({ timeMs, timeQuality }: Tamper): boolean {
    return timeQuality >= KNOWN_TIME && this.#earlier.hasLeafAt(timeMs);
  }
}

/** Those of leaves that are about enclosures. */
export function tamperLeaves(leaves: readonly Leaf[]): readonly Tamper[] {
  return leaves.filter((leaf) => leaf.kind === "tamper");
}

export function isOpened({ state }: Tamper): boolean {
  return state === ENCLOSURE_STATES.opened;
}

/** Undefined for a state that says neither: unwatched, and what this version does not know. */
function knownOpen(state: number): number | undefined {
  if (state === ENCLOSURE_STATES.opened) return 1;
  return state === ENCLOSURE_STATES.closed ? 0 : undefined;
}
