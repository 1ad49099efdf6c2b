import { compareBytes, concatBytes } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import { boundaryAtOrAfter } from "../../attest/intervals.ts";
import type { Anchor, IntervalClose, Leaf, Unplaced } from "../../attest/leaf.ts";
import { buildCutMultiproof } from "../../attest/multiproof.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { encodeProof, joinHashes, type ProofPart } from "../../attest/proof.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { openReceiptSize, type Receipt, RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner, Signer } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import { leafHash } from "../../attest/tree.ts";
import type { TrustPolicy } from "../../attest/trust-policy.ts";
import { type EnergyVerdict, type FlexibilityVerdict, judge } from "../../attest/verdict.ts";
import {
  EPOCH_MS,
  LogBuilder,
  type LogBuilderOptions,
  QUARTER_MS,
  type StoredCheckpoint,
} from "../kit/log-builder.ts";

const goodKeys = new Set<string>();
const goodSignatures = new Set<string>();

/** The native suite that checks each good key and signature once, so that thousands of changed proofs can be tried. */
export const patientSuite: Suite = {
  ...nativeSuite,
  checkPublicKey: (key) => isGood(goodKeys, textOf(key), () => nativeSuite.checkPublicKey(key)),
  verifySignature: (key, message, signature) =>
    isGood(goodSignatures, textOf(signature) + textOf(key) + textOf(message), () =>
      nativeSuite.verifySignature(key, message, signature),
    ),
};

function isGood(known: Set<string>, name: string, check: () => boolean): boolean {
  if (known.has(name)) return true;
  const good = check();
  // What is bad has a flipped bit, and comes but once.
  if (good) known.add(name);
  return good;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export const nodeA: LocalSigner = quickSigner(0xa);
export const nodeB: LocalSigner = quickSigner(0xb);
export const nodeC: LocalSigner = quickSigner(0xc);
export const RISE_MWH = 1234;

/** A signer with the key of a test signer of that seed, and many times as quick. */
export function quickSigner(seed: number): LocalSigner {
  return nativeSigner(new Uint8Array(32).fill(seed));
}

/** A log with channel 1 whose first reading lies on the quarter of an hour EPOCH_MS. */
export function openedLog(options: LogBuilderOptions = {}): LogBuilder {
  const log = new LogBuilder({
    ...{ suite: nativeSuite, signer: quickSigner(1), startMs: EPOCH_MS - 5000, ...options },
  });
  log.manifest();
  return log.readMany(1, { stepMs: 5000, risesMwh: 0 });
}

/** So many quarters of an hour of readings, every 15 s unless given; the last one closed. */
export function readQuarters(log: LogBuilder, quarters: number, stepMs = 15_000): LogBuilder {
  log.readMany((quarters * QUARTER_MS) / stepMs, { stepMs, risesMwh: RISE_MWH });
  log.timeMs += 5000;
  log.closeDue();
  log.timeMs -= 5000;
  return log;
}

/** The proof of the quarters from..to-1 behind EPOCH_MS. */
export function proofOf(log: LogBuilder, from: number, to: number): Uint8Array {
  return buildProof(log.proofSource(), { channel: 1, fromMs: quarter(from), toMs: quarter(to) });
}

export function quarter(number: number): number {
  return EPOCH_MS + number * QUARTER_MS;
}

/** A checkpoint with a receipt of each node at once; the receipts. */
export async function receiptsNow(log: LogBuilder, nodes: readonly LocalSigner[]): Promise<Uint8Array[]> {
  await log.checkpoint();
  return Promise.all(nodes.map((node) => log.receive(node, log.timeMs)));
}

/** A checkpoint with a receipt of each node at once, the first of them taken up into the log. */
export async function anchoredNow(log: LogBuilder, nodes: readonly LocalSigner[]): Promise<void> {
  const [receipt] = await receiptsNow(log, nodes);
  const [node] = nodes;
  if (receipt !== undefined && node !== undefined) log.anchor(receipt, node, log.timeMs);
}

/** So many quarters of two readings, each closed, receipted by the nodes at once, and anchored. */
export async function witnessQuarters(
  log: LogBuilder,
  quarters: number,
  nodes: readonly LocalSigner[],
): Promise<LogBuilder> {
  for (let done = 0; done < quarters; done++) await anchoredNow(readQuarters(log, 1, QUARTER_MS / 2), nodes);
  return log;
}

/** The next epoch of a key, which names the newest checkpoint; the meter is read again at the next quarter. */
export function nextEpoch(old: LogBuilder, options: LogBuilderOptions = {}): LogBuilder {
  const { network, epoch } = old.rules.identity;
  const end = old.checkpoints.at(-1)?.checkpoint;
  if (end === undefined) throw new Error("nothing is signed yet");
  const log = new LogBuilder({
    ...{ suite: nativeSuite, signer: old.signer, network, epoch: epoch + 1, startMs: old.timeMs, ...options },
  });
  log.append({
    ...{ kind: "epochOpen", ...log.time(), reason: "restart" },
    ...{ oldLogId: old.rules.logId, oldSize: end.size, oldRoot: end.root },
  });
  log.manifest();
  log.timeMs = boundaryAtOrAfter(log.timeMs + 1, QUARTER_MS);
  log.read({ importMwh: old.state().last?.importMwh ?? 0 });
  return log;
}

export function trusting(log: LogBuilder, changes: Partial<TrustPolicy> = {}): TrustPolicy {
  return { deviceKeys: [log.signer.publicKey], nodeKeys: [], witnesses: 1, ...changes };
}

export function keysOf(...signers: readonly Pick<Signer, "publicKey">[]): Uint8Array[] {
  return signers.map(({ publicKey }) => publicKey);
}

export function energyVerdict(
  bytes: Uint8Array,
  policy: TrustPolicy,
  suite: Suite = patientSuite,
): EnergyVerdict {
  const verdict = judge(suite, verifyProof(suite, bytes), policy);
  if (verdict.claim === "energy") return verdict;
  throw new Error("not a proof of energy");
}

export function flexibilityVerdict(
  bytes: Uint8Array,
  policy: TrustPolicy,
  suite: Suite = patientSuite,
): FlexibilityVerdict {
  const verdict = judge(suite, verifyProof(suite, bytes), policy);
  if (verdict.claim === "flexibility") return verdict;
  throw new Error("not a proof of flexibility");
}

/** The first leaf of a kind, or another one by its place among them. */
export function leafOf<K extends Leaf["kind"]>(log: LogBuilder, kind: K, at = 0): Extract<Leaf, { kind: K }> {
  const found = log.leaves.flatMap(({ leaf }) => (isKind(leaf, kind) ? [leaf] : []));
  const leaf = found.at(at);
  if (leaf === undefined) throw new Error(`no ${kind} leaf ${at}`);
  return leaf;
}

function isKind<K extends Leaf["kind"]>(leaf: Leaf, kind: K): leaf is Extract<Leaf, { kind: K }> {
  return leaf.kind === kind;
}

/** A log that asks no rules: the device signs whatever it says. */
export function lawlessLog(leaves: readonly Unplaced[], options: LogBuilderOptions = {}): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, signer: quickSigner(1), ...options });
  for (const leaf of leaves) say(log, leaf);
  return log;
}

