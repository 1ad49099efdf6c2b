import { concatBytes } from "../../../attest/bytes.ts";
import { signCheckpoint } from "../../../attest/checkpoint.ts";
import { DISCONTINUITY, type Leaf, REGISTER, type Unplaced } from "../../../attest/leaf.ts";
import { DIRECTION } from "../../../attest/leaf-flexibility.ts";
import { rangeHash } from "../../../attest/node-source.ts";
import { RULE_VERSION, signReceipt } from "../../../attest/receipt.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import { leafHash } from "../../../attest/tree.ts";
import {
  EPOCH_MS,
  LogBuilder,
  type LogBuilderOptions,
  QUARTER_MS,
  type StoredCheckpoint,
} from "../../kit/log-builder.ts";
import type { Cryptography } from "./suites.ts";

/** Whoever signs something in this world. */
interface People {
  readonly device: LocalSigner;
  readonly nodeA: LocalSigner;
  readonly nodeB: LocalSigner;
  readonly recovery: LocalSigner;
  readonly registrar: LocalSigner;
  readonly secondKey: LocalSigner;
  readonly thirdKey: LocalSigner;
}

/** One device with two epochs, another one, and what the first would have signed if it were false. */
export interface World extends Cryptography {
  readonly people: People;
  /** Every kind of leaf but the epoch open leaf; two channels, a gap, a clock step, an anchor. */
  readonly first: LogBuilder;
  /** Goes on where the first log ends. */
  readonly second: LogBuilder;
  /** The first log under another key. */
  readonly neighbour: LogBuilder;
  /** The first log in another network. */
  readonly elsewhere: LogBuilder;
  /** The identity of the first log with other leaves: readings that fall, a gap that ends before it begins, no leaf at 5. */
  readonly forked: LogBuilder;
  /** What the device would sign over the first log if it were a node. */
  readonly ownReceipt: Uint8Array;
}

export const NETWORK = "test-network";
const FIRST_MWH = 1_234_567_000;
export const quarter = (number: number): number => EPOCH_MS + number * QUARTER_MS;

/** By which the clock of the first log is set. */
export const CLOCK_STEP_MS = 60_000;
const HALF_A_MINUTE_MS = 30_000;
/** CBOR's null. */
const NO_LEAF = Uint8Array.of(0xf6);

export async function worldOf(cryptography: Cryptography): Promise<World> {
  const people = peopleOf(cryptography);
  const { suite } = cryptography;
  const open = (options: LogBuilderOptions): LogBuilder =>
    new LogBuilder({ suite, signer: people.device, startMs: EPOCH_MS - 5000, ...options });
  const first = await eventful(open({}), people);
  const second = open({ epoch: 2, startMs: first.timeMs + 5000 });
  await continued(second, first, people.nodeA);
  const neighbour = await eventful(open({ signer: people.secondKey }), people);
  const elsewhere = await eventful(open({ network: "other-network" }), people);
  const forked = await falsehoods(open({}), first.leaves.length, people.nodeB);
  const { size, root } = newest(first).checkpoint;
  const about = {
    manifestHash: first.rules.manifestHash,
    size,
    root,
    receivedAtMs: first.timeMs,
    ruleVersion: RULE_VERSION,
  };
  const ownReceipt = await signReceipt(people.device, about);
  return { ...cryptography, people, first, second, neighbour, elsewhere, forked, ownReceipt };
}

function peopleOf({ signerOf }: Cryptography): People {
  return {
    ...{ device: signerOf(1), nodeA: signerOf(2), recovery: signerOf(3), registrar: signerOf(4) },
    ...{ secondKey: signerOf(5), thirdKey: signerOf(6), nodeB: signerOf(8) },
  };
}

/** Four quarters with closes, a gap behind the second, the clock set behind the third, every other kind of leaf. */
async function eventful(log: LogBuilder, { nodeA, nodeB }: People): Promise<LogBuilder> {
  log.manifest({ registers: REGISTER.import | REGISTER.export, firmware: "1.0", ctRatio: [100, 5] });
  log.manifest({ channel: 2, name: "meter/roof", serial: "4712" });
  log.timeMs = EPOCH_MS;
  log.read({ importMwh: FIRST_MWH, exportMwh: 5000, activePowerMw: -3, status: 1 });
  log.read({ importMwh: FIRST_MWH }, 2);
  countTo(log, quarter(1));
  log.timeMs = quarter(1);
  log.read({ importMwh: FIRST_MWH + 2000 }, 2);
  log.timeMs += HALF_A_MINUTE_MS;
  log.closeDue(2);
  await log.checkpoint();
  log.anchor(await log.receive(nodeA, log.timeMs + 700), nodeA, log.timeMs + 700);
  log.flexibility({ reducePowerMw: 1000, evidence: new Uint8Array(16) });
  countTo(log, quarter(2));
  for (const leaf of others(log)) log.append(leaf);
  log.timeMs += 4 * QUARTER_MS;
  log.read({ importMwh: 500, exportMwh: 5000 });
  countTo(log, quarter(7));
  await log.checkpoint();
  log.stepClock(log.timeMs + CLOCK_STEP_MS);
  countTo(log, quarter(8));
  await log.checkpoint();
  await log.receive(nodeA, log.timeMs + 800);
  await log.receive(nodeB, log.timeMs + 900);
  return log;
}

/** The next reading lies on that boundary, and the interval that ends there is closed half a minute later. */
function countTo(log: LogBuilder, boundaryMs: number): void {
  log.timeMs = boundaryMs;
  const { importMwh = 0, exportMwh = 0 } = log.state().last ?? {};
  log.read({ importMwh: importMwh + 30_750, exportMwh: exportMwh + 10, activePowerMw: 123_000 });
  log.timeMs += HALF_A_MINUTE_MS;
  log.closeDue();
}

