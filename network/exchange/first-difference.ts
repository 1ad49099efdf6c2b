import { equalBytes } from "../../attest/bytes.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import { type PeerTree, type Place, peakPlaces } from "./peer-tree.ts";

/**
 * The first leaf below `size` at which two trees differ, or undefined where they do not: by descending, in about as many
 * questions as the size has binary digits, divided by the levels of one answer. Afterwards `theirs` knows every node that
 * the proof of it needs.
 */
export async function firstDifference(
  { ours, theirs }: { readonly ours: NodeSource; readonly theirs: PeerTree },
  size: number,
): Promise<number | undefined> {
  const differs = async ({ level, index }: Place): Promise<boolean> =>
    !equalBytes(await theirs.node({ level, index }), ours.subtree(level, index));
  let first: Place | undefined;
  // All of them are asked for, because the fault's builder hashes both trees up to that size.
  for (const place of peakPlaces(size)) if ((await differs(place)) && first === undefined) first = place;
  if (first === undefined) return undefined;
  let at: Place = first;
  while (at.level > 0) {
    const left = { level: at.level - 1, index: 2 * at.index };
    at = (await differs(left)) ? left : { level: left.level, index: left.index + 1 };
  }
  return at.index;
}
