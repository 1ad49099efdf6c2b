import { beforeAll, describe, expect, it } from "vitest";
import { DISCONTINUITY, TIME_QUALITY, type Unplaced } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { decodeProof, encodeProof, type ProofPart } from "../../attest/proof.ts";
import { buildFlexibilityProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { verdictWords } from "../../attest/verdict-words.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { countersigned, rotation, statement } from "./key-life-kit.ts";
import {
  anchoredNow,
  anchorLeaf,
  flexibilityVerdict,
  keysOf,
  lawless,
  lawlessLog,
  naming,
  nodeA,
  nodeB,
  openedLog,
  partShowing,
  patientSuite,
  quarter,
  receiptOver,
  receiptsNow,
  say,
  signNow,
  trusting,
} from "./proof-kit.ts";
import { flippedBits, refusalOf } from "./refusal.ts";

const trusted = keysOf(nodeA, nodeB);
const VALUES = {
  ...{ boundary: 2, averagePowerMw: -1_500_250, reducePowerMw: 5_000_000, reduceDurationMs: 1_800_000 },
  ...{
    increasePowerMw: 2_000_000,
    stateOfChargePpm: 625_000,
    usableEnergyMwh: 6_400_000,
    capacityMwh: 10_000_000,
  },
  ...{ responseMs: 2500, rampMwPerSecond: 500_000, setpointMw: -250, basis: 1 },
};

function codeOf(...parts: readonly ProofPart[]): string | undefined {
  return refusalOf(() => verifyProof(patientSuite, encodeProof({ parts })));
}

describe("a proof of a flexibility reading", () => {
  let log: LogBuilder;
  let seq = 0;
  let bytes = new Uint8Array(0) as Uint8Array;

  beforeAll(async () => {
    log = openedLog();
    log.readMany(2, { stepMs: 5000, risesMwh: 1 });
    await anchoredNow(log, [nodeB, nodeA]);
    log.timeMs += 5000;
    seq = log.flexibility(VALUES).leaf.seq;
    log.timeMs += 5000;
    await receiptsNow(log, [nodeA, nodeB]);
    bytes = buildFlexibilityProof(log.proofSource(), seq);
  });

  it("shows what it says, of which channel and meter, and when it was written", () => {
    const policy = trusting(log, { nodeKeys: trusted, witnesses: 2 });
    const verdict = flexibilityVerdict(bytes, policy, nativeSuite);
    expect(flexibilityVerdict(bytes, policy, portableSuite)).toEqual(verdict);
    expect(verdict).toMatchObject({
      ...{ claim: "flexibility", trust: "device", standing: "witnessed", atMs: quarter(0) + 15_000 },
      ...{ channel: { number: 1, name: "meter/grid" }, meter: { serial: "4711" } },
    });
    expect(verdict.flexibility).toEqual({ ...VALUES, availability: 1 });
    expect(verdict.edges).toEqual([
      {
        ...{ edge: "reading", timeMs: quarter(0) + 15_000 },
        ...{ notBeforeMs: quarter(0) + 10_000, notAfterMs: quarter(0) + 20_000 },
      },
    ]);
    const text = verdictWords(verdict).join("\n");
    for (const words of [
      "flexibility of the site at 2026-01-05T12:00:15Z UTC, by the device's clock: available",
      "state of charge 62.5 %",
      "power -1500.25 W",
      "can reduce by 5000 W",
      "can reduce for 1800 s",
      "setpoint -0.25 W",
      "responds after 2.5 s",
      "written after 2026-01-05T12:00:10Z (5.0 s earlier); written before 2026-01-05T12:00:20Z (5.0 s later)",
      "that the device would do what it says",
    ])
      expect(text).toContain(words);
  });

  it("needs no witness to check which reading it was: it is there", async () => {
    const early = await receiptOver(
      log,
      { node: nodeA, size: seq + 1, receivedAtMs: quarter(0) + 16_000 },
      { ruleVersion: 2 },
    );
    const unknown = partShowing(log, { seqs: [seq], receipts: [early] });
    const policy = trusting(log, { nodeKeys: trusted });
    expect(flexibilityVerdict(encodeProof({ parts: [unknown] }), policy).standing).toBe("device-asserted");
    const [part = unknown] = decodeProof(bytes).parts;
    const { edges } = flexibilityVerdict(encodeProof({ parts: [part] }), {
      ...policy,
      nodeKeys: keysOf(nodeB),
    });
    expect(edges[0]).toMatchObject({ notBeforeMs: quarter(0) + 10_000, notAfterMs: quarter(0) + 20_000 });
  });

  it("is refused when the device's clock contradicts trusted nodes", async () => {
    const at = async (receivedAtMs: number): Promise<string | undefined> => {
      const receipts = [await receiptOver(log, { node: nodeA, size: log.leaves.length, receivedAtMs })];
      const file = encodeProof({ parts: [partShowing(log, { seqs: [seq], receipts })] });
      return refusalOf(() =>
        flexibilityVerdict(file, trusting(log, { nodeKeys: trusted, clockToleranceMs: 7 })),
      );
    };
    expect(await at(quarter(0) + 15_000 - 7)).toBeUndefined();
    expect(await at(quarter(0) + 15_000 - 8)).toBe("proof-time");
  });

  it("is refused with any single bit flipped, its enrolment and a rotation among them", async () => {
    const enrolment = [await statement(), await countersigned(), await rotation()];
    // Receipts and anchors are flipped in the proofs of energy.
    const file = encodeProof({ parts: [partShowing(log, { seqs: [seq] })], enrolment });
    expect(refusalOf(() => verifyProof(patientSuite, file))).toBeUndefined();
    let at = 0;
    for (const flipped of flippedBits(file)) {
      if (refusalOf(() => verifyProof(patientSuite, flipped)) === undefined)
        expect(`bit ${at}`).toBe("refused");
      at += 1;
    }
    expect(at).toBe(8 * file.length);
    console.log(`proof of a flexibility reading, ${file.length} bytes: ${at} flipped bits refused`);
  }, 180_000);

  it("is not built of another leaf, nor before a checkpoint covers it", async () => {
    const fresh = openedLog();
    const build = (of: number): string | undefined =>
      refusalOf(() => buildFlexibilityProof(fresh.proofSource(), of));
    fresh.flexibility();
    expect(build(fresh.leaves.length - 1)).toBe("proof-unsigned");
    expect(build(fresh.leaves.length - 2)).toBe("proof-no-reading");
    await fresh.checkpoint();
    expect(build(fresh.leaves.length - 1)).toBeUndefined();
  });
});

describe("a dishonest flexibility proof", () => {
  const { manifest, time, close } = lawless;
  const naming1 = naming(lawlessLog([manifest]), 1);
  const flexible: Unplaced = {
    ...{ kind: "flexibility", channel: 1, ...time, boundary: 1, availability: 1 },
    ...naming1,
  };

  async function code(leaves: readonly Unplaced[], seqs: readonly number[]): Promise<string | undefined> {
    const log = lawlessLog([manifest, ...leaves]);
    await signNow(log);
    return codeOf(partShowing(log, { seqs }));
  }

  it("is refused with a second reading or with any other claim", async () => {
    expect(await code([flexible], [2])).toBeUndefined();
    expect(await code([flexible, flexible], [2, 3])).toBe("proof-leaf");
    expect(await code([flexible, close()], [2, 3])).toBe("proof-leaf");
    expect(await code([close(), flexible], [2, 3])).toBe("proof-leaf");
    const gap = { classification: DISCONTINUITY.gap, gapFromMs: 0, gapToMs: 0 };
    expect(await code([flexible, { kind: "discontinuity", channel: 1, ...time, ...gap }], [2, 3])).toBe(
      "proof-leaf",
    );
    expect(await code([flexible, { kind: "tamper", ...time, input: "lid", state: 1 }], [2, 3])).toBe(
      "proof-leaf",
    );
  });

  it("is refused over two logs, whichever holds the reading", async () => {
    const one = lawlessLog([manifest, flexible, close()]);
    const end = (await signNow(one)).checkpoint;
    const names = { oldLogId: one.rules.logId, oldSize: end.size, oldRoot: end.root };
    const two = lawlessLog([{ kind: "epochOpen", ...time, ...names, reason: "restart" }, manifest], {
      epoch: 2,
    });
    const next = say(
      two,
      close({ ...naming(two, 2), t0Ms: quarter(1), t1Ms: quarter(2), openingImportMwh: 9000 }),
    );
    const late = say(two, { ...flexible, ...naming(two, 2) });
    await signNow(two);
    const parts = (a: readonly number[], b: readonly number[]): string | undefined =>
      codeOf(partShowing(one, { seqs: a }), partShowing(two, { seqs: b }));
    expect(parts([3], [1, next])).toBeUndefined();
    expect(parts([2], [1, next])).toBe("proof-leaf");
    expect(parts([3], [1, late])).toBe("proof-leaf");
    expect(parts([3], [1, next, late])).toBe("proof-leaf");
    expect(parts([2], [1, late])).toBe("proof-leaf");
  });

  it("is refused under a manifest that is missing, another one, or one more", async () => {
    expect(await code([{ ...flexible, manifestSeq: 0 }], [2])).toBe("proof-manifest");
    expect(await code([{ ...flexible, manifestHash: new Uint8Array(32) }], [2])).toBe("proof-manifest");
    expect(await code([{ ...flexible, channel: 2 }], [2])).toBe("proof-manifest");
    expect(await code([flexible, manifest], [2])).toBe("proof-leaf");
    const log = lawlessLog([manifest, flexible]);
    await signNow(log);
    expect(codeOf(partShowing(log, { seqs: [2], manifests: [0] }))).toBe("proof-manifest");
  });

  it("is refused from before the device knew the time", async () => {
    for (const [name, timeQuality] of Object.entries(TIME_QUALITY)) {
      const known = timeQuality >= TIME_QUALITY.batteryClock;
      expect([name, await code([{ ...flexible, timeMs: 5, timeQuality }], [2])]).toEqual([
        name,
        known ? undefined : "proof-time",
      ]);
    }
  });

  it("is refused with an anchor behind it, or a receipt that does not cover it", async () => {
    const log = lawlessLog([manifest, flexible]);
    const about = { node: nodeA, size: 2, receivedAtMs: quarter(0) };
    const receipt = await receiptOver(log, about);
    const anchor = say(log, anchorLeaf(log, receipt, about));
    const later = say(log, flexible);
    await signNow(log);
    expect(codeOf(partShowing(log, { seqs: [2, anchor], anchoredReceipts: [receipt] }))).toBe("proof-anchor");
    expect(codeOf(partShowing(log, { seqs: [anchor, later], anchoredReceipts: [receipt] }))).toBeUndefined();
    expect(codeOf(partShowing(log, { seqs: [2], receipts: [receipt] }))).toBe("receipt-mismatch");
    const covering = await receiptOver(log, { ...about, size: 3 });
    expect(codeOf(partShowing(log, { seqs: [2], receipts: [covering] }))).toBeUndefined();
  });
});
