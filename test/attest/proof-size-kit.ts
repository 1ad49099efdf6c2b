import { asciiBytes } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { type NodeSource, rangeHash } from "../../attest/node-source.ts";
import type { KeptCheckpoint, ProofSource } from "../../attest/proof-source.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { leafHash, nodeHash } from "../../attest/tree.ts";
import { EPOCH_MS, LogBuilder, type StoredCheckpoint } from "../kit/log-builder.ts";

const SAMPLING_MS = 5000;
export const witnessA: LocalSigner = nativeSigner(new Uint8Array(32).fill(0xa));
export const witnessB: LocalSigner = nativeSigner(new Uint8Array(32).fill(0xb));

/**
 * A day of one meter at 5 s, manifests as a real gateway writes them. Each minute, and at each close, a checkpoint,
 * receipts of both nodes a second later, and an anchor for one of them in turn.
 */
export async function dayLog(): Promise<LogBuilder> {
  const signer = nativeSigner(new Uint8Array(32).fill(1));
  const log = new LogBuilder({
    ...{ suite: nativeSuite, signer, network: "kilowitness-main", startMs: EPOCH_MS - SAMPLING_MS },
    manifest: {
      ...{ agentVersion: "0.1.0", site: "Hof 3", gridZone: "10Y1001A1001A82H", timeZone: "Europe/Berlin" },
      recoveryKey: new Uint8Array(32).fill(9),
    },
  });
  log.manifest({
    ...{ make: "Acme Metering", model: "AM-3 direct", serial: "1EMH0012345678", firmware: "2.1.4" },
    ...{ driver: "sml", profileDigest: new Uint8Array(32).fill(7), name: "meter/grid", resolutionMwh: 100 },
    registers: 3,
  });
  for (let minute = 0; minute < 24 * 60; minute++) {
    for (let at = 0; at < 12; at++) read(log, minute * 12 + at);
    await witness(log, minute);
  }
  return log;
}

/** What the import register shows at that time, mWh. */
export function importAt(timeMs: number): number {
  return 6_545_766_000 + ((timeMs - EPOCH_MS) / SAMPLING_MS) * 397;
}

function read(log: LogBuilder, at: number): void {
  log.timeMs += SAMPLING_MS;
  const activePowerMw = 286_000 + ((at * 7919) % 10_007);
  const registers = { importMwh: importAt(log.timeMs), exportMwh: 58_000_000 };
  log.read({ ...registers, activePowerMw, evidence: new Uint8Array(16).fill(at) });
}

async function witness(log: LogBuilder, minute: number): Promise<void> {
  await log.checkpoint();
  const receivedAtMs = log.timeMs + 1000;
  const receipts = [await log.receive(witnessA, receivedAtMs), await log.receive(witnessB, receivedAtMs)];
  const at = minute % 2;
  const [receipt = receipts[0]] = receipts.slice(at);
  if (receipt !== undefined) log.anchor(receipt, at === 0 ? witnessA : witnessB, receivedAtMs);
}

/** The source of a log that keeps every hash of its tree. */
export function quickSource(log: LogBuilder): ProofSource {
  const tree = remembering(log.proofSource().tree().subtree, log.leaves.length);
  return { ...log.proofSource(), tree: () => tree };
}

function remembering(subtree: NodeSource["subtree"], size: number): NodeSource {
  const known = new Map<string, Uint8Array>();
  return {
    ...{ suite: nativeSuite, size },
    subtree: (level, index) => {
      const name = `${level}/${index}`;
      const hash = known.get(name) ?? subtree(level, index);
      known.set(name, hash);
      return hash;
    },
  };
}

/** What a log of millions of leaves is like around some hours of a day that it holds `offset` leaves further on. */
export interface LongLog {
  readonly source: ProofSource;
  /** The checkpoint over all its leaves, with receipts of both nodes. */
  readonly end: KeptCheckpoint;
}

/**
 * The leaves `from` to `to` of `log` as they would stand `offset` leaves further on, in a log of `size` leaves of which
 * nothing else is known: every other subtree has some hash or other. The ways through the tree, and so all lengths,
 * are those of a log that was written in full.
 */
