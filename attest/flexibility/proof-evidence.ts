import type { ChannelManifest, Discontinuity, IntervalClose } from "../leaf.ts";
import type { Commitment } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import type { ShownLife } from "./proof-life.ts";
import type { Settled, SettlementEvidence } from "./settle-types.ts";

/** What a settlement is computed from, out of what a proof shows. */
export function evidenceOf(
  { commitment, order, terms, dispatches, acknowledgements }: ShownLife,
  metered: {
    readonly closes: readonly IntervalClose[];
    readonly discontinuities: readonly Discontinuity[];
    readonly meters?: ReadonlyMap<number, ChannelManifest>;
  },
): SettlementEvidence {
  const calls = dispatches.map((dispatch) => ({
    // The node's word says which commitment it is under, whether or not the device says so, too.
    ...{ leaf: { ...dispatch.leaf, commitmentSeq: commitment.seq }, order: dispatch.order },
    acknowledgements: acknowledgements.filter(({ orderSeq }) => orderSeq === dispatch.leaf.seq),
  }));
  return { commitment, order, terms, calls, ...metered };
}

/** From when to when closes must be shown. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The end of the last interval of a commitment. */
export function endOf({ fromMs, intervalMs, deltaMwh }: Commitment): number {
  return fromMs + intervalMs * deltaMwh.length;
}

/** What a settlement has looked at: the event at least, also where nothing was called. */
export function spanOf(commitment: Commitment, settled: Settled): Span {
  const { lookedBackToMs = commitment.fromMs, lookedAheadToMs = endOf(commitment) } = settled;
  return {
    fromMs: Math.min(lookedBackToMs, commitment.fromMs),
    toMs: Math.max(lookedAheadToMs, endOf(commitment)),
  };
}

/**
 * Nothing that the settlement looks at may lie beyond the closes, or a prover would choose the days of a baseline, and
 * what the device did last would be as good as dark. Throws `settlement-history` or `settlement-open`.
 */
export function requireSpan(
  closes: readonly IntervalClose[],
  commitment: Commitment,
  { fromMs, toMs }: Span,
): void {
  const [first] = closes;
  const last = closes.at(-1);
  if (first === undefined || (first.previousCloseSeq !== undefined && first.t0Ms > fromMs))
    throw new Problem("settlement-history", "the closes begin later than the baseline looks back", {
      expected: `one from ${fromMs} or before, or the channel's first`,
      got: first === undefined ? "none" : `close ${first.seq} from ${first.t0Ms}`,
    });
  if (last === undefined || last.t1Ms < toMs || last.seq < commitment.seq)
    throw new Problem("settlement-open", "the closes end before the event and its rebound do", {
      expected: `one to ${toMs} or later, behind the commitment`,
      got: last === undefined ? "none" : `close ${last.seq} to ${last.t1Ms}`,
    });
}
