import { toHex } from "../../attest/bytes.ts";
import { REGISTER } from "../../attest/leaf.ts";
import { portableSuite } from "../../attest/portable.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS, testSigner } from "../kit/log-builder.ts";

const MINUTE_MS = 60_000;

/** The worked example of docs/evidence-format.md: every byte string of it, in hexadecimal, by its name there. */
export async function evidenceExample(): Promise<ReadonlyMap<string, string>> {
  const log = new LogBuilder({
    ...{ suite: portableSuite, network: "example-grid", signer: testSigner(1), startMs: EPOCH_MS },
    manifest: { agentVersion: "1.0.0", bootCount: 1, timeZone: "Europe/Madrid" },
  });
  log.manifest({ name: "meter/grid", samplingMs: MINUTE_MS, registers: REGISTER.import | REGISTER.export });
  for (const minutes of [0, 5, 10, 15, 20]) {
    log.timeMs = EPOCH_MS + minutes * MINUTE_MS;
    const evidence = portableSuite.sha256(Uint8Array.of(minutes)).slice(0, 16);
    log.read({
      ...{ importMwh: 1_234_567_000 + minutes * 2050, exportMwh: 89_000, activePowerMw: 123_000 },
      ...(minutes === 15 ? { evidence } : {}),
    });
  }
  const { bytes: checkpoint } = await log.checkpoint();
  const receipt = await log.receive(testSigner(2), log.timeMs + 350);
  const proof = buildProof(log.proofSource(), { channel: 1, fromMs: EPOCH_MS, toMs: EPOCH_MS + QUARTER_MS });
  const leaf = (seq: number): string => toHex(log.leaves[seq]?.bytes ?? new Uint8Array(0));
  return new Map([
    ["device-key", toHex(log.signer.publicKey)],
    ["node-key", toHex(testSigner(2).publicKey)],
    ["log-id", toHex(log.rules.logId)],
    ["log-manifest", leaf(0)],
    ["channel-manifest", leaf(1)],
    ["reading", leaf(5)],
    ["reading-hash", toHex(log.leaves[5]?.hash ?? new Uint8Array(0))],
    ["close", leaf(6)],
    ["root", toHex(log.rules.root())],
    ["checkpoint", toHex(checkpoint)],
    ["receipt", toHex(receipt)],
    ["proof", toHex(proof)],
  ]);
}
