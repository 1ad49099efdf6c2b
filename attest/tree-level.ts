import { concatBytes } from "./bytes.ts";
import type { Parts, Suite } from "./suite.ts";

/**
 * Many hashes of a tree (RFC 6962, 2.1) at a time, all of them back to back in one array and none an object of its
 * own. A suite without {@link Suite.sha256Parts} hashes them one after another.
 */

const LEAF = 0;
const NODE = 1;
const HASH_BYTES = 32;
const PAIR_BYTES = 64;

// Hashing is synchronous and keeps no reference to its input, so that one scratch array serves every message.
const input = new Uint8Array(1 + 4096);
/** Views of `input` by their length, made once each. */
const views = new Array<Uint8Array | undefined>(input.length + 1);

/** Ends of pairs of hashes, 64 bytes each; as many as were needed so far. */
let pairEnds = new Uint32Array(0);

/** Hashes of leaves that stand back to back: 32 bytes each. */
export function hashLeaves(suite: Suite, leaves: Parts): Uint8Array {
  const hashes = new Uint8Array(HASH_BYTES * leaves.ends.length);
  hashParts(suite, { ...leaves, prefix: LEAF }, hashes);
  return hashes;
}

/** Leaves that a tree grows by, and the peaks of its frontier that they meet. */
export interface Growth {
  /** Index of the first new leaf. */
  readonly first: number;
  /** Hashes of the new leaves, 32 bytes each, back to back. */
  readonly hashes: Uint8Array;
  /** Takes the smallest peak out of the frontier and writes it to the begin of an array. */
  readonly popLeft: (into: Uint8Array) => void;
}

/** The peaks of a grown tree behind those that stay, largest first: level by level, as many hashes at a time as there are. */
export function rightmostPeaks(suite: Suite, { first, hashes, popLeft }: Growth): Uint8Array[] {
  const peaks: Uint8Array[] = [];
  const leaves = hashes.length / HASH_BYTES;
  let [level, parents] = [roomFor(0, leaves), roomFor(1, leaves)];
  let index = first;
  let length = withLeft(index, level, popLeft);
  level.set(hashes, length);
  length += hashes.length;
  while (length > 0) {
    const even = length - (length % PAIR_BYTES);
    if (even < length) peaks.unshift(level.slice(even, length));
    if (even === 0) break;
    index = Math.floor(index / 2);
    const at = withLeft(index, parents, popLeft);
    hashPairs(suite, level.subarray(0, even), parents.subarray(at));
    length = at + even / 2;
    [level, parents] = [parents, level];
  }
  return peaks;
}

/** A level that goes on with a right child begins with its left sibling, a peak; returns the bytes that this takes. */
function withLeft(index: number, into: Uint8Array, popLeft: Growth["popLeft"]): number {
  if (index % 2 === 0) return 0;
  popLeft(into);
  return HASH_BYTES;
}

/** Two levels of a growing tree, of whichever grows now: an array for each level would cost as much as its hashes. */
const rooms: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

function roomFor(level: 0 | 1, leaves: number): Uint8Array {
  const length = HASH_BYTES * (1 + leaves);
  if (rooms[level].length < length) rooms[level] = new Uint8Array(length);
  return rooms[level];
}

/** Writes the hashes over each two hashes of one level, an even number of them, to `out`. */
function hashPairs(suite: Suite, level: Uint8Array, out: Uint8Array): void {
  hashParts(suite, { bytes: level, ends: endsOfPairs(level.length / PAIR_BYTES), prefix: NODE }, out);
}

/** SHA-256 of one byte followed by others, of any length: 32 bytes. */
export function prefixedHash(suite: Suite, prefix: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= input.length) return suite.sha256(concatBytes(Uint8Array.of(prefix), bytes));
  input[0] = prefix;
  input.set(bytes, 1);
  return suite.sha256(viewOf(1 + bytes.length));
}

function viewOf(length: number): Uint8Array {
  const known = views[length];
  if (known !== undefined) return known;
  const view = input.subarray(0, length);
  views[length] = view;
  return view;
}

function hashParts(suite: Suite, { bytes, ends, prefix }: PrefixedParts, out: Uint8Array): void {
  if (suite.sha256Parts?.(prefix, { bytes, ends }, out) === true) return;
  let from = 0;
  for (let i = 0; i < ends.length; i++) {
    const to = ends[i] ?? from;
    out.set(prefixedHash(suite, prefix, bytes.subarray(from, to)), HASH_BYTES * i);
    from = to;
  }
}

interface PrefixedParts extends Parts {
  readonly prefix: number;
}

function endsOfPairs(count: number): Uint32Array {
  if (pairEnds.length < count) pairEnds = Uint32Array.from({ length: count }, (_, i) => PAIR_BYTES * (i + 1));
  return pairEnds.subarray(0, count);
}
