import { CLOSE_SHAPE, type IntervalClose } from "./leaf.ts";

/**
 * When an interval closes and on which registers. Pure arithmetic that the sealing agent and every verifier
 * share, so that there is one close for one history.
 */

/** The registers of one reading, with its place in the log. */
export interface RegisterPoint {
  readonly seq: number;
  readonly timeMs: number;
  readonly importMwh?: number;
  readonly exportMwh?: number;
}

/** A run of closes without a break: each begins where the one before ended. */
export interface Chain {
  readonly t0Ms: number;
  /** False while t0 is ms since boot because the clock was not known. */
  readonly t0Known: boolean;
  readonly opening: RegisterPoint;
  /** True until the first close of the chain is written. */
  readonly opens: boolean;
  readonly count: number;
  readonly minPowerMw?: number;
  readonly maxPowerMw?: number;
  readonly statusUnion: number;
}

export interface IntervalRule {
  /** Market interval, ms, UTC-aligned. */
  readonly intervalMs: number;
  readonly samplingMs: number;
}

/** The numbers of a close, before it has a place in the log. */
export type CloseBody = Pick<
  IntervalClose,
  | "t0Ms"
  | "t1Ms"
  | "openingImportMwh"
  | "closingImportMwh"
  | "openingExportMwh"
  | "closingExportMwh"
  | "openingSeq"
  | "closingSeq"
  | "count"
  | "minPowerMw"
  | "maxPowerMw"
  | "statusUnion"
  | "shape"
>;

/**
 * How long before a boundary its reading may lie, ms: max(2 sampling intervals, 30 s), and never more than half
 * an interval, so that no reading can stand for two boundaries.
 */
export function boundaryToleranceMs(rule: IntervalRule): number {
  return Math.min(Math.max(2 * rule.samplingMs, 30_000), Math.floor(rule.intervalMs / 2));
}

/** A pause longer than this, ms, needs a gap discontinuity or a clock step: max(3 intervals, 60 s). */
export function longestPauseMs(intervalMs: number): number {
  return Math.max(3 * intervalMs, 60_000);
}

/** The first interval boundary at or after `timeMs`. */
export function boundaryAtOrAfter(timeMs: number, intervalMs: number): number {
  const over = timeMs % intervalMs; // exact, which a quotient of large numbers is not
  return over > 0 ? timeMs - over + intervalMs : timeMs - over;
}

/** The last interval boundary at or before `timeMs`. */
function boundaryAtOrBefore(timeMs: number, intervalMs: number): number {
  const over = timeMs % intervalMs;
  return over < 0 ? timeMs - over - intervalMs : timeMs - over;
}

/**
 * The boundary at which `chain` must close before anything later than it may be said, given its last reading:
 * the first boundary at or after that reading, if the reading lies near enough before it, it is over at
 * `nowMs`, and the chain has not closed there already. Undefined when nothing is due.
 */
export function dueBoundary(
  chain: Chain,
  last: RegisterPoint,
  rule: IntervalRule,
  nowMs: number,
): number | undefined {
  if (!chain.t0Known) return undefined;
  const boundary = boundaryAtOrAfter(last.timeMs, rule.intervalMs);
  if (boundary >= nowMs || boundary <= chain.t0Ms) return undefined;
  return boundary - last.timeMs <= boundaryToleranceMs(rule) ? boundary : undefined;
}

/** The close of `chain` at boundary `t1Ms`. */
export function closeAtBoundary(
  chain: Chain,
  last: RegisterPoint,
  t1Ms: number,
  intervalMs: number,
): CloseBody {
  const first = boundaryAtOrBefore(chain.t0Ms, intervalMs);
  const coarse = t1Ms - first > intervalMs ? CLOSE_SHAPE.coarse : 0;
  return closeBody(chain, last, { t1Ms, shape: coarse | opensBit(chain) });
}

/** The partial close that ends `chain` at its last good register, before a discontinuity. */
export function closeAtBreak(chain: Chain, last: RegisterPoint, intervalMs: number): CloseBody {
  const first = boundaryAtOrBefore(chain.t0Ms, intervalMs);
  const coarse = last.timeMs - first > intervalMs ? CLOSE_SHAPE.coarse : 0;
  return closeBody(chain, last, {
    t1Ms: last.timeMs,
    shape: CLOSE_SHAPE.endsChain | coarse | opensBit(chain),
  });
}

/**
 * Whether a break after `last` must first close what `chain` has counted since it opened or last closed. Told by
 * place and not by time: two readings at one instant may show different registers.
 */
export function needsBreakClose(chain: Chain, last: RegisterPoint): boolean {
  return chain.t0Known && last.seq !== chain.opening.seq;
}

/** A chain that begins at `opening`; `t0Ms` is its time unless an earlier chain closed later than that. */
export function openChain(opening: RegisterPoint, t0Ms: number, t0Known: boolean): Chain {
  return { t0Ms, t0Known, opening, opens: true, count: 0, statusUnion: 0 };
}

/** `chain` behind its close at `t1Ms`. */
export function chainAfterClose(last: RegisterPoint, t1Ms: number): Chain {
  return { t0Ms: t1Ms, t0Known: true, opening: last, opens: false, count: 0, statusUnion: 0 };
}

function opensBit(chain: Chain): number {
  return chain.opens ? CLOSE_SHAPE.opensChain : 0;
}

function closeBody(
  chain: Chain,
  last: RegisterPoint,
  end: { readonly t1Ms: number; readonly shape: number },
): CloseBody {
  return {
    t0Ms: chain.t0Ms,
    t1Ms: end.t1Ms,
    openingSeq: chain.opening.seq,
    closingSeq: last.seq,
    count: chain.count,
    ...registerSpan("Import", chain.opening.importMwh, last.importMwh),
    ...registerSpan("Export", chain.opening.exportMwh, last.exportMwh),
    ...(chain.minPowerMw === undefined ? {} : { minPowerMw: chain.minPowerMw }),
    ...(chain.maxPowerMw === undefined ? {} : { maxPowerMw: chain.maxPowerMw }),
    ...(chain.statusUnion === 0 ? {} : { statusUnion: chain.statusUnion }),
    ...(end.shape === 0 ? {} : { shape: end.shape }),
  };
}

function registerSpan(name: "Import" | "Export", opening?: number, closing?: number): Partial<CloseBody> {
  if (opening === undefined || closing === undefined) return {};
  return name === "Import"
    ? { openingImportMwh: opening, closingImportMwh: closing }
    : { openingExportMwh: opening, closingExportMwh: closing };
}
