import { decodeCbor } from "./cbor.ts";
import type { Difference } from "./fault-leaves.ts";
import { decodeLeaf } from "./leaf-codec.ts";
import { describeProblem, Problem } from "./problem.ts";

/** Kinds that a later version may still give fields to, or more of them. */
const FIRST_OPEN_KIND = 1;
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
    if (!mayBeNewer(cause.code, bytes)) return cause.code;
    throw new Problem("fault-newer", "the leaf may be one of a later version, and lawful there", {
      got: describeProblem(cause).message,
      hint: "verify it with a newer version",
    });
  }
}

/** An honest device that is newer than its verifier must not stand accused for it. */
function mayBeNewer(code: string, bytes: Uint8Array): boolean {
  if (code === "leaf-unknown-key" || code === "leaf-time-quality") return true;
  if (code !== "leaf-kind") return false;
  const map = decodeCbor(bytes);
  const kind = map instanceof Map ? map.get(0) : undefined;
  return typeof kind === "number" && kind >= FIRST_OPEN_KIND && kind <= LAST_OPEN_KIND;
}
