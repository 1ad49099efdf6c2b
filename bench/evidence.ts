import { concatBytes } from "../attest/bytes.ts";
import { signCheckpoint } from "../attest/checkpoint.ts";
import type { Leaf } from "../attest/leaf.ts";
import { decodeLeaf, encodeLeaf } from "../attest/leaf-codec.ts";
import { LogRules } from "../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../attest/native.ts";
import { portableSuite } from "../attest/portable.ts";
import { verifyBatch } from "../attest/stream-verifier.ts";
import { Frontier, leafHash } from "../attest/tree.ts";
import { type Result, rate } from "./measure.ts";

const signer = nativeSigner(new Uint8Array(32).fill(3));
const network = "bench";
const START = Date.UTC(2026, 0, 1);
const common = { timeQuality: 3, salt: new Uint8Array(16).fill(5) };

/** Codec, tree and batch verification, against one node:crypto verification per reading. */
export async function evidenceBench(): Promise<readonly Result[]> {
  const reading = readingLeaf(2);
  const bytes = encodeLeaf(reading);
  const single = singleVerifications();
  const many =
    <T>(work: () => T) =>
    (): void => {
      for (let i = 0; i < 1000; i++) work();
    };
  return [
    figure(
      "leaf encode",
      rate(
        1000,
        many(() => encodeLeaf(reading)),
      ),
      "leaves/s",
    ),
    figure(
      "leaf strict decode",
      rate(
        1000,
        many(() => decodeLeaf(bytes)),
      ),
      "leaves/s",
    ),
    figure("leaf hash and append, native", appendRate(nativeSuite, bytes), "leaves/s"),
    figure("leaf hash and append, portable", appendRate(portableSuite, bytes), "leaves/s"),
    figure("one signature per reading, node:crypto", single, "readings/s"),
    ...(await batches(single)),
  ];
}

async function batches(single: number): Promise<Result[]> {
  const results: Result[] = [];
  for (const size of [12, 64, 1024]) {
    const { rules, batch } = await signedBatch(size);
    const value = rate(size, () => void verifyBatch(nativeSuite, rules, batch));
    results.push({
      ...figure(`verify a batch of ${size}`, value, "readings/s"),
      baseline: "one signature per reading",
      ratio: value / single,
    });
  }
  return results;
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

function singleVerifications(): number {
  const message = encodeLeaf(readingLeaf(2));
  const signature = signer.sign(message);
  return rate(1, () => void nativeSuite.verifySignature(signer.publicKey, message, signature));
}

function readingLeaf(seq: number): Leaf {
  return {
    ...common,
    kind: "reading",
    seq,
    timeMs: START + seq,
    channel: 1,
    importMwh: 6_545_766_000 + seq,
    exportMwh: 58_000,
    activePowerMw: 286_000,
    evidence: new Uint8Array(16).fill(9),
  };
}

/** A log with its two manifests applied, and the next `size` readings under a signed checkpoint. */
async function signedBatch(
  size: number,
): Promise<{ rules: LogRules; batch: { leaves: Uint8Array; checkpoint: Uint8Array } }> {
  const identity = { network, deviceKey: signer.publicKey, epoch: 1 };
  const rules = new LogRules(nativeSuite, identity);
  for (const leaf of manifests()) rules.apply(leaf, encodeLeaf(leaf));
  const next = rules.clone();
  const leaves = Array.from({ length: size }, (_, at) => readingLeaf(at + 2));
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

function manifests(): Leaf[] {
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
    {
      ...common,
      kind: "channelManifest",
      seq: 1,
      timeMs: START,
      channel: 1,
      role: 1,
      make: "Bench",
      model: "Bench",
      serial: "1",
      driver: "bench",
      samplingMs: 5000,
      name: "bench",
      registers: 3,
    },
  ];
}
