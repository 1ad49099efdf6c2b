import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import { verifyBatch } from "../../attest/stream-verifier.ts";
import { signedBatch } from "../logs.ts";
import { answer } from "./process.ts";

const CPU_MS = 400;
const START_MS = Date.UTC(2026, 0, 5, 12);

/** What a node's figures are held against, on the same core in turn with it: readings a second of CPU time. */
export interface BaselineAnswers {
  /** Verified and nothing else, in batches of so many. */
  verified(readingsPerBatch: number): Promise<number>;
  /** The same, and a receipt signed for each batch: all cryptography that a node cannot do without. */
  receipted(readingsPerBatch: number): Promise<number>;
}

answer<BaselineAnswers>({
  verified: async (size) => {
    const { rules, batch } = await signedBatch(size, 1);
    return rate(size, () => void verifyBatch(nativeSuite, rules, batch));
  },
  receipted: async (size) => {
    const { rules, batch } = await signedBatch(size, 1);
    const signer = nativeSigner(new Uint8Array(32).fill(9));
    return rate(size, async () => {
      const { manifestHash, size, root } = verifyBatch(nativeSuite, rules, batch).checkpoint;
      await signReceipt(signer, {
        manifestHash,
        size,
        root,
        receivedAtMs: START_MS,
        ruleVersion: RULE_VERSION,
      });
    });
  },
});

async function rate(count: number, run: () => void | Promise<void>): Promise<number> {
  const begin = cpuMs();
  let done = 0;
  let spent = 0;
  for (; spent < CPU_MS; spent = cpuMs() - begin) {
    const pending = run();
    if (pending !== undefined) await pending;
    done += count;
  }
  return (1000 * done) / spent;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
