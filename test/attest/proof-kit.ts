import { concatBytes, toHex } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import type { Leaf, Unplaced } from "../../attest/leaf.ts";
import { buildMultiproof } from "../../attest/multiproof.ts";
import { nativeSuite } from "../../attest/native.ts";
import { encodeProof, joinHashes, type Proof } from "../../attest/proof.ts";
import { buildProof } from "../../attest/proof-build.ts";
import type { Suite } from "../../attest/suite.ts";
import { Frontier, leafHash } from "../../attest/tree.ts";
import type { TrustPolicy } from "../../attest/verdict.ts";
import { EPOCH_MS, LogBuilder, type LogBuilderOptions, QUARTER_MS, testSigner } from "../kit/log-builder.ts";

const checkedKeys = new Map<string, boolean>();

/** The native suite that checks each key once, as profile S asks, so that thousands of proofs can be tried. */
export const patientSuite: Suite = {
  ...nativeSuite,
  checkPublicKey: (key) => {
    const known = checkedKeys.get(toHex(key)) ?? nativeSuite.checkPublicKey(key);
    checkedKeys.set(toHex(key), known);
    return known;
  },
};

export const nodeA: ReturnType<typeof testSigner> = testSigner(0xa);
export const nodeB: ReturnType<typeof testSigner> = testSigner(0xb);
export const RISE_MWH = 1234;

/** A log with channel 1 whose first reading lies on the quarter of an hour EPOCH_MS. */
export function openedLog(options: LogBuilderOptions = {}): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, startMs: EPOCH_MS - 5000, ...options });
  log.manifest();
  return log.readMany(1, { stepMs: 5000, risesMwh: 0 });
}

/** So many quarters of an hour of readings every 15 s; the last one closed. */
export function readQuarters(log: LogBuilder, quarters: number): LogBuilder {
  log.readMany(quarters * 60, { stepMs: 15_000, risesMwh: RISE_MWH });
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

export function trusting(log: LogBuilder, changes: Partial<TrustPolicy> = {}): TrustPolicy {
  return { deviceKeys: [log.signer.publicKey], nodeKeys: [], witnesses: 1, ...changes };
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

/** A log that asks no rules: the device signs whatever it says. The proof shows all its leaves. */
export async function dishonestProof(
  leaves: readonly Unplaced[],
  changes: Partial<Proof> = {},
): Promise<Uint8Array> {
  const log = new LogBuilder({ suite: nativeSuite });
  const manifest = log.leaves[0];
  if (manifest === undefined) throw new Error("no log manifest");
  for (const unplaced of leaves) {
    const { leaf, bytes } = log.place(unplaced);
    log.leaves.push({ leaf, bytes, hash: leafHash(nativeSuite, bytes) });
  }
  const tree = new Frontier(nativeSuite);
  for (const { hash } of log.leaves) tree.append(hash);
  const checkpoint = await signCheckpoint(log.signer, log.rules.logId, {
    ...{ size: tree.size, root: tree.root(), manifestHash: manifest.hash, ...log.time() },
    ...{ lastLeafMs: log.timeMs, issuedAtMs: log.timeMs, bootCount: 1 },
  });
  const isManifest = ({ leaf }: { leaf: Leaf }): boolean => leaf.kind.endsWith("Manifest");
  const shown = log.leaves.filter((placed) => !isManifest(placed));
  const seqs = shown.map(({ leaf }) => leaf.seq);
  return encodeProof({
    ...log.rules.identity,
    ...{ channel: 1, fromMs: quarter(0), toMs: quarter(1), checkpoint },
    leaves: concatBytes(...shown.map(({ bytes }) => bytes)),
    hashes:
      seqs.length === 0
        ? new Uint8Array(0)
        : joinHashes(buildMultiproof(log.proofSource().tree(), tree.size, seqs)),
    manifests: concatBytes(...log.leaves.filter(isManifest).map(({ bytes }) => bytes)),
    ...changes,
  });
}
