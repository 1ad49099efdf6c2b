import { concatBytes } from "../../attest/bytes.ts";
import { type Checkpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { encodeFault, joinObjects } from "../../attest/fault.ts";
import {
  buildFalseLeafFault,
  buildForkFault,
  buildTwoEpochsFault,
  type SignedHistory,
} from "../../attest/fault-build.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { type Leaf, REGISTER, type Unplaced } from "../../attest/leaf.ts";
import { buildMultiproof } from "../../attest/multiproof.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import { joinHashes } from "../../attest/proof.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { Frontier, leafHash, nodeHash } from "../../attest/tree.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { device, openedLog, suite } from "./fault-kit.ts";
import { openEpoch } from "./fault-world.ts";
import { countersigned, NETWORK, revocation, rotation, statement } from "./key-life-kit.ts";

/** A device that signs whatever it is given, leaf by leaf. */
export async function signedHistory(
  log: LogBuilder,
  leaves: readonly Uint8Array[],
  changes: Partial<Checkpoint> = {},
): Promise<SignedHistory> {
  const hashes = leaves.map((bytes) => leafHash(suite, bytes));
  const frontier = new Frontier(suite);
  for (const hash of hashes) frontier.append(hash);
  const [manifestHash] = hashes;
  if (manifestHash === undefined) throw new Error("nothing to sign");
  const { timeMs, timeQuality } = log.time();
  const checkpoint = await signCheckpoint(log.signer, log.rules.logId, {
    ...{ size: frontier.size, root: frontier.root(), manifestHash, bootCount: 1 },
    ...{ lastLeafMs: timeMs, issuedAtMs: timeMs, timeQuality, ...changes },
  });
  return { checkpoint, leaf: (seq) => at(leaves, seq), tree: () => treeOf(hashes) };
}

/** The history that a builder wrote, under its newest checkpoint or the one of a size. */
export function historyOf(log: LogBuilder, size?: number): SignedHistory {
  const stored = log.checkpoints.findLast(({ checkpoint }) => size === undefined || checkpoint.size === size);
  if (stored === undefined) throw new Error(`no checkpoint of size ${size}`);
  const leaf = (seq: number): Uint8Array => at(log.leaves, seq).bytes;
  return { checkpoint: stored.bytes, leaf, tree: () => treeOf(log.leaves.map(({ hash }) => hash)) };
}

export function bytesOf(log: LogBuilder): Uint8Array[] {
  return log.leaves.map(({ bytes }) => bytes);
}

function at<T>(list: readonly T[], seq: number): T {
  const found = list[seq];
  if (found === undefined) throw new Error(`leaf ${seq} is not in the log`);
  return found;
}

function treeOf(hashes: readonly Uint8Array[]): NodeSource {
  const subtree = (level: number, index: number): Uint8Array =>
    level === 0
      ? at(hashes, index)
      : nodeHash(suite, subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
  return { suite, size: hashes.length, subtree };
}

/** A short lawful log: two channels, a few readings, one close. */
export function shortLog(epoch = 1): LogBuilder {
  const log = openedLog({ epoch });
  log.manifest({ samplingMs: 5000 });
  log.manifest({ channel: 2, registers: REGISTER.import | REGISTER.export, name: "2" });
  return log.readMany(12, { stepMs: 5000, risesMwh: 700 });
}

/** The log with one leaf more that no rule has seen. */
export function withLeaf(log: LogBuilder, unplaced: Unplaced): Uint8Array[] {
  return [...bytesOf(log), log.place(unplaced).bytes];
}

export function fallingReading(log: LogBuilder): Unplaced {
  return { kind: "reading", channel: 1, ...log.time(), importMwh: 5 };
}

/** The proof against a log whose last leaf is wrong. */
export async function falseLastLeaf(log: LogBuilder, leaves: readonly Uint8Array[]): Promise<Uint8Array> {
  const history = await signedHistory(log, leaves);
  return buildFalseLeafFault(suite, log.rules.identity, { history, seqs: [leaves.length - 1] });
}

/** A log under two checkpoints of one size, and of two sizes. */
export async function forks(): Promise<{ readonly roots: Uint8Array; readonly leaves: Uint8Array }> {
  const log = shortLog();
  const other = shortLog();
  log.read({ importMwh: 2_000_000 });
  other.read({ importMwh: 3_000_000 });
  await log.checkpoint();
  await other.checkpoint();
  const { identity } = log.rules;
  const roots = buildForkFault(suite, identity, { one: historyOf(log), other: historyOf(other) });
  other.read({ importMwh: 4_000_000 });
  await other.checkpoint();
  const leaves = buildForkFault(suite, identity, { one: historyOf(log), other: historyOf(other) });
  return { roots, leaves };
}

/** A log that was signed on behind the size that the next epoch knows. */
export async function twoEpochs(): Promise<Uint8Array> {
  const old = shortLog();
  await old.checkpoint();
  const later = openedLog({ epoch: 2 });
  openEpoch(later, old, true);
  await later.checkpoint();
  old.read({ importMwh: 2_000_000 });
  const { bytes } = await old.checkpoint();
  return buildTwoEpochsFault(suite, old.rules.identity, {
    checkpoint: bytes,
    later: { ...historyOf(later), epoch: 2 },
  });
}

/** A key that was used beyond its rotation and then revoked: everything that a file of this kind can hold. */
export async function usedKey(size: number, epoch = 3): Promise<Uint8Array> {
  return encodeFault({
    ...(await keyUse(size, epoch)),
    statement: await statement(),
    countersignature: await countersigned(),
    rotations: joinObjects([await rotation()]),
    revocations: [await revocation()],
  });
}

/** A checkpoint of that size by a device of key-life-kit.ts, as the beginning of a file. */
export async function keyUse(
  size: number,
  epoch: number,
  of: { readonly network?: string; readonly signer?: LocalSigner } = {},
): Promise<{ readonly fault: "key"; readonly checkpoint: Uint8Array } & LogIdentity> {
  const { network = NETWORK, signer = device } = of;
  const log = openedLog({ network, epoch, signer });
  const checkpoint = await signCheckpoint(signer, log.rules.logId, {
    ...{ size, root: log.rules.root(), manifestHash: log.rules.manifestHash, bootCount: 1 },
    ...{ lastLeafMs: log.timeMs, issuedAtMs: log.timeMs, timeQuality: log.timeQuality },
  });
  return { fault: "key", ...log.rules.identity, checkpoint };
}

/** One file of each kind, by name. */
export async function sampleFaults(): Promise<ReadonlyMap<string, Uint8Array>> {
  const log = shortLog();
  const { roots, leaves } = await forks();
  return new Map([
    ["fork, two roots", roots],
    ["fork, two leaves", leaves],
    ["two epochs", await twoEpochs()],
    ["false leaf, two leaves", await falseLastLeaf(log, withLeaf(log, fallingReading(log)))],
    ["false leaf, no leaf", await falseLastLeaf(log, [...bytesOf(log), Uint8Array.of(0xa1, 1)])],
    ["key", await usedKey(501)],
  ]);
}

/** A false-leaf file with exactly these leaves, whatever they show. */
export function showing(log: LogBuilder, history: SignedHistory, seqs: readonly number[]): Uint8Array {
  const tree = history.tree();
  return encodeFault({
    ...{ fault: "false-leaf", ...log.rules.identity, checkpoint: history.checkpoint },
    leaves: concatBytes(...seqs.map((seq) => history.leaf(seq))),
    hashes: joinHashes(buildMultiproof(tree, tree.size, seqs)),
  });
}

/** The last leaf of a kind in the log. */
export function lastOf<K extends Leaf["kind"]>(log: LogBuilder, kind: K): Extract<Leaf, { kind: K }> {
  const found = log.leaves.findLast(({ leaf }) => leaf.kind === kind)?.leaf;
  if (found === undefined) throw new Error(`no ${kind} in the log`);
  // Its kind has just been compared.
  return found as Extract<Leaf, { kind: K }>;
}

/** The rule that a file shows to be broken. */
export function ruleOf(file: Uint8Array): string {
  const proven = verifyFault(suite, file);
  return proven.fault === "key" ? "key" : proven.finding.rule;
}
