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
  /** There since the clock was lost within the chain, until its next close. */
  readonly bridge?: Bridge;
}

/** How a chain goes on over a time that no clock has measured. */
export interface Bridge {
  /** Where the chain stood on the clock before, UTC. */
  readonly t0Ms: number;
  /** The last clock step onto a clock that is not known: no reading before it has a place on the clock since. */
  readonly lostSeq: number;
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
  if (!chain.t0Known || isAdrift(chain, last)) return undefined;
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
  return closeBody(chain, last, { t1Ms, shape: coarseBit(chain, t1Ms, intervalMs) });
}

/** The partial close that ends `chain` at its last good register, before a discontinuity. */
export function closeAtBreak(chain: Chain, last: RegisterPoint, intervalMs: number): CloseBody {
  const t1Ms = last.timeMs;
  return closeBody(chain, last, {
    t1Ms,
    shape: CLOSE_SHAPE.endsChain | coarseBit(chain, t1Ms, intervalMs),
  });
}

/**
 * Whether a break after `last` must first close what `chain` has counted since it opened or last closed. Told by
 * place and not by time: two readings at one instant may show different registers.
 */
export function needsBreakClose(chain: Chain, last: RegisterPoint): boolean {
  return chain.t0Known && last.seq !== chain.opening.seq && !isAdrift(chain, last);
}

/** Whether the clock was lost within `chain` and has not been found behind where the chain stood before. */
export function isBridged({ bridge, t0Known, t0Ms }: Chain): boolean {
  return t0Known && bridge !== undefined && bridge.t0Ms <= t0Ms;
}

/** Whether `last` was read before the clock was lost: nobody knows how long ago, and no close may end there. */
export function isAdrift(chain: Chain, last: RegisterPoint): boolean {
  return isBridged(chain) && last.seq < (chain.bridge?.lostSeq ?? 0);
}

/** `chain` as if every clock in it had been known: what versions before bridges made of it. */
export function withoutBridge({ bridge: _, ...chain }: Chain): Chain {
  return chain;
}

/** A chain that begins at `opening`; `t0Ms` is its time unless an earlier chain closed later than that. */
export function openChain(opening: RegisterPoint, t0Ms: number, t0Known: boolean): Chain {
  return { t0Ms, t0Known, opening, opens: true, count: 0, statusUnion: 0 };
}

/** `chain` behind its close at `t1Ms`. */
export function chainAfterClose(last: RegisterPoint, t1Ms: number): Chain {
  return { t0Ms: t1Ms, t0Known: true, opening: last, opens: false, count: 0, statusUnion: 0 };
}

function beginOf(chain: Chain): number {
  return isBridged(chain) ? (chain.bridge?.t0Ms ?? chain.t0Ms) : chain.t0Ms;
}

function coarseBit(chain: Chain, t1Ms: number, intervalMs: number): number {
  return t1Ms - boundaryAtOrBefore(beginOf(chain), intervalMs) > intervalMs ? CLOSE_SHAPE.coarse : 0;
}

function chainBits(chain: Chain): number {
  const opens = chain.opens ? CLOSE_SHAPE.opensChain : 0;
  return opens | (isBridged(chain) ? CLOSE_SHAPE.bridges : 0);
}

function closeBody(
  chain: Chain,
  last: RegisterPoint,
  end: { readonly t1Ms: number; readonly shape: number },
): CloseBody {
  const shape = end.shape | chainBits(chain);
  return {
    t0Ms: beginOf(chain),
    t1Ms: end.t1Ms,
    openingSeq: chain.opening.seq,
    closingSeq: last.seq,
    count: chain.count,
    ...registerSpan("Import", chain.opening.importMwh, last.importMwh),
    ...registerSpan("Export", chain.opening.exportMwh, last.exportMwh),
    ...(chain.minPowerMw === undefined ? {} : { minPowerMw: chain.minPowerMw }),
    ...(chain.maxPowerMw === undefined ? {} : { maxPowerMw: chain.maxPowerMw }),
    ...(chain.statusUnion === 0 ? {} : { statusUnion: chain.statusUnion }),
    ...(shape === 0 ? {} : { shape }),
  };
}

function registerSpan(name: "Import" | "Export", opening?: number, closing?: number): Partial<CloseBody> {
  if (opening === undefined || closing === undefined) return {};
  return name === "Import"
    ? { openingImportMwh: opening, closingImportMwh: closing }
    : { openingExportMwh: opening, closingExportMwh: closing };
}
