import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS, testSigner } from "../kit/log-builder.ts";

/** A proof of one quarter of an hour, 12 Wh into the boundary, and the keys that stand behind it. */
export interface ProofFile {
  readonly bytes: Uint8Array;
  readonly network: string;
  /** 64 hexadecimal digits each. */
  readonly deviceKey: string;
  readonly nodeKeys: readonly string[];
}

const NODES = [testSigner(0xa), testSigner(0xb)];

/** Makes the file as device and nodes would; `name` is what the device calls its channel. */
export async function makeProofFile(name = "meter/grid"): Promise<ProofFile> {
  const log = new LogBuilder({ suite: nativeSuite, startMs: EPOCH_MS - 5000 });
  log.manifest({ name });
  log.readMany(1, { stepMs: 5000, risesMwh: 0 });
  log.readMany(60, { stepMs: 15_000, risesMwh: 200 });
  log.timeMs += 5000;
  log.closeDue();
  await log.checkpoint();
  for (const node of NODES) await log.receive(node, log.timeMs + 1000);
  return {
    bytes: buildProof(log.proofSource(), { channel: 1, fromMs: EPOCH_MS, toMs: EPOCH_MS + QUARTER_MS }),
    network: log.rules.identity.network,
    deviceKey: toHex(log.signer.publicKey),
    nodeKeys: NODES.map(({ publicKey }) => toHex(publicKey)),
  };
}

/** The file with one bit of its last hash or receipt changed. */
export function forged(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}
