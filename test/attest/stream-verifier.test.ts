import { describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import { openCheckpoint, openCheckpointSize, signCheckpoint } from "../../attest/checkpoint.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { type Batch, MAX_BATCH_LEAVES, verifyBatch } from "../../attest/stream-verifier.ts";
import { EPOCH_MS, LogBuilder, type LogBuilderOptions, testSigner } from "../kit/log-builder.ts";
import { flippedBits, problemOf, refusalOf } from "./refusal.ts";
import { verifiedLeaves } from "./slow-verifier.ts";

const suites = [
  ["native", nativeSuite],
  ["portable", portableSuite],
] as const;

/** Thousands of verifications take a while on a small machine; nothing is said about speed. */
const SLOW_MS = 180_000;

/** Five leaves: both manifests, two readings and the close between them. */
function smallLog(options: LogBuilderOptions = {}): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, startMs: EPOCH_MS - 5000, ...options });
  log.manifest();
  log.readMany(2, { stepMs: 4000, risesMwh: 1000 });
  return log;
}

function emptyRules(
  log: LogBuilder,
  changes: { network?: string; epoch?: number; deviceKey?: Uint8Array } = {},
): LogRules {
  return new LogRules(nativeSuite, { ...log.rules.identity, ...changes });
}

describe.each(suites)("verifyBatch, %s suite", (_, suite) => {
  it("takes a batch, gives every leaf with its hash, and leaves the rules it was given as they were", async () => {
    const log = smallLog();
    const rules = emptyRules(log);
    const before = rules.toText();
    const verified = verifyBatch(suite, rules, await log.batch());
    expect(verified.leaves).toEqual(verifiedLeaves(log.leaves));
    expect(verified.rules.toText()).toBe(log.rules.toText());
    expect(verified.checkpoint.size).toBe(log.leaves.length);
    expect(rules.toText()).toBe(before);
  });

  it("gives leaves that stay as they were when the buffer they came in is used again", async () => {
    const log = smallLog();
    const batch = await log.batch();
    const verified = verifyBatch(suite, emptyRules(log), batch);
    batch.leaves.fill(0xff);
    expect(verified.leaves).toEqual(verifiedLeaves(log.leaves));
  });

  it("takes a log in pieces, with the same end, and the same checkpoint again without leaves", async () => {
    const log = new LogBuilder({ suite });
    log.manifest();
    let rules = emptyRules(log);
    for (let sent = 0; log.leaves.length < 300; sent = rules.size) {
      log.readMany(17, { stepMs: 5000, risesMwh: 100 });
      rules = verifyBatch(suite, rules, await log.batch(sent)).rules;
    }
    expect(rules.toText()).toBe(log.rules.toText());
    const again = verifyBatch(suite, rules, await log.batch(log.leaves.length));
    expect(again.leaves).toEqual(verifiedLeaves([]));
    expect(again.rules.toText()).toBe(rules.toText());
  });
});

