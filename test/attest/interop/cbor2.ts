import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { toHex } from "../../../attest/bytes.ts";
import type { CborValue } from "../../../attest/cbor.ts";

const PEER = fileURLToPath(new URL("cbor2-peer.py", import.meta.url));

/** A value of the subset in words that JSON has, so that no CBOR is needed to compare two. */
export type Described =
  | { readonly int: string }
  | { readonly bytes: string }
  | { readonly text: string }
  | { readonly list: readonly Described[] }
  | { readonly map: readonly (readonly [Described, Described])[] };

/** Bytes are hexadecimal. */
export interface Cbor2Answer {
  /** A {@link Described} value, none where it is outside the subset, nothing at all where the library refused. */
  readonly read: readonly {
    readonly canonical?: string | undefined;
    readonly value?: unknown;
  }[];
  readonly write: readonly { readonly canonical: string; readonly plain: string }[];
  /** Named values that are outside the subset, as the library writes them. */
  readonly outside: readonly (readonly [name: string, hex: string])[];
}

const answerShape = z.strictObject({
  read: z.array(z.strictObject({ canonical: z.string().optional(), value: z.unknown().optional() })),
  write: z.array(z.strictObject({ canonical: z.string(), plain: z.string() })),
  outside: z.array(z.tuple([z.string(), z.string()])),
});

/** Distributions keep their Python packages out of reach of other interpreters; the system's one goes last. */
export const python: string | undefined = ["python3", "/usr/bin/python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import cbor2"]).status === 0,
);

/** Asks one Python process for all of it. */
export function askCbor2(
  interpreter: string,
  question: { readonly read: readonly Uint8Array[]; readonly write: readonly CborValue[] },
): Cbor2Answer {
  const input = JSON.stringify({ read: question.read.map(toHex), write: question.write.map(describeValue) });
  const { stdout, stderr, status } = spawnSync(interpreter, [PEER], {
    ...{ input, encoding: "utf8", maxBuffer: 2 ** 28 },
  });
  if (status !== 0) throw new Error(`cbor2 peer: ${stderr}`);
  return answerShape.parse(JSON.parse(stdout));
}

/** A value in words, the pairs of a map in the order in which it holds them. */
export function describeValue(value: CborValue): Described {
  if (typeof value === "number") return { int: String(value) };
  if (typeof value === "string") return { text: value };
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (isList(value)) return { list: value.map(describeValue) };
  return { map: [...value].map(([key, item]) => [{ int: String(key) }, describeValue(item)]) };
}

function isList(value: CborValue): value is readonly CborValue[] {
  return Array.isArray(value);
}
