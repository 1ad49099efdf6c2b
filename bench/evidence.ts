import { concatBytes } from "../attest/bytes.ts";
import { signCheckpoint } from "../attest/checkpoint.ts";
import type { Leaf, ReadingLeaf } from "../attest/leaf.ts";
import { decodeAnyLeafAt, decodeLeaf, encodeAnyLeaf, encodeLeaf } from "../attest/leaf-codec.ts";
import { LogRules } from "../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../attest/native.ts";
import { portableSuite } from "../attest/portable.ts";
import { verifyBatch } from "../attest/stream-verifier.ts";
import { Frontier, leafHash } from "../attest/tree.ts";
import { compare, type Result, rate, type Work } from "./measure.ts";

const signer = nativeSigner(new Uint8Array(32).fill(3));
const network = "bench";
const START = Date.UTC(2026, 0, 1);
const common = { timeQuality: 3, salt: new Uint8Array(16).fill(5) };

const BATCHES = [
  [12, 1],
  [64, 1],
  [1024, 1],
  [1024, 16],
] as const;
const GENERAL = "the general codec";
const SINGLE = "one signature per reading";

/**
 * Codec against the field tables that it must agree with, the tree, and batches of readings against one
 * node:crypto verification per reading. Each baseline is measured in turns with what is compared with it.
 */
export async function evidenceBench(): Promise<readonly Result[]> {
  const readings = Array.from({ length: 1000 }, (_, at) => variedReading(at));
  const encoded = readings.map(encodeLeaf);
  const bytes = encodeLeaf(readingLeaf(2));
  const single = singleVerification();
  return [
    compared("leaf encode", "leaves/s", [each(readings, encodeLeaf), each(readings, encodeAnyLeaf), GENERAL]),
    compared("leaf strict decode", "leaves/s", [
      each(encoded, decodeLeaf),
      each(encoded, (leaf) => decodeAnyLeafAt(leaf, 0)),
      GENERAL,
    ]),
    figure("leaf hash and append, native", appendRate(nativeSuite, bytes), "leaves/s"),
    figure("leaf hash and append, portable", appendRate(portableSuite, bytes), "leaves/s"),
    figure("one signature per reading, node:crypto", rate(single.count, single.run), "readings/s"),
    ...(await batches(single)),
  ];
}

async function batches(single: Work): Promise<Result[]> {
  const results: Result[] = [];
  for (const [size, channels] of BATCHES) {
    const { rules, batch } = await signedBatch(size, channels);
    const work = { count: size, run: (): void => void verifyBatch(nativeSuite, rules, batch) };
    results.push(
      compared(`verify a batch of ${size}${channels === 1 ? "" : `, ${channels} channels`}`, "readings/s", [
        work,
        single,
        SINGLE,
      ]),
    );
  }
  return results;
}

function each<T>(items: readonly T[], work: (item: T) => unknown): Work {
  return {
    count: items.length,
    run: () => {
      for (const item of items) work(item);
    },
  };
}

function compared(
  name: string,
  unit: string,
  [work, base, baseline]: readonly [work: Work, base: Work, baseline: string],
): Result {
  return { ...figure(name, 0, unit), ...compare(work, base), baseline };
}

function figure(name: string, value: number, unit: string): Result {
  return { bench: "evidence", case: name, value, unit };
}

function appendRate(suite: typeof nativeSuite, bytes: Uint8Array): number {
  return rate(1000, () => {
    const frontier = new Frontier(suite);
    for (let i = 0; i < 1000; i++) frontier.append(leafHash(suite, bytes));
    frontier.root();
  });
}

function singleVerification(): Work {
  const message = encodeLeaf(readingLeaf(2));
  const signature = signer.sign(message);
  return { count: 1, run: () => void nativeSuite.verifySignature(signer.publicKey, message, signature) };
}

function readingLeaf(seq: number, channel = 1): ReadingLeaf {
  return {
    ...common,
    kind: "reading",
    seq,
    timeMs: START + seq,
    channel,
    importMwh: 6_545_766_000 + seq,
    exportMwh: 58_000,
    activePowerMw: 286_000,
    evidence: new Uint8Array(16).fill(9),
  };
}

/** Without a frame's digest one time in four, so that more than one outline of a reading comes by. */
function variedReading(at: number): Leaf {
  const { evidence: _, ...leaf } = readingLeaf(at * 7919);
  return at % 4 === 0 ? leaf : readingLeaf(at * 7919);
}

/** A log with its manifests applied, and the next `size` readings under a signed checkpoint. */
async function signedBatch(
  size: number,
  channels: number,
): Promise<{ rules: LogRules; batch: { leaves: Uint8Array; checkpoint: Uint8Array } }> {
  const identity = { network, deviceKey: signer.publicKey, epoch: 1 };
  const rules = new LogRules(nativeSuite, identity);
  for (const leaf of manifests(channels)) rules.apply(leaf, encodeLeaf(leaf));
  const next = rules.clone();
  const leaves = Array.from({ length: size }, (_, at) => readingLeaf(rules.size + at, 1 + (at % channels)));
  for (const leaf of leaves) next.apply(leaf, encodeLeaf(leaf));
  const checkpoint = await signCheckpoint(signer, rules.logId, {
    size: next.size,
    root: next.root(),
    lastLeafMs: next.lastTime.timeMs,
    issuedAtMs: next.lastTime.timeMs,
    timeQuality: 3,
    bootCount: 1,
    manifestHash: next.manifestHash,
  });
  return { rules, batch: { leaves: concatBytes(...leaves.map(encodeLeaf)), checkpoint } };
}

function manifests(channels: number): Leaf[] {
  const device = {
    network,
    epoch: 1,
    deviceKey: signer.publicKey,
    agentVersion: "bench",
    assuranceTier: 0,
    bootCount: 1,
  };
  return [
    { ...common, kind: "logManifest", seq: 0, timeMs: START, ...device, intervalMs: 900_000 },
    ...Array.from({ length: channels }, (_, at) => channelManifest(at + 1)),
  ];
}

function channelManifest(channel: number): Leaf {
  return {
    ...common,
    kind: "channelManifest",
    seq: channel,
    timeMs: START,
    channel,
    role: 1,
    make: "Bench",
    model: "Bench",
    serial: String(channel),
    driver: "bench",
    samplingMs: 5000,
    name: `bench/${channel}`,
    registers: 3,
  };
}