describe("verifyBatch", () => {
  it(
    "refuses every single flipped bit of leaves and checkpoint, and keeps the state",
    async () => {
      const log = smallLog();
      expect(log.leaves.map(({ leaf }) => leaf.kind)).toContain("intervalClose");
      const rules = emptyRules(log);
      const before = rules.toText();
      const batch = await log.batch();
      let refused = 0;
      for (const part of ["leaves", "checkpoint"] as const) {
        for (const flipped of flippedBits(batch[part])) {
          const code = refusalOf(() => verifyBatch(nativeSuite, rules, { ...batch, [part]: flipped }));
          expect(code).toBeDefined();
          refused += 1;
        }
      }
      expect(refused).toBe(8 * (batch.leaves.length + batch.checkpoint.length));
      expect(rules.toText()).toBe(before);
      console.log(
        `batch of ${batch.leaves.length} + ${batch.checkpoint.length} bytes: ${refused} flipped bits refused`,
      );
    },
    SLOW_MS,
  );

  it("refuses a leaf left out, doubled, exchanged with its neighbour or added", async () => {
    const log = smallLog();
    const { checkpoint } = await log.batch();
    const bytes = log.leaves.map((placed) => placed.bytes);
    const last = bytes.at(-1) ?? new Uint8Array(0);
    const batches = bytes.flatMap((leaf, at) => [
      bytes.toSpliced(at, 1),
      bytes.toSpliced(at, 0, leaf),
      bytes.toSpliced(at, 2, ...bytes.slice(at, at + 2).reverse()),
    ]);
    const unlike = batches.filter(
      (leaves) => leaves.some((leaf, at) => leaf !== bytes[at]) || leaves.length !== bytes.length,
    );
    for (const leaves of [...unlike, [...bytes, last]]) {
      const batch = { leaves: concatBytes(...leaves), checkpoint };
      expect(refusalOf(() => verifyBatch(nativeSuite, emptyRules(log), batch))).toBeDefined();
    }
    expect(unlike.length).toBeGreaterThan(10);
  });

  it("refuses another network, key or epoch", async () => {
    const log = smallLog();
    const batch = await log.batch();
    const code = (changes: Parameters<typeof emptyRules>[1]): string | undefined =>
      refusalOf(() => verifyBatch(nativeSuite, emptyRules(log, changes), batch));
    expect(code({})).toBeUndefined();
    expect(code({ network: "other" })).toBe("cose-kid");
    expect(code({ epoch: 2 })).toBe("cose-kid");
    expect(code({ deviceKey: testSigner(2).publicKey })).toBe("cose-kid");
  });

  it("refuses another device's signature over the same log id", async () => {
    const log = smallLog();
    const { checkpoint } = await log.checkpoint();
    const forged = await signCheckpoint(testSigner(2), log.rules.logId, checkpoint);
    const batch = { ...(await log.batch()), checkpoint: forged };
    expect(refusalOf(() => verifyBatch(nativeSuite, emptyRules(log), batch))).toBe("cose-signature");
  });

  it("refuses what a device signs about its own leaves and is not so", async () => {
    const log = smallLog();
    const { leaves } = await log.batch();
    const { checkpoint } = await log.checkpoint();
    const wrong = new Uint8Array(32);
    const signed = async (changes: Partial<typeof checkpoint>): Promise<Batch> => ({
      leaves,
      checkpoint: await signCheckpoint(log.signer, log.rules.logId, { ...checkpoint, ...changes }),
    });
    const code = async (changes: Partial<typeof checkpoint>): Promise<string | undefined> => {
      const batch = await signed(changes);
      return refusalOf(() => verifyBatch(nativeSuite, emptyRules(log), batch));
    };
    expect(await code({})).toBeUndefined();
    expect(await code({ size: checkpoint.size + 1 })).toBe("checkpoint-size");
    expect(await code({ size: checkpoint.size - 1 })).toBe("checkpoint-size");
    expect(await code({ root: wrong })).toBe("checkpoint-root");
    expect(await code({ manifestHash: wrong })).toBe("checkpoint-manifest");
    expect(await code({ lastLeafMs: checkpoint.lastLeafMs - 1 })).toBe("checkpoint-time");
  });

  it("refuses an unlawful leaf under a good signature, and names it", async () => {
    const log = smallLog();
    const rules = log.rules.clone();
    const { leaf, bytes } = log.place({ kind: "reading", channel: 1, ...log.time(), importMwh: 1 });
    log.leaves.push({ leaf, bytes, hash: new Uint8Array(32) });
    const batch = { leaves: bytes, checkpoint: (await log.batch()).checkpoint };
    const problem = problemOf(() => verifyBatch(nativeSuite, rules, batch));
    expect([problem.code, problem.detail.where]).toEqual(["register-drop", `leaf ${leaf.seq}`]);
  });

  it("refuses more leaves than one batch may hold", async () => {
    const log = new LogBuilder({ suite: nativeSuite });
    while (log.leaves.length <= MAX_BATCH_LEAVES)
      log.append({ kind: "tamper", ...log.time(), input: "lid", state: 1 });
    const batch = await log.batch();
    expect(refusalOf(() => verifyBatch(nativeSuite, emptyRules(log), batch))).toBe("batch-size");
  });
});

describe("checkpoints", () => {
  it("are about 220 bytes", async () => {
    const log = smallLog();
    const { bytes } = await log.checkpoint();
    expect(bytes.length).toBeLessThan(260);
    console.log(`checkpoint: ${bytes.length} bytes`);
  });

  it("never cover an empty log, and name their size to their own store", async () => {
    const log = smallLog();
    const { checkpoint, bytes } = await log.checkpoint();
    const { logId } = log.rules;
    await expect(signCheckpoint(log.signer, logId, { ...checkpoint, size: 0 })).rejects.toMatchObject({
      code: "checkpoint-empty",
    });
    expect(openCheckpointSize(bytes)).toBe(checkpoint.size);
    expect(openCheckpoint(portableSuite, bytes, { deviceKey: log.signer.publicKey, logId })).toEqual(
      checkpoint,
    );
  });
});
