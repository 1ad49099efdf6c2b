import type { Indicated } from "../../firmware-bridge/indicator/indicated.ts";
import type { SealedTamperState } from "../../firmware-bridge/tamper/tamper.ts";

/** How an enclosure stands, as the log says. */
export interface EnclosureStatus {
  readonly name: string;
  /** Absent for the moment before somebody has looked. */
  readonly state?: SealedTamperState;
  /** When that was said, by the clock of then. */
  readonly sinceMs?: number;
  /** It has been closed, or watched, again for so long, which is not believed yet. */
  readonly betterForMs?: number;
  /** And is when it has lasted so much longer. */
  readonly believedInMs?: number;
  /** How often it was opened since the start, those among them of which the log says nothing of their own. */
  readonly openings: number;
  /** Leaves since the start. */
  readonly leaves: number;
  /** Leaves that the journal does not take now. */
  readonly waiting: number;
  /** Why nobody watches. */
  readonly problem?: string;
}

/** What the agent shows of enclosures and lamps. */
export interface PanelStatus {
  readonly enclosures: readonly EnclosureStatus[];
  /** What the lamps say, where there are any. */
  readonly lamps?: Indicated;
}