/** Puts a leaf into the log past its rules; its seq. */
export function say(log: LogBuilder, unplaced: Unplaced): number {
  const { leaf, bytes } = log.place(unplaced);
  log.leaves.push({ leaf, bytes, hash: leafHash(nativeSuite, bytes) });
  return leaf.seq;
}

/** The anchor that `receipt` would get in this log. */
export function anchorLeaf(log: LogBuilder, receipt: Uint8Array, about: AboutReceipt): Unplaced<Anchor> {
  const [nodeKey = new Uint8Array(32)] = keysOf(about.node);
  const receiptHash = nativeSuite.sha256(receipt);
  const { receivedAtMs, size: receiptSize } = about;
  return { kind: "anchor", ...log.time(), nodeKey, receiptHash, receivedAtMs, receiptSize };
}

export interface AboutReceipt {
  readonly node: Signer;
  readonly size: number;
  readonly receivedAtMs: number;
}

/** A node's receipt over the first `size` leaves. */
export function receiptOver(
  log: LogBuilder,
  { node, size, receivedAtMs }: AboutReceipt,
  changes: Partial<Receipt> = {},
): Promise<Uint8Array> {
  const root = rangeHash(log.proofSource().tree(), 0, size);
  const { manifestHash } = log.rules;
  const receipt = { manifestHash, size, root, receivedAtMs, ruleVersion: RULE_VERSION };
  return signReceipt(node, { ...receipt, ...changes });
}

/** Signs the first `size` leaves, or all of them, past the log's rules. */
export async function signNow(log: LogBuilder, size: number = log.leaves.length): Promise<StoredCheckpoint> {
  const manifestHash = log.leaves[0]?.hash ?? new Uint8Array(32);
  const root = rangeHash(log.proofSource().tree(), 0, size);
  const checkpoint = {
    ...{ size, root, manifestHash, timeQuality: log.timeQuality, bootCount: 1 },
    ...{ lastLeafMs: log.timeMs, issuedAtMs: log.timeMs },
  };
  const bytes = await signCheckpoint(log.signer, log.rules.logId, checkpoint);
  const stored = { checkpoint, bytes, receipts: [] };
  log.checkpoints.push(stored);
  return stored;
}

