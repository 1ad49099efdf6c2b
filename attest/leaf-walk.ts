import type { Leaf, ReadingLeaf } from "./leaf.ts";
import { decodeAnyLeafAt } from "./leaf-codec.ts";
import type { LeafRules } from "./leaf-rules.ts";
import { Problem } from "./problem.ts";
import { ReadingScan } from "./reading-scan.ts";
import type { Suite } from "./suite.ts";
import { leafHash } from "./tree.ts";
import { hashLeaves } from "./tree-level.ts";

/** Leaves that were found lawful, in log order. Only those that are no readings are there as objects. */
export interface VerifiedLeaves {
  /** All of them back to back, as they are in the log (RFC 8742). */
  readonly bytes: Uint8Array;
  /** Offset behind each leaf. */
  readonly ends: Uint32Array;
  /** Tree hash of each leaf, 32 bytes, back to back. */
  readonly hashes: Uint8Array;
  readonly others: readonly Exclude<Leaf, ReadingLeaf>[];
  /** The latest time of any of them, ms; 0 when there are none. */
  readonly latestMs: number;
}

const scan = new ReadingScan();

/**
 * Lets `rules` judge leaves that stand back to back, and hashes them: readings in place, all others decoded. `bytes`
 * are kept. Throws the fault of the first leaf that is wrong, naming its number, or `batch-size`; `rules` have then
 * taken the leaves before it.
 */
export function walkLeaves(
  suite: Suite,
  rules: LeafRules,
  { bytes, mostLeaves }: { readonly bytes: Uint8Array; readonly mostLeaves: number },
): VerifiedLeaves {
  const others: Exclude<Leaf, ReadingLeaf>[] = [];
  const ends: number[] = [];
  let latestMs = 0;
  for (let at = 0; at < bytes.length; ends.push(at)) {
    if (ends.length === mostLeaves) throw tooMany(mostLeaves);
    const isRead = scan.read(bytes, at);
    let timeMs: number;
    if (isRead && rules.takeReading(scan)) {
      at = scan.end;
      timeMs = scan.timeMs;
    } else {
      const next = judgeNext(suite, rules, { bytes, at, isRead });
      at = next.end;
      timeMs = next.leaf.timeMs;
      if (next.leaf.kind !== "reading") others.push(next.leaf);
    }
    if (timeMs > latestMs) latestMs = timeMs;
  }
  const parts = { bytes, ends: new Uint32Array(ends) };
  return { ...parts, hashes: hashLeaves(suite, parts), others, latestMs };
}

interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
  /** Whether `scan` has read the leaf there. */
  readonly isRead: boolean;
}

/** The general way: any kind of leaf, and every refusal. */
function judgeNext(
  suite: Suite,
  rules: LeafRules,
  { bytes, at, isRead }: Place,
): { readonly leaf: Leaf; readonly end: number } {
  try {
    const next = isRead ? { leaf: scan.leaf(bytes), end: scan.end } : decodeAnyLeafAt(bytes, at);
    const { leaf, end } = next;
    const isTaken = !isRead && leaf.kind === "reading" && rules.takeReading(scan.of(leaf));
    if (!isTaken) rules.judge(leaf, () => leafHash(suite, bytes.subarray(at, end)));
    return next;
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem(cause.code, cause.message, { where: `leaf ${rules.size}`, cause });
  }
}

function tooMany(mostLeaves: number): Problem {
  return new Problem("batch-size", "too many leaves in one batch", {
    expected: `at most ${mostLeaves}`,
  });
}
