import { concatBytes } from "../attest/bytes.ts";
import { type Checkpoint, signCheckpoint } from "../attest/checkpoint.ts";
import type { Leaf, ReadingLeaf } from "../attest/leaf.ts";
import { encodeLeaf } from "../attest/leaf-codec.ts";
import { LogRules } from "../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../attest/native.ts";
import type { LocalSigner } from "../attest/signature.ts";
import type { Batch } from "../attest/stream-verifier.ts";

export const signer: LocalSigner = nativeSigner(new Uint8Array(32).fill(3));
export const START_MS: number = Date.UTC(2026, 0, 1);
const NETWORK = "bench";
const QUARTER_MS = 900_000;

/** A reading as a meter on three phases gives it: 87 bytes; registers rise, power and digests are never the same. */
export function readingLeaf(seq: number, channel = 1): ReadingLeaf {
  return {
    ...common(seq),
    kind: "reading",
    timeMs: START_MS + seq,
    channel,
    importMwh: 6_545_766_000 + seq,
    exportMwh: 58_000_000,
    activePowerMw: 286_000 + ((seq * 7919) % 10_007),
    evidence: noise(seq, 9),
  };
}

/** One time in four without a frame's digest, so that more than one outline of a reading comes by. */
export function variedReading(at: number): ReadingLeaf {
  const { evidence: _, ...plain } = readingLeaf(at * 7919);
  return at % 4 === 0 ? plain : readingLeaf(at * 7919);
}

/** The rules of a log in which `channels` channels are open, and nothing read yet. */
export function openedRules(channels: number): LogRules {
  const rules = new LogRules(nativeSuite, { network: NETWORK, deviceKey: signer.publicKey, epoch: 1 });
  for (const leaf of manifests(channels)) rules.apply(leaf, encodeLeaf(leaf));
  return rules;
}

/** Such a log and the next `size` readings of it, of all channels in turn, under a signed checkpoint. */
export async function signedBatch(
  size: number,
  channels: number,
): Promise<{ readonly rules: LogRules; readonly batch: Batch }> {
  const rules = openedRules(channels);
  const next = rules.clone();
  const leaves = Array.from({ length: size }, (_, at) => {
    const leaf = readingLeaf(rules.size + at, 1 + (at % channels));
    const bytes = encodeLeaf(leaf);
    next.apply(leaf, bytes);
    return bytes;
  });
  const checkpoint = await signCheckpoint(signer, next.logId, checkpointOf(next));
  return { rules, batch: { leaves: concatBytes(...leaves), checkpoint } };
}

/** What the device would sign now. */
export function checkpointOf(rules: LogRules): Checkpoint {
  const { timeMs, timeQuality } = rules.lastTime;
  return {
    ...{ size: rules.size, root: rules.root(), manifestHash: rules.manifestHash },
    ...{ lastLeafMs: timeMs, issuedAtMs: timeMs, timeQuality, bootCount: rules.bootCount },
  };
}

function manifests(channels: number): Leaf[] {
  const device = { network: NETWORK, epoch: 1, deviceKey: signer.publicKey, agentVersion: "bench" };
  const log = { ...device, assuranceTier: 0, bootCount: 1, intervalMs: QUARTER_MS };
  return [
    { ...common(0), kind: "logManifest", timeMs: START_MS, ...log },
    ...Array.from({ length: channels }, (_, at) => channelManifest(at + 1)),
  ];
}

function channelManifest(channel: number): Leaf {
  return {
    ...{ ...common(channel), kind: "channelManifest", timeMs: START_MS, channel, role: 1 },
    ...{ make: "Acme Metering", model: "AM-3 direct", serial: `471100${channel}`, firmware: "2.1.4" },
    ...{ driver: "sunspec", profileDigest: new Uint8Array(32).fill(7), name: `meter/${channel}` },
    ...{ samplingMs: 5000, registers: 3, resolutionMwh: 1000 },
  };
}

function common(seq: number): {
  readonly seq: number;
  readonly timeQuality: number;
  readonly salt: Uint8Array;
} {
  return { seq, timeQuality: 3, salt: noise(seq, 5) };
}

/** 16 bytes that differ from leaf to leaf, as digests do. */
function noise(seq: number, seed: number): Uint8Array {
  let state = (Math.imul(seq + 1, 0x9e37_79b1) ^ seed) >>> 0;
  return Uint8Array.from({ length: 16 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
