import { BOUNDARY, type Commitment } from "./leaf-flexibility.ts";
import { Problem } from "./problem.ts";

/** A commitment that has not ended, as far as the next one has to know it. */
export interface OpenCommitment {
  readonly seq: number;
  readonly channel: number;
  readonly boundary: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Most commitments that may be open at one time. */
const MAX_OPEN = 64;

/**
 * Those that end after `nowMs`, and one in place of all the others, over the whole boundary and all time to the last of
 * their ends: a leaf whose clock was ahead must not make room for what was committed already. They are let go only by the
 * next one, so that who read them back judges alike.
 */
function openAt(commitments: readonly OpenCommitment[], nowMs: number): readonly OpenCommitment[] {
  const over = commitments.filter(({ toMs }) => toMs <= nowMs);
  const [first] = over;
  if (first === undefined) return commitments;
  const last = over.reduce((latest, each) => (each.toMs > latest.toMs ? each : latest), first);
  const past = { ...last, boundary: BOUNDARY.site, fromMs: 0 };
  return [past, ...commitments.filter(({ toMs }) => toMs > nowMs)];
}

/**
 * Those that are open behind a commitment leaf. One device is bound once for one time, and the site's boundary holds
 * those of its devices. Throws `commitment-overlap`, `commitment-interval` or `commitments`.
 */
export function withCommitment(
  known: readonly OpenCommitment[],
  { seq, channel, boundary, fromMs, intervalMs, deltaMwh, timeMs }: Commitment,
): readonly OpenCommitment[] {
  const next = { seq, channel, boundary, fromMs, toMs: fromMs + intervalMs * deltaMwh.length };
  if (intervalMs < 1 || fromMs % intervalMs !== 0 || !Number.isSafeInteger(next.toMs))
    throw new Problem("commitment-interval", "a commitment is of whole intervals", {
      where: `leaf ${seq}`,
      expected: "a beginning at a multiple of the interval's length",
      got: `${fromMs} by ${intervalMs}`,
    });
  const open = openAt(known, timeMs);
  const other = open.find((each) => isSharedWith(each, next));
  if (other !== undefined)
    throw new Problem("commitment-overlap", "the boundary is committed for that time already", {
      where: `leaf ${seq}`,
      expected: `nothing between ${other.fromMs} and ${other.toMs}, which leaf ${other.seq} commits`,
      got: `${next.fromMs} to ${next.toMs}`,
    });
  if (open.filter(({ toMs }) => toMs > timeMs).length >= MAX_OPEN)
    throw new Problem("commitments", "too many commitments are open", { expected: `at most ${MAX_OPEN}` });
  return [...open, next];
}

/** Whether two commitments promise energy of one boundary, or of one within the other, for one time. */
export function isSharedWith(
  one: Pick<OpenCommitment, "channel" | "boundary" | "fromMs" | "toMs">,
  other: Pick<OpenCommitment, "channel" | "boundary" | "fromMs" | "toMs">,
): boolean {
  const isNested = one.channel === other.channel || isSite(one) || isSite(other);
  return isNested && one.fromMs < other.toMs && other.fromMs < one.toMs;
}

function isSite({ boundary }: Pick<OpenCommitment, "boundary">): boolean {
  return boundary === BOUNDARY.site;
}
