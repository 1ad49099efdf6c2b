import { concatBytes } from "../../../attest/bytes.ts";
import type { CborValue } from "../../../attest/cbor.ts";
import type { Leaf, Unplaced } from "../../../attest/leaf.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { nativeSuite } from "../../../attest/native.ts";
import {
  LogBuilder,
  type LogBuilderOptions,
  type PlacedLeaf,
  type ReadingValues,
} from "../../kit/log-builder.ts";
import { device, logIdOf, MINUTE_MS, NETWORK, START_MS, saltOf, sha256 } from "./keys.ts";
import { changed, type Signing, sealed, TYPES } from "./sealing.ts";
import { treeHash } from "./tree-shapes.ts";

/** Logs for batches and proofs: lawful ones by the kit's builder, unlawful leaves by hand, checkpoints over either. */
type Changes = Readonly<Record<number, CborValue | undefined>>;

/** A log of one-minute intervals, with nothing but its manifest. */
export function newLog(options: LogBuilderOptions = {}): LogBuilder {
  return new LogBuilder({
    ...{ suite: nativeSuite, signer: device, network: NETWORK, intervalMs: MINUTE_MS, startMs: START_MS },
    ...options,
    manifest: { agentVersion: "1.0.0", assuranceTier: 1, bootCount: 1, ...options.manifest },
  });
}

/** {@link newLog} with channel 1, an import register read every 20 s. */
export function meteredLog(options: LogBuilderOptions = {}): LogBuilder {
  const log = newLog(options);
  log.manifest({
    samplingMs: 10_000,
    driver: "test",
    make: "Acme",
    model: "M1",
    serial: "4711",
    name: "grid",
  });
  return log;
}

/** What the meter shows so many seconds after the start. */
export function read(
  log: LogBuilder,
  seconds: number,
  values: number | ReadingValues,
  channel = 1,
): PlacedLeaf {
  log.timeMs = START_MS + seconds * 1000;
  return log.read(typeof values === "number" ? { importMwh: values } : values, channel);
}

/** Readings 20 s apart from one second to another; the register rises by 1000 mWh each time. */
export function readOn(log: LogBuilder, fromSeconds: number, toSeconds: number): LogBuilder {
  for (let seconds = fromSeconds; seconds <= toSeconds; seconds += 20)
    read(log, seconds, 1_000_000 + seconds * 50);
  return log;
}

/** The next leaf, whether the rules allow it or not. */
export function force(log: LogBuilder, unplaced: Unplaced, seq: number = log.leaves.length): LogBuilder {
  const { leaf } = log.place(unplaced);
  return forceBytes(log, encodeLeaf({ ...leaf, seq }), { ...leaf, seq });
}

/** The next leaf as bytes, which need not be a leaf at all. */
export function forceBytes(log: LogBuilder, bytes: Uint8Array, leaf?: Leaf): LogBuilder {
  const shown: Leaf = leaf ?? {
    kind: "tamper",
    seq: log.leaves.length,
    ...log.time(),
    salt: saltOf(0),
    input: "",
    state: 0,
  };
  log.leaves.push({ leaf: shown, bytes, hash: sha256(Uint8Array.of(0), bytes) });
  return log;
}

/** Size, root and last time of the first leaves of a log. */
export function stateOf(
  log: LogBuilder,
  size: number = log.leaves.length,
): { readonly size: number; readonly root: Uint8Array; readonly lastLeafMs: number } {
  const leaves = log.leaves.slice(0, size);
  const lastLeafMs = leaves.at(-1)?.leaf.timeMs ?? 0;
  return { size, root: treeHash(leaves.map(({ hash }) => hash)), lastLeafMs };
}

/** A checkpoint over the first leaves of a log, with other values under some keys, or by another hand. */
export function checkpointOver(
  log: LogBuilder,
  size: number = log.leaves.length,
  changes: Changes = {},
  by: { readonly signer?: Signing; readonly kid?: Uint8Array } = {},
): Uint8Array {
  const { root, lastLeafMs } = stateOf(log, size);
  const last = log.leaves[size - 1];
  const payload = new Map<number, CborValue>([
    [1, size],
    [2, root],
    [3, lastLeafMs],
    [4, lastLeafMs],
    [5, last?.leaf.timeQuality ?? 0],
    [6, 1],
    [7, log.leaves[0]?.hash ?? root],
  ]);
  const { network, deviceKey, epoch } = log.rules.identity;
  const { signer = log.signer, kid = logIdOf(network, deviceKey, epoch) } = by;
  return sealed(signer, { type: TYPES.checkpoint, kid, payload: changed(payload, changes) });
}

/** A receipt of a node over the first leaves of a log, with other values under some keys. */
export function receiptOver(
  log: LogBuilder,
  node: Signing,
  receivedAtMs: number,
  { size = log.leaves.length, changes = {} }: { readonly size?: number; readonly changes?: Changes } = {},
): Uint8Array {
  const payload = new Map<number, CborValue>([
    [1, log.rules.manifestHash],
    [2, size],
    [3, stateOf(log, size).root],
    [4, receivedAtMs],
    [5, 1],
  ]);
  return sealed(node, { type: TYPES.receipt, payload: changed(payload, changes) });
}

/** A batch: leaves back to back and the checkpoint behind them. */
export interface SentBatch {
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

/** The batch of the leaves from..to-1. */
export function batchOf(log: LogBuilder, from = 0, to: number = log.leaves.length): SentBatch {
  const leaves = concatBytes(...log.leaves.slice(from, to).map(({ bytes }) => bytes));
  return { leaves, checkpoint: checkpointOver(log, to) };
}

/** The input of a batch vector: the log in batches that end at the given sizes, or in one. */
export function batchInput(log: LogBuilder, ends: readonly number[] = []): object {
  const sizes = [...ends, log.leaves.length];
  const batches = sizes.map((size, at) => batchOf(log, sizes[at - 1] ?? 0, size));
  return { ...log.rules.identity, batches };
}