/** What a part is to show, of a log's newest checkpoint unless another one is given. */
export interface Shown {
  readonly seqs: readonly number[];
  /** Seqs; all manifests of the log unless given. */
  readonly manifests?: readonly number[];
  readonly checkpoint?: StoredCheckpoint;
  readonly receipts?: readonly Uint8Array[];
  readonly anchoredReceipts?: readonly Uint8Array[];
}

/** A part put together by hand, with a multiproof that fits. */
export function partShowing(log: LogBuilder, shown: Shown): ProofPart {
  const { seqs, receipts = [], anchoredReceipts = [], manifests = manifestSeqs(log) } = shown;
  const stored = shown.checkpoint ?? log.checkpoints.at(-1);
  if (stored === undefined) throw new Error("nothing is signed yet");
  const { size } = stored.checkpoint;
  const sizes = [...new Set(receipts.map(openReceiptSize))].sort((a, b) => a - b);
  const cuts = sizes.filter((cut) => cut > 0 && cut < size);
  const tree = log.proofSource().tree();
  const hashes = seqs.length === 0 ? [] : buildCutMultiproof(tree, { size, indices: seqs, cuts });
  return {
    checkpoint: stored.bytes,
    manifests: leafBytes(log, manifests),
    leaves: leafBytes(log, seqs),
    hashes: joinHashes(hashes),
    ...(receipts.length === 0 ? {} : { receipts }),
    ...(anchoredReceipts.length === 0 ? {} : { anchoredReceipts }),
  };
}

/** The bytes of some leaves, back to back. */
export function leafBytes(log: LogBuilder, seqs: readonly number[]): Uint8Array {
  return concatBytes(...seqs.map((seq) => log.proofSource().leaf(seq)));
}

/** By size and then by node key, as a part holds them. */
export function sorted(log: LogBuilder, abouts: readonly AboutReceipt[]): Promise<Uint8Array[]> {
  const order = abouts.toSorted(
    (a, b) => a.size - b.size || compareBytes(a.node.publicKey, b.node.publicKey),
  );
  return Promise.all(order.map((about) => receiptOver(log, about)));
}

function manifestSeqs(log: LogBuilder): number[] {
  return log.leaves.filter(({ leaf }) => leaf.kind.endsWith("Manifest")).map(({ leaf }) => leaf.seq);
}

/** A proof of all leaves of a log that no rules have checked, under the device's signature. */
export async function dishonestProof(
  leaves: readonly Unplaced[],
  changes: Partial<ProofPart> = {},
): Promise<Uint8Array> {
  const log = lawlessLog(leaves);
  await signNow(log);
  const shown = log.leaves.filter(({ leaf }) => !leaf.kind.endsWith("Manifest"));
  const part = partShowing(log, { seqs: shown.map(({ leaf }) => leaf.seq) });
  return encodeProof({ parts: [{ ...part, ...changes }] });
}

/** The manifest of channel 1 as the first leaf behind the log's, and closes that name it. */
export const lawless: {
  readonly manifest: ReturnType<LogBuilder["manifestLeaf"]>;
  readonly time: ReturnType<LogBuilder["time"]>;
  close(changes?: Partial<IntervalClose>): Unplaced<IntervalClose>;
} = makeLawless();

function makeLawless(): typeof lawless {
  const blank = new LogBuilder({ suite: nativeSuite });
  const time = blank.time();
  const manifest = blank.manifestLeaf();
  const manifestHash = blank.append(manifest).hash;
  const close = (changes: Partial<IntervalClose> = {}): Unplaced<IntervalClose> => ({
    ...{ kind: "intervalClose", channel: 1, ...time, t0Ms: quarter(0), t1Ms: quarter(1), count: 1 },
    ...{ openingSeq: 0, closingSeq: 0, openingImportMwh: 1000, closingImportMwh: 9000 },
    ...{ manifestSeq: 1, manifestHash, ...changes },
  });
  return { manifest, time, close };
}

/** How a close or a flexibility leaf names the manifest at `seq`. */
export function naming(log: LogBuilder, seq: number): Pick<IntervalClose, "manifestSeq" | "manifestHash"> {
  return { manifestSeq: seq, manifestHash: log.leaves[seq]?.hash ?? new Uint8Array(32) };
}
