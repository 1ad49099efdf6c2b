import { equalBytes } from "../bytes.ts";
import type { ChannelManifest, Discontinuity, IntervalClose } from "../leaf.ts";
import { Problem } from "../problem.ts";
import type { NamedManifest } from "../proof-log.ts";
import { discontinuitiesBetween, requireContinued } from "../segments.ts";

/** What a settlement proof shows of the metered energy. */
export interface ShownClosesInput {
  readonly channel: number;
  /** By seq. */
  readonly closes: readonly IntervalClose[];
  readonly discontinuities: readonly Discontinuity[];
  readonly manifests: readonly NamedManifest[];
}

/** The closes of one channel, with nothing left out between the first and the last of them. */
export interface ShownCloses {
  readonly closes: readonly [IntervalClose, ...IntervalClose[]];
  readonly discontinuities: ReadonlyMap<number, Discontinuity>;
  /** By the seq under which closes name them. */
  readonly manifests: ReadonlyMap<number, ChannelManifest>;
}

/**
 * Checks that the closes are an unbroken list, each the previous one of the next, with all breaks between them and all
 * manifests that they name. Throws `proof-cover`, `proof-channel`, `proof-chain`, `proof-energy`, `proof-manifest`,
 * `proof-leaf` or `settlement-close-missing`.
 */
export function shownCloses(input: ShownClosesInput): ShownCloses {
  const { channel, manifests } = input;
  const [first, ...rest] = input.closes;
  if (first === undefined) throw new Problem("proof-cover", "the proof holds no close");
  const closes: ShownCloses["closes"] = [first, ...rest];
  const stray = [...closes, ...input.discontinuities].find((leaf) => leaf.channel !== channel);
  if (stray !== undefined)
    throw new Problem("proof-channel", `a ${stray.kind} is of another channel`, {
      where: `leaf ${stray.seq}`,
    });
  for (const close of closes) requireSound(close);
  const known = new Map(input.discontinuities.map((leaf) => [leaf.seq, leaf]));
  requireUnbroken(closes, known);
  return { closes, discontinuities: known, manifests: manifestsOf(closes, manifests) };
}

function requireUnbroken(closes: ShownCloses["closes"], known: ReadonlyMap<number, Discontinuity>): void {
  let [earlier] = closes;
  let used = 0;
  for (const later of closes.slice(1)) {
    used += breaksBetween(earlier, later, known).length;
    // A device that signs the same way back again and again must not keep its verifier busy.
    if (used > known.size) break;
    earlier = later;
  }
  if (used !== known.size)
    throw new Problem("proof-leaf", "the proof holds a discontinuity that is not between its closes");
}

/** A close does not end before it begins, in time or in a register, and what it names lies before it. */
function requireSound(close: IntervalClose): void {
  const { seq, t0Ms, t1Ms, openingSeq, closingSeq, lastDiscontinuitySeq = 0 } = close;
  if (t0Ms > t1Ms || openingSeq > closingSeq || closingSeq >= seq || lastDiscontinuitySeq >= seq)
    throw new Problem("proof-chain", "a close ends before it begins, or names what comes after it", {
      where: `close ${seq}`,
    });
  const { openingImportMwh = 0, closingImportMwh = openingImportMwh } = close;
  const { openingExportMwh = 0, closingExportMwh = openingExportMwh } = close;
  if (closingImportMwh >= openingImportMwh && closingExportMwh >= openingExportMwh) return;
  throw new Problem("proof-energy", "a register falls within a close", { where: `close ${seq}` });
}

/** Registers and time go on from one close to the next, but for stated breaks and for a clock that was set. */
function breaksBetween(
  earlier: IntervalClose,
  later: IntervalClose,
  known: ReadonlyMap<number, Discontinuity>,
): Discontinuity[] {
  if (later.previousCloseSeq !== earlier.seq)
    throw new Problem("settlement-close-missing", "a close was left out", {
      where: `close ${later.seq}`,
      expected: `previous close ${earlier.seq}`,
      got: String(later.previousCloseSeq),
    });
  const [a, b] = [earlier, later].map((close) => ({ first: close, last: close }));
  const breaks = a === undefined || b === undefined ? [] : discontinuitiesBetween(a, b, known);
  if (breaks.length === 0) requireContinued(earlier, later);
  if (later.t0Ms < earlier.t1Ms && later.lastClockStepSeq === earlier.lastClockStepSeq)
    throw new Problem("proof-chain", "a close begins before the one before it ended", {
      where: `close ${later.seq}`,
    });
  return breaks;
}

function manifestsOf(
  closes: readonly IntervalClose[],
  held: readonly NamedManifest[],
): ReadonlyMap<number, ChannelManifest> {
  const bySeq = new Map(held.map((named) => [named.manifest.seq, named]));
  const used = new Map<number, ChannelManifest>();
  for (const close of closes) {
    const named = bySeq.get(close.manifestSeq);
    if (
      named === undefined ||
      named.manifest.channel !== close.channel ||
      !equalBytes(named.hash, close.manifestHash)
    )
      throw new Problem("proof-manifest", "the channel manifest in force is missing or another one", {
        where: `leaf ${close.seq}`,
      });
    used.set(close.manifestSeq, named.manifest);
  }
  const inForce = [...used.keys()].sort((a, b) => a - b);
  if (String(inForce) !== String(held.map(({ manifest }) => manifest.seq)))
    throw new Problem("proof-leaf", "the proof holds other manifests than those in force, in order");
  return used;
}
