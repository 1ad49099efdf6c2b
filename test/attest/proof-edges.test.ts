import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeProof, type ProofPart } from "../../attest/proof.ts";
import type { TrustPolicy } from "../../attest/trust-policy.ts";
import type { EnergyVerdict } from "../../attest/verdict.ts";
import type { LogBuilder, LogBuilderOptions } from "../kit/log-builder.ts";
import {
  anchorLeaf,
  energyVerdict,
  keysOf,
  lawless,
  lawlessLog,
  leafOf,
  naming,
  nodeA,
  nodeB,
  nodeC,
  openedLog,
  partShowing,
  proofOf,
  quarter,
  readQuarters,
  receiptOver,
  say,
  signNow,
  trusting,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const NODES = [nodeA, nodeB, nodeC];
const trusted = keysOf(...NODES);
const NOBODY: TrustPolicy = { deviceKeys: [], nodeKeys: [], witnesses: 1 };

type Times = (quarters: number, node: number) => number;

/**
 * Four quarters; behind each of them every node has given a receipt over a checkpoint of its own, one, two and three
 * seconds later unless said otherwise, and each receipt was taken up.
 */
async function witnessedByAll(times: Times = seconds, options: LogBuilderOptions = {}): Promise<LogBuilder> {
  const log = openedLog(options);
  for (let quarters = 1; quarters <= 4; quarters++) {
    readQuarters(log, 1, 450_000);
    for (const [at, node] of NODES.entries()) {
      const receivedAtMs = times(quarters, at);
      await log.checkpoint();
      log.anchor(await log.receive(node, receivedAtMs), node, receivedAtMs);
    }
  }
  await log.checkpoint();
  return log;
}

function seconds(quarters: number, node: number): number {
  return quarter(quarters) + (node + 1) * 1000;
}

/** The third and the fourth quarter with every receipt that bounds their ends. */
function fullPart(log: LogBuilder): ProofPart {
  const anchors = [0, 1, 2, 6, 7, 8].map((at) => leafOf(log, "anchor", at).seq);
  const closes = [2, 3].map((at) => leafOf(log, "intervalClose", at).seq);
  const receipt = (at: number): Uint8Array => log.checkpoints[at]?.receipts[0] ?? new Uint8Array(0);
  return partShowing(log, {
    seqs: [...anchors, ...closes].sort((a, b) => a - b),
    receipts: [3, 4, 5, 9, 10, 11].map(receipt),
    anchoredReceipts: [0, 1, 2, 6, 7, 8].map(receipt),
  });
}

function verdictOf(log: LogBuilder, policy: Partial<TrustPolicy>, part = fullPart(log)): EnergyVerdict {
  return energyVerdict(encodeProof({ parts: [part] }), trusting(log, policy));
}

function codeOf(part: ProofPart, policy: TrustPolicy = NOBODY): string | undefined {
  return refusalOf(() => energyVerdict(encodeProof({ parts: [part] }), policy));
}

describe("the ends of a claim", () => {
  let log: LogBuilder;
  beforeAll(async () => {
    log = await witnessedByAll();
  });

  it.each([
    [1, NODES, 3000, 1000],
    [2, NODES, 2000, 2000],
    [3, NODES, 1000, 3000],
    [4, NODES, 1000, 3000],
    [0, NODES, 3000, 1000],
    [1, [nodeB], 2000, 2000],
    [2, [nodeC, nodeA], 1000, 3000],
    [2, [nodeB, nodeB], 2000, 2000],
  ])("lie where %i nodes have to be wrong to move them (%#)", (witnesses, nodes, afterMs, beforeMs) => {
    const { edges } = verdictOf(log, { witnesses, nodeKeys: keysOf(...nodes) });
    expect(edges).toEqual([
      {
        ...{ edge: "opening", timeMs: quarter(2) },
        ...{ notBeforeMs: quarter(1) + afterMs, notAfterMs: quarter(2) + beforeMs },
      },
      {
        ...{ edge: "closing", timeMs: quarter(4) },
        ...{ notBeforeMs: quarter(3) + afterMs, notAfterMs: quarter(4) + beforeMs },
      },
    ]);
  });

  it("are bounded by nobody where no node is trusted", () => {
    expect(verdictOf(log, {}).edges).toEqual([
      { edge: "opening", timeMs: quarter(2) },
      { edge: "closing", timeMs: quarter(4) },
    ]);
  });

  it("are true as long as fewer nodes are wrong than witnesses were asked for", async () => {
    const minute = fc.integer({ min: 0, max: 60_000 });
    const lie = fc.integer({ min: 0, max: 2 * quarter(0) });
    const story = { liar: fc.nat(2), late: fc.array(minute, { minLength: 12, maxLength: 12 }), lie };
    await fc.assert(
      fc.asyncProperty(fc.record(story), async ({ liar, late, lie: lieMs }) => {
        const times: Times = (quarters, node) =>
          node === liar ? lieMs : quarter(quarters) + (late[3 * quarters + node - 3] ?? 0);
        const { edges } = verdictOf(await witnessedByAll(times), { witnesses: 2, nodeKeys: trusted });
        for (const { timeMs, notBeforeMs = NaN, notAfterMs = NaN } of edges) {
          expect(notBeforeMs).toBeLessThanOrEqual(timeMs);
          expect(notAfterMs).toBeGreaterThanOrEqual(timeMs);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("are found by the builder: the last anchor below each, and the first receipts above", () => {
    const { edges, witnesses } = energyVerdict(proofOf(log, 2, 4), trusting(log, { nodeKeys: trusted }));
    expect(edges).toMatchObject([
      { notBeforeMs: quarter(1) + 3000, notAfterMs: quarter(2) + 1000 },
      { notBeforeMs: quarter(3) + 3000, notAfterMs: quarter(4) + 1000 },
    ]);
    expect(witnesses).toHaveLength(1);
  });
});

describe("a device's clock", () => {
  /** What is refused when one node's word comes so much before or after the claim's end by the device's clock. */
  async function code(times: Times, policy: Partial<TrustPolicy> = {}): Promise<string | undefined> {
    const log = await witnessedByAll(times);
    return codeOf(fullPart(log), trusting(log, { nodeKeys: keysOf(nodeA), ...policy }));
  }
  const receiptsAt =
    (offMs: number): Times =>
    (quarters) =>
      quarter(quarters) + (quarters === 4 ? offMs : 0);
  const early =
    (offMs: number): Times =>
    (quarters) =>
      quarter(quarters) + (quarters === 2 ? offMs : 0);
  const anchorsAt =
    (offMs: number): Times =>
    (quarters) =>
      quarter(quarters === 1 ? 2 : quarters) + offMs;

  it("may be off as far as the policy says, and be the reading as old as its manifest says", async () => {
    // A reading may lie 30 s before its boundary.
    for (const times of [receiptsAt, early]) {
      expect(await code(times(-150_000))).toBeUndefined();
      expect(await code(times(-150_001))).toBe("proof-time");
      expect(await code(times(-30_500), { clockToleranceMs: 500 })).toBeUndefined();
      expect(await code(times(-30_501), { clockToleranceMs: 500 })).toBe("proof-time");
    }
    expect(await code(anchorsAt(120_000))).toBeUndefined();
    expect(await code(anchorsAt(120_001))).toBe("proof-time");
    expect(await code(anchorsAt(0), { clockToleranceMs: 0 })).toBeUndefined();
    expect(await code(anchorsAt(1), { clockToleranceMs: 0 })).toBe("proof-time");
  });

  it("contradicts nobody whom the verifier does not trust, nor one wrong node where two are asked for", async () => {
    expect(await code(receiptsAt(-900_000), { nodeKeys: [] })).toBeUndefined();
    const wrongA: Times = (quarters, node) => quarter(quarters) - (node === 0 ? 9_000_000 : 0);
    expect(await code(wrongA)).toBe("proof-time");
    expect(await code(wrongA, { nodeKeys: trusted })).toBe("proof-time");
    expect(await code(wrongA, { nodeKeys: trusted, witnesses: 2 })).toBeUndefined();
  });

  it("is not called wrong because a slow meter was read long before the boundary", async () => {
    const log = openedLog();
    log.manifest({ samplingMs: 300_000 });
    log.readMany(1, { stepMs: 100_000, risesMwh: 1 });
    for (let at = 0; at < 10; at++) {
      log.readMany(1, { stepMs: 300_000, risesMwh: 1 });
      await log.checkpoint();
      await log.receive(nodeA, log.timeMs);
    }
    const policy = trusting(log, { nodeKeys: trusted, clockToleranceMs: 0 });
    const { edges } = energyVerdict(proofOf(log, 2, 3), policy);
    expect(edges[0]?.notAfterMs).toBe(quarter(2) - 200_000);
  });

  it("is not believed further by a manifest that calls for a reading a day", async () => {
    const day = { intervalMs: 86_400_000 };
    const manifest = lawless.manifest;
    const codeAt = async (receivedAtMs: number): Promise<string | undefined> => {
      const log = lawlessLog([{ ...manifest, samplingMs: 86_400_000 }], { manifest: day });
      const seq = say(log, lawless.close(naming(log, 1)));
      await signNow(log);
      const receipts = [await receiptOver(log, { node: nodeA, size: 3, receivedAtMs })];
      return codeOf(partShowing(log, { seqs: [seq], receipts }), trusting(log, { nodeKeys: trusted }));
    };
    expect(await codeAt(quarter(1) - 1_920_000)).toBeUndefined();
    expect(await codeAt(quarter(1) - 1_920_001)).toBe("proof-time");
  });
});

describe("what bounds nothing", () => {
  it("is a receipt or an anchor by rules that are not known", async () => {
    const log = await witnessedByAll();
    const [, , , , , , , , , , , last] = log.checkpoints;
    const size = last?.checkpoint.size ?? 0;
    const seqs = [leafOf(log, "intervalClose", 3).seq];
    const receivedAtMs = quarter(4);
    const verdictBy = async (ruleVersion: number): Promise<EnergyVerdict> => {
      const receipts = [await receiptOver(log, { node: nodeA, size, receivedAtMs }, { ruleVersion })];
      return verdictOf(log, { nodeKeys: trusted }, partShowing(log, { seqs, receipts }));
    };
    expect(await verdictBy(1)).toMatchObject({
      standing: "witnessed",
      edges: [{ notAfterMs: receivedAtMs }, {}],
    });
    const unknown = await verdictBy(2);
    expect(unknown).toMatchObject({ standing: "device-asserted", witnesses: [] });
    for (const edge of unknown.edges) expect(edge).not.toHaveProperty("notAfterMs");
  });

  it("is an anchor of a receipt by rules that are not known", async () => {
    const log = lawlessLog([lawless.manifest]);
    const about = { node: nodeA, size: 2, receivedAtMs: quarter(0) };
    const strange = await receiptOver(log, about, { ruleVersion: 2 });
    const anchor = say(log, anchorLeaf(log, strange, about));
    const seq = say(log, lawless.close({ openingSeq: 3, closingSeq: 3 }));
    say(log, lawless.manifest);
    const close = say(log, lawless.close({ openingSeq: 3, closingSeq: 4, previousCloseSeq: seq }));
    await signNow(log);
    const receipts = [await receiptOver(log, { node: nodeA, size: close + 1, receivedAtMs: quarter(1) })];
    const shown = { seqs: [anchor, close], manifests: [0, 1], receipts, anchoredReceipts: [strange] };
    const [opening] = verdictOf(log, { nodeKeys: trusted }, partShowing(log, shown)).edges;
    expect(opening).toEqual({ edge: "opening", timeMs: quarter(0), notAfterMs: quarter(1) });
  });

  it("is a trusted node's word while only the device says which reading it was", async () => {
    // The device had nothing but its manifests receipted, long ago, and lets a close name those as its readings.
    const log = lawlessLog([lawless.manifest]);
    const about = { node: nodeA, size: 1, receivedAtMs: quarter(0) };
    const early = await receiptOver(log, about);
    const anchor = say(log, anchorLeaf(log, early, about));
    for (let at = 0; at < 3; at++) say(log, lawless.manifest);
    const close = say(log, lawless.close({ closingSeq: 4 }));
    await signNow(log);
    const part = { seqs: [anchor, close], manifests: [0, 1], receipts: [early] };
    for (const edge of verdictOf(log, { nodeKeys: trusted }, partShowing(log, part)).edges)
      expect(edge).toEqual({ edge: edge.edge, timeMs: edge.timeMs });
    const checked = await receiptOver(log, { node: nodeB, size: close + 1, receivedAtMs: quarter(1) });
    const vouched = partShowing(log, { ...part, receipts: [early, checked] });
    expect(verdictOf(log, { nodeKeys: trusted }, vouched).edges).toMatchObject([
      { notAfterMs: quarter(0) },
      { notBeforeMs: quarter(0), notAfterMs: quarter(1) },
    ]);
  });
});
