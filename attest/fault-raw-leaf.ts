import { type CborMap, decodeCborMap } from "./cbor.ts";
import type { Difference } from "./fault-leaves.ts";
import type { Field } from "./field.ts";
import { LEAF_KINDS, TIME_QUALITY } from "./leaf.ts";
import { decodeLeaf, MAX_LEAF_BYTES } from "./leaf-codec.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "./leaf-fields.ts";
import { describeProblem, Problem } from "./problem.ts";

/** The last kind that a later version may still give fields to, or more of them. */
const LAST_OPEN_KIND = 31;

/** What the bytes at one index of a log show by themselves. */
export type RawContradiction = Difference & { readonly rule: "leaf-unlawful" | "leaf-seq" };

/**
 * Whether bytes that stand at `index` of a log cannot be the leaf there: no leaf of any version `kilowitness/1`, or
 * one whose seq is another number. Throws `fault-newer` for what a later version may allow, and `fault-nothing`.
 */
export function rawContradiction(bytes: Uint8Array, index: number): RawContradiction {
  const refusal = refusalOf(bytes);
  if (refusal !== undefined)
    return { rule: "leaf-unlawful", leaves: [index], property: "bytes", expected: "a leaf", got: refusal };
  const { seq } = decodeLeaf(bytes);
  if (seq !== index)
    return { rule: "leaf-seq", leaves: [index], property: "seq", expected: String(index), got: String(seq) };
  throw new Problem("fault-nothing", "the leaf is a lawful one, at its place", { where: `leaf ${index}` });
}

/** The code with which the bytes are refused as a leaf; undefined when they are one. */
function refusalOf(bytes: Uint8Array): string | undefined {
  try {
    decodeLeaf(bytes);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    if (!mayBeNewer(bytes)) return cause.code;
    throw new Problem("fault-newer", "the leaf may be one of a later version, and lawful there", {
      got: describeProblem(cause).message,
      hint: "verify it with a newer version",
    });
  }
}

/**
 * An honest device that is newer than its verifier must not stand accused for it, whatever else is odd about its leaf:
 * what a later version adds may go with other rules for the rest.
 */
function mayBeNewer(bytes: Uint8Array): boolean {
  const map = mapOf(bytes);
  if (map === undefined) return false;
  const [kind = 0, quality] = [map.get(0), map.get(COMMON_FIELDS.timeQuality.key)];
  if (typeof quality === "number" && quality > TIME_QUALITY.anchored) return true;
  if (typeof kind !== "number" || kind < 0 || kind > LAST_OPEN_KIND) return false;
  const name = Object.entries(LEAF_KINDS).find(([, number]) => number === kind)?.[0];
  const known = knownKeys.get(name ?? "");
  return known === undefined || [...map.keys()].some((key) => key < FIRST_EXTENSION_KEY && !known.has(key));
}

const FIRST_EXTENSION_KEY = 64;
const knownKeys: ReadonlyMap<string, ReadonlySet<number>> = new Map(
  Object.entries<Readonly<Record<string, Field>>>(KIND_FIELDS).map(([kind, fields]) => {
    const all = Object.values({ ...COMMON_FIELDS, ...fields });
    return [kind, new Set([0, ...all.map(({ key }) => key)])] as const;
  }),
);

/** The one map of the subset that the bytes are, to their last, within the size of a leaf. */
function mapOf(bytes: Uint8Array): CborMap | undefined {
  try {
    return bytes.length <= MAX_LEAF_BYTES ? decodeCborMap(bytes) : undefined;
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}
