import { compareBytes, concatBytes } from "../../../attest/bytes.ts";
import { encodeCbor } from "../../../attest/cbor.ts";
import type { Leaf, Unplaced } from "../../../attest/leaf.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { encodeProof, type ProofPart } from "../../../attest/proof.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { device, NETWORK, nodeA, nodeB, START_MS, sha256 } from "./keys.ts";
import { checkpointOver, receiptOver } from "./logs.ts";
import { carried, treeHash } from "./tree-shapes.ts";

/** Proof files put together by hand from a log, and what a verdict says of them. */

/** What a part shows of its log. */
export interface Shown {
  readonly leaves: readonly number[];
  /** Manifest leaves; 0 and 1 unless given. */
  readonly manifests?: readonly number[];
  /** Leaves under the checkpoint; all unless given. */
  readonly size?: number;
  readonly checkpoint?: Uint8Array;
  readonly receipts?: readonly Uint8Array[];
  /** Sizes of the receipts that are below the checkpoint's. */
  readonly cuts?: readonly number[];
  readonly anchored?: readonly Uint8Array[];
}

export function partOf(log: LogBuilder, shown: Shown): ProofPart {
  const { size = log.leaves.length, manifests = [0, 1], receipts, cuts = [], anchored } = shown;
  const hashes = log.leaves.slice(0, size).map(({ hash }) => hash);
  const leaves = new Map(shown.leaves.map((seq) => [seq, hashes[seq] ?? new Uint8Array(32)]));
  return {
    checkpoint: shown.checkpoint ?? checkpointOver(log, size),
    manifests: bytesOf(log, manifests),
    leaves: bytesOf(log, shown.leaves),
    hashes: concatBytes(
      ...carried({ leaves, cuts, whole: (from, to) => treeHash(hashes.slice(from, to)) }, 0, size),
    ),
    ...(receipts && { receipts }),
    ...(anchored && { anchoredReceipts: anchored }),
  };
}

function bytesOf(log: LogBuilder, seqs: readonly number[]): Uint8Array {
  return concatBytes(...seqs.map((seq) => log.leaves[seq]?.bytes ?? new Uint8Array(0)));
}

/** The bytes of a proof of one part. */
export function proofOf(log: LogBuilder, shown: Shown): Uint8Array {
  return encodeProof({ parts: [partOf(log, shown)] });
}

/** Seqs of all leaves of a kind. */
export function seqsOf(log: LogBuilder, kind: Leaf["kind"]): number[] {
  return log.leaves.flatMap(({ leaf }) => (leaf.kind === kind ? [leaf.seq] : []));
}

/** The log with one leaf saying something else; all hashes and signatures are made after it. */
export function alter(log: LogBuilder, seq: number, changes: Partial<Record<string, unknown>>): LogBuilder {
  const before = log.leaves[seq]?.leaf;
  // Callers change only values of the leaf's own fields.
  const leaf = Object.fromEntries(
    Object.entries({ ...before, ...changes }).filter(([, value]) => value !== undefined),
  ) as unknown as Leaf;
  const bytes = encodeLeaf(leaf);
  log.leaves[seq] = { leaf, bytes, hash: sha256(Uint8Array.of(0), bytes) };
  return log;
}

/** Writes the close that is due at a second after the start. */
export function closeAt(log: LogBuilder, seconds: number): LogBuilder {
  log.timeMs = START_MS + seconds * 1000;
  log.closeDue();
  return log;
}

export function after(seconds: number): number {
  return START_MS + seconds * 1000;
}

/** Receipts of nodes A and B over a size, a second apart, in the order of the keys. */
export function bothReceipts(
  log: LogBuilder,
  seconds: number,
  size: number = log.leaves.length,
): Uint8Array[] {
  const made = [nodeA, nodeB].map((node, at) => ({
    key: node.publicKey,
    bytes: receiptOver(log, node, after(seconds + at), { size }),
  }));
  return made.sort((a, b) => compareBytes(a.key, b.key)).map(({ bytes }) => bytes);
}

/** The anchor leaf of a receipt over `size` leaves. */
export function anchorLeaf(
  log: LogBuilder,
  node: LocalSigner,
  { receipt, receivedAtMs, size }: { receipt: Uint8Array; receivedAtMs: number; size: number },
): Unplaced {
  const receiptHash = sha256(receipt);
  return {
    ...{ kind: "anchor", ...log.time(), nodeKey: node.publicKey, receiptHash, receivedAtMs },
    receiptSize: size,
  };
}

export const trustDevice: object = { deviceKeys: [device.publicKey], nodeKeys: [], witnesses: 1 };
export const trustBoth: object = {
  deviceKeys: [device.publicKey],
  nodeKeys: [nodeA.publicKey, nodeB.publicKey],
  witnesses: 2,
};

/** What a verdict says of every claim of the usual log, when nobody has witnessed it. */
export const usual: object = {
  ...{ trust: "device", standing: "device-asserted", network: NETWORK, deviceKey: device.publicKey },
  ...{ epochs: [1], tier: 1, meter: { make: "Acme", model: "M1", serial: "4711" } },
  channel: { number: 1, name: "grid", role: "grid" },
};

/** What a verdict says of a claim of energy from the start on, without breaks, for so many seconds. */
export function energyOver(fromSeconds: number, toSeconds: number): object {
  const [fromMs, toMs] = [after(fromSeconds), after(toSeconds)];
  return {
    ...{ ...usual, claim: "energy", fromMs, toMs, segments: 1, coarse: false, opaque: false },
    ...{ gaps: [], clockSteps: [] },
    edges: [
      { edge: "opening", timeMs: fromMs },
      { edge: "closing", timeMs: toMs },
    ],
  };
}

/** One quantity: registers, whole Wh, and one claim id for each run of a meter. */
export function quantity(
  name: "import" | "export",
  numbers: { readonly openingMwh: number; readonly closingMwh: number; readonly wh: number },
  ...runs: readonly { readonly serial?: string; readonly from: number; readonly to: number }[]
): object {
  const claimIds = runs.map(({ serial = "4711", from, to }) => {
    const run = { make: "Acme", serial, fromMs: after(from), toMs: after(to) };
    const said = ["kilowitness/1 claim", run.make, run.serial, name, run.fromMs, run.toMs];
    return { id: sha256(encodeCbor(said)), ...run };
  });
  return { [name]: { ...numbers, claimIds } };
}
