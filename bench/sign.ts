import { generateKeyPairSync, sign } from "node:crypto";
import { openCheckpoint, signCheckpoint } from "../attest/checkpoint.ts";
import { nativeSuite } from "../attest/native.ts";
import { checkpointOf, openedRules, signer } from "./logs.ts";
import { type Result, results } from "./measure.ts";

/**
 * Checkpoints signed a second, each verified before it is handed out, held against bare signatures of node:crypto;
 * and checkpoints opened a second.
 */
export async function signBench(): Promise<readonly Result[]> {
  const rules = openedRules(1);
  const { logId } = rules;
  const checkpoint = checkpointOf(rules);
  const signed = await signCheckpoint(signer, logId, checkpoint);
  const { privateKey } = generateKeyPairSync("ed25519");
  const making = {
    count: 1,
    run: async (): Promise<void> => void (await signCheckpoint(signer, logId, checkpoint)),
  };
  const opening = {
    count: 1,
    run: (): void => void openCheckpoint(nativeSuite, signed, { deviceKey: rules.identity.deviceKey, logId }),
  };
  const bare = { count: 1, run: (): void => void sign(null, signed, privateKey) };
  const unit = "checkpoints/s";
  return [
    ...(await results(["sign"], { name: "checkpoint", unit }, [making, bare])),
    ...(await results(["sign"], { name: "open a checkpoint", unit }, [opening, bare])),
  ];
}
