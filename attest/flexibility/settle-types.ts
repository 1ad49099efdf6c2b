import type { Adjustment } from "../baseline/adjustment.ts";
import type { ExcludedDay } from "../baseline/like-days.ts";
import type { ChannelManifest, Discontinuity, IntervalClose } from "../leaf.ts";
import type { Acknowledgement, Commitment, Dispatch } from "../leaf-flexibility.ts";
import type { CommitmentOrder, DispatchOrder } from "./orders.ts";
import type { FlexTerms } from "./terms.ts";

/** What a settlement is computed from, and what comes out: docs/flexibility.md, "Settlement". */

/** A dispatch under the commitment, and what the device answered to it. */
export interface Call {
  readonly leaf: Dispatch;
  /** What the node signed in it, opened. */
  readonly order: DispatchOrder;
  readonly acknowledgements: readonly Acknowledgement[];
}

export interface SettlementEvidence {
  readonly commitment: Commitment;
  /** Its counterparty, opened. */
  readonly order: CommitmentOrder;
  /** Those of the order, decoded. */
  readonly terms: FlexTerms;
  /**
   * Of the commitment's channel, by seq, none left out: from the oldest that is shown to one that ends with the rebound
   * or later. Where they end before that, what is not shown counts as missing.
   */
  readonly closes: readonly IntervalClose[];
  /** Of the same channel, by seq: every one that happened during the event, or that a gap into it rests on. */
  readonly discontinuities: readonly Discontinuity[];
  /** Those that the closes name, by the seq under which they do. */
  readonly meters?: ReadonlyMap<number, ChannelManifest>;
  readonly calls: readonly Call[];
}

/** Something that a reader must know, with a stable code. */
export interface Remark {
  readonly code: string;
  readonly message: string;
}

/** One interval of the commitment. */
export interface SettledInterval {
  readonly startMs: number;
  /** Whether a dispatch asked for it; one that was not called owes nothing and is in no total. */
  readonly called: boolean;
  /** Absent where there is no baseline. */
  readonly baselineMwh?: number;
  readonly actualMwh?: number;
  readonly committedMwh: number;
  /** reduce: baseline - actual; increase: actual - baseline. */
  readonly deliveredMwh?: number;
  readonly countedMwh: number;
  /** Why there is no actual energy: dark since before the notice, or since later. */
  readonly missing?: "gap-before-notice" | "gap";
}

/** The baseline of one local day of the event. */
export interface SettledDay {
  /** Days since 1970 in the terms' time zone. */
  readonly day: number;
  readonly usedDays: readonly number[];
  readonly excludedDays: readonly ExcludedDay[];
  readonly adjustment: Adjustment;
}

/** Over the intervals that were called. */
export interface SettledTotals {
  readonly committedMwh: number;
  /** 0 where there is no baseline. */
  readonly baselineMwh: number;
  /** Of the intervals that are there. */
  readonly actualMwh: number;
  /** Of the intervals that are there. */
  readonly deliveredMwh: number;
  readonly countedMwh: number;
  /** What was committed and does not count as delivered. */
  readonly shortfallMwh: number;
  /** What came back after the event: + undoes what was delivered. */
  readonly reboundMwh: number;
}

export interface Settled {
  /** False: no dispatch asked for any of it, and nothing is owed. */
  readonly called: boolean;
  /** A number of SETTLEMENT; absent where it was not called. */
  readonly result?: number;
  /** Why the result is what it is, where the energies do not say so. */
  readonly reason?: Remark;
  /** Name and version of the baseline. */
  readonly method: string;
  /** One for each local day of the event; none where there is no baseline. */
  readonly days: readonly SettledDay[];
  /** Of the whole commitment; empty where it was not called. */
  readonly intervals: readonly SettledInterval[];
  readonly totals: SettledTotals;
  /** Of the intervals that were called, how many are there, rounded down. */
  readonly completenessPpm: number;
  /**
   * The earliest time that was looked at: the closes must reach back to it, or to the first of the channel. Absent where
   * nothing was called.
   */
  readonly lookedBackToMs?: number;
  /** The end of the event and of its rebound: the last close should end here or later. */
  readonly lookedAheadToMs?: number;
  /** What a reader must see and what does not decide the result by itself. */
  readonly remarks: readonly Remark[];
}