export async function longLog(
  log: LogBuilder,
  {
    from,
    to,
    offset,
    size,
  }: { readonly from: number; readonly to: number; readonly offset: number; readonly size: number },
): Promise<LongLog> {
  const kept = log.checkpoints.filter(({ checkpoint }) => checkpoint.size > from && checkpoint.size <= to);
  const cuts = kept.map(({ checkpoint }) => checkpoint.size + offset);
  const known = new Map<number, { readonly leaf: Leaf; readonly bytes: Uint8Array }>();
  const tree = sparseTree(known, { cuts, size });
  const checkpoints = new Map<number, KeptCheckpoint>();
  const anchors: { readonly seq: number; readonly receipt: Uint8Array }[] = [];
  for (let seq = from; seq < to; seq++) {
    const due = kept.find(({ checkpoint }) => checkpoint.size === seq);
    if (due !== undefined)
      checkpoints.set(seq + offset, await signedAgain(log, tree, { due, size: seq + offset }));
    const leaf = log.leaves[seq]?.leaf;
    if (leaf?.kind === "intervalClose") put(known, shifted(leaf, offset));
    if (leaf?.kind !== "anchor") continue;
    const receipts = checkpoints.get(leaf.receiptSize + offset)?.receipts ?? [];
    const receipt = receipts[leaf.nodeKey[0] === witnessA.publicKey[0] ? 0 : 1];
    if (receipt === undefined) continue;
    const named = { receiptHash: nativeSuite.sha256(receipt), receiptSize: leaf.receiptSize + offset };
    put(known, { ...leaf, ...named, seq: seq + offset });
    anchors.push({ seq: seq + offset, receipt });
  }
  const due = log.checkpoints.at(-1);
  if (due === undefined) throw new Error("nothing is signed yet");
  const end = await signedAgain(log, tree, { due, size });
  const closes = [...known.values()].flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
  return {
    end,
    source: {
      identity: log.rules.identity,
      leaf: (seq) => known.get(seq)?.bytes ?? log.proofSource().leaf(seq),
      closes: (_, fromMs, toMs) => closes.filter(({ t0Ms, t1Ms }) => t0Ms >= fromMs && t1Ms <= toMs),
      checkpointOver: (seq) => [...checkpoints].find(([covered]) => covered > seq)?.[1] ?? end,
      checkpointAt: (covered) => checkpoints.get(covered),
      anchorBelow: (seq) => anchors.findLast((anchor) => anchor.seq < seq),
      tree: () => tree,
    },
  };
}

function put(known: Map<number, { readonly leaf: Leaf; readonly bytes: Uint8Array }>, leaf: Leaf): void {
  known.set(leaf.seq, { leaf, bytes: encodeLeaf(leaf) });
}

function shifted(close: IntervalClose, offset: number): IntervalClose {
  const { seq, openingSeq, closingSeq, previousCloseSeq } = close;
  return {
    ...close,
    ...{ seq: seq + offset, openingSeq: openingSeq + offset, closingSeq: closingSeq + offset },
    ...(previousCloseSeq === undefined ? {} : { previousCloseSeq: previousCloseSeq + offset }),
  };
}

/** A tree of which only some leaves are known; a range without any, and without a cut inside, has some hash. */
function sparseTree(
  known: ReadonlyMap<number, { readonly bytes: Uint8Array }>,
  { cuts, size }: { readonly cuts: readonly number[]; readonly size: number },
): NodeSource {
  const tree: NodeSource = remembering((level, index) => {
    const [from, to] = [index * 2 ** level, (index + 1) * 2 ** level];
    const own = level === 0 ? known.get(index) : undefined;
    if (own !== undefined) return leafHash(nativeSuite, own.bytes);
    const held = [...known.keys()].some((seq) => from <= seq && seq < to);
    if (!held && !cuts.some((cut) => from < cut && cut < to))
      return nativeSuite.sha256(asciiBytes(`${level} ${index}`, "name"));
    return nodeHash(nativeSuite, tree.subtree(level - 1, 2 * index), tree.subtree(level - 1, 2 * index + 1));
  }, size);
  return tree;
}

async function signedAgain(
  log: LogBuilder,
  tree: NodeSource,
  { due, size }: { readonly due: StoredCheckpoint; readonly size: number },
): Promise<KeptCheckpoint> {
  const { logId, manifestHash } = log.rules;
  const root = rangeHash(tree, 0, size);
  const receivedAtMs = due.checkpoint.issuedAtMs + 1000;
  const receipt = { manifestHash, size, root, receivedAtMs, ruleVersion: RULE_VERSION };
  return {
    bytes: await signCheckpoint(log.signer, logId, { ...due.checkpoint, size, root }),
    receipts: await Promise.all([witnessA, witnessB].map((node) => signReceipt(node, receipt))),
  };
}