/** One of each kind that has no rules of its own. */
function others(log: LogBuilder): readonly Unplaced[] {
  const span = { fromMs: quarter(8), toMs: quarter(9) };
  const digest = new Uint8Array(32).fill(0x44);
  const order = log.checkpoints[0]?.bytes ?? digest;
  const time = log.time();
  return [
    { kind: "tombstone", ...time, firstSeq: 1, count: 2, reason: "thinned" },
    { kind: "tamper", ...time, input: "lid", state: 1 },
    { kind: "operatorAction", ...time, action: "node removed", subject: digest },
    {
      kind: "offer",
      ...time,
      channel: 1,
      boundary: 1,
      direction: DIRECTION.reduce,
      ...span,
      powerMw: 5,
      noticeMs: 60_000,
      baselineMethod: "x",
    },
    {
      kind: "commitment",
      ...time,
      channel: 1,
      boundary: 1,
      fromMs: span.fromMs,
      intervalMs: QUARTER_MS,
      deltaMwh: [-5, 7],
      termsDigest: digest,
      counterparty: order,
    },
    { kind: "dispatch", ...time, channel: 1, order },
    { kind: "challenge", ...time, channel: 1, order },
    { kind: "acknowledgement", ...time, channel: 1, orderSeq: 3, state: 1, reason: "yes" },
    { kind: "actuation", ...time, channel: 1, action: 1, command: 1, value: -5, readBack: -5 },
    {
      kind: "settlement",
      ...time,
      channel: 1,
      commitmentSeq: 4,
      baselineMethod: "x",
      usedDays: [1, 2],
      completenessPpm: 9,
      result: 1,
    },
    {
      kind: "opaque",
      ...time,
      number: 40,
      body: new Map([[6, [1, new Map([[2, "x"]])]]]),
      extensions: new Map([[64, digest]]),
    },
  ];
}

async function continued(log: LogBuilder, old: LogBuilder, node: LocalSigner): Promise<void> {
  const { checkpoint } = newest(old);
  log.append({
    ...{ kind: "epochOpen", ...log.time(), oldLogId: old.rules.logId, reason: "the disk was restored" },
    ...{ oldSize: checkpoint.size, oldRoot: checkpoint.root, oldSignedSize: checkpoint.size },
  });
  log.manifest({ registers: REGISTER.import | REGISTER.export });
  log.timeMs = quarter(9);
  const { importMwh = 0, exportMwh = 0 } = old.state().last ?? {};
  log.read({ importMwh: importMwh + 7000, exportMwh });
  countTo(log, quarter(10));
  await log.checkpoint();
  await log.receive(node, log.timeMs + 800);
}

/** A log past its rules that begins as the first one does, signed and receipted at that size and at the next one. */
async function falsehoods(log: LogBuilder, size: number, node: LocalSigner): Promise<LogBuilder> {
  log.manifest({ registers: REGISTER.import | REGISTER.export });
  log.timeMs = EPOCH_MS;
  log.read({ importMwh: FIRST_MWH, exportMwh: 5000 });
  const time = log.time();
  say(log, { kind: "reading", channel: 1, ...time, importMwh: 1, exportMwh: 1 });
  const gap = { classification: DISCONTINUITY.gap, gapFromMs: 9, gapToMs: 3 };
  say(log, { kind: "discontinuity", channel: 1, ...time, ...gap });
  say(log, { kind: "tamper", ...time, input: "lid", state: 1 }, NO_LEAF);
  while (log.leaves.length <= size) say(log, { kind: "tamper", ...time, input: "lid", state: 1 });
  for (const signed of [size, size + 1]) {
    await signPast(log, signed);
    await log.receive(node, log.timeMs);
  }
  return log;
}

/** Puts a leaf into a log past its rules, or in its place other bytes. */
function say(log: LogBuilder, unplaced: Unplaced, instead?: Uint8Array): void {
  const { leaf, bytes: own } = log.place(unplaced);
  const bytes = instead ?? own;
  log.leaves.push({ leaf, bytes, hash: leafHash(log.suite, bytes) });
}

/** Signs the first `size` leaves, whatever they are. */
async function signPast(log: LogBuilder, size: number): Promise<void> {
  const root = rangeHash(log.proofSource().tree(), 0, size);
  const manifestHash = log.leaves[0]?.hash ?? root;
  const times = { lastLeafMs: log.timeMs, issuedAtMs: log.timeMs, timeQuality: log.timeQuality };
  const checkpoint = { size, root, manifestHash, ...times, bootCount: 1 };
  const bytes = await signCheckpoint(log.signer, log.rules.logId, checkpoint);
  log.checkpoints.push({ checkpoint, bytes, receipts: [] });
}

/** The newest checkpoint of a log, or one before it. */
export function newest(log: LogBuilder, before = 0): StoredCheckpoint {
  const found = log.checkpoints.at(-1 - before);
  if (found === undefined) throw new Error("the log was not signed so often");
  return found;
}

/** The bytes of leaves back to back. */
export function leafBytes(log: LogBuilder, seqs: readonly number[]): Uint8Array {
  return concatBytes(...seqs.map((seq) => log.proofSource().leaf(seq)));
}

/** The seqs of all leaves of a kind. */
export function seqsOf(log: LogBuilder, kind: Leaf["kind"]): number[] {
  return log.leaves.filter(({ leaf }) => leaf.kind === kind).map(({ leaf }) => leaf.seq);
}
