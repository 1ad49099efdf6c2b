import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import type { IntervalClose } from "../attest/leaf.ts";
import { nativeSigner, nativeSuite } from "../attest/native.ts";
import { STORED_SUBTREE_LEAVES, SubtreeSource } from "../attest/node-source.ts";
import { buildProof } from "../attest/proof-build.ts";
import type { ProofSource } from "../attest/proof-source.ts";
import { verifyProof } from "../attest/proof-verify.ts";
import { Frontier } from "../attest/tree.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS } from "../test/kit/log-builder.ts";
import { signer } from "./logs.ts";
import { figure, type Result, results, type Work } from "./measure.ts";

const SAMPLING_MS = 5000;
const QUARTERS = 96;
/** The hour from noon on. */
const HOUR = { channel: 1, fromMs: EPOCH_MS + 48 * QUARTER_MS, toMs: EPOCH_MS + 52 * QUARTER_MS };

/**
 * The proof of one hour of one channel, out of the log of a day with a reading every 5 s, under a checkpoint with one
 * receipt: made from stored subtrees as agent and node keep them, and checked. Checking is held against one Ed25519
 * verification by node:crypto, its bytes against those of the hour's leaves with the same checkpoint and receipt.
 */
export async function proofBench(): Promise<readonly Result[]> {
  const log = await dayLog();
  const source = storedSource(log);
  const proof = buildProof(source, HOUR);
  const making = { count: 1, run: (): void => void buildProof(source, HOUR) };
  const checking = { count: 1, run: (): void => void verifyProof(nativeSuite, proof) };
  const unit = "proofs/s";
  return [
    ...(await results(["proof"], { name: "make", unit }, [making])),
    ...(await results(["proof"], { name: "check", unit }, [checking, oneVerification(proof)])),
    figure("proof", { name: "size", unit: "bytes" }, [proof.length, hourBytes(log)]),
  ];
}

async function dayLog(): Promise<LogBuilder> {
  const log = new LogBuilder({ suite: nativeSuite, signer, startMs: EPOCH_MS - SAMPLING_MS });
  log.manifest();
  log.readMany(1 + (QUARTERS * QUARTER_MS) / SAMPLING_MS, { stepMs: SAMPLING_MS, risesMwh: 1234 });
  log.timeMs += 1;
  log.closeDue();
  await log.checkpoint();
  await log.receive(nativeSigner(new Uint8Array(32).fill(4)), log.timeMs);
  return log;
}

/** The log as a journal or a node's store has it: closes by an index, hashes of subtrees of 256 leaves. */
function storedSource(log: LogBuilder): ProofSource {
  const closes = log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
  const isWithin = ({ t0Ms, t1Ms }: IntervalClose): boolean => t0Ms >= HOUR.fromMs && t1Ms <= HOUR.toMs;
  const hashes = (from: number, to: number): Uint8Array[] =>
    log.leaves.slice(from, to).map(({ hash }) => hash);
  const whole = Math.floor(log.leaves.length / STORED_SUBTREE_LEAVES);
  const subtrees = Array.from({ length: whole }, (_, at) => {
    const tree = new Frontier(nativeSuite);
    for (const hash of hashes(at * STORED_SUBTREE_LEAVES, (at + 1) * STORED_SUBTREE_LEAVES))
      tree.append(hash);
    return tree.root();
  });
  const store = { size: () => log.leaves.length, stored: (at: number) => subtrees[at], leafHashes: hashes };
  return {
    ...log.proofSource(),
    closes: () => closes.filter(isWithin),
    tree: () => new SubtreeSource(nativeSuite, store),
  };
}

function oneVerification(message: Uint8Array): Work {
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = createPublicKey(privateKey);
  const signature = sign(null, message, privateKey);
  return { count: 1, run: () => void verify(null, message, publicKey, signature) };
}

function hourBytes(log: LogBuilder): number {
  const isOfHour = (timeMs: number): boolean => timeMs >= HOUR.fromMs && timeMs <= HOUR.toMs;
  const leaves = log.leaves.filter(({ leaf }) => isOfHour(leaf.timeMs));
  const signed = log.checkpoints.flatMap(({ bytes, receipts }) => [bytes, ...receipts]);
  return [...leaves.map(({ bytes }) => bytes), ...signed].reduce((sum, { length }) => sum + length, 0);
}
