import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { comfortOf, isWanted, paceFor } from "../../agent/journal/pace.ts";
import { journalProofSource } from "../../agent/journal/proof-source.ts";
import { compareWelcome } from "../../agent/uplink/signing-gate.ts";
import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { buildFlexibilityProof, buildProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { RULE_VERSION } from "../../attest/receipt.ts";
import { judge } from "../../attest/verdict.ts";
import { testSigner } from "../kit/log-builder.ts";
import { fsck, MEBIBYTE, nodeSigner, type Station, useStations } from "./journal/ledger-kit.ts";
import { deviceSigner, meterSource } from "./kit.ts";

const DAY_MS = 86_400_000;
const nodes = [nodeSigner.publicKey];
const station = useStations();

/** Rounds of readings, each signed and receipted, with what a battery could do in between. */
async function fill(one: Station, rounds: number): Promise<Station> {
  const { sealer } = one.ledger;
  for (let round = 0; round < rounds; round++) {
    one.read(70);
    const channel = sealer.channel(meterSource());
    const evidence = new Uint8Array(32).fill(3);
    sealer.sealFlexibility(channel, { channel: "grid", available: true, stateOfChargePpm: round, evidence });
    await one.witness();
  }
  return one;
}

/** Until nothing more goes. */
function releaseAll(one: Station): void {
  for (let before = -1; one.ledger.status().released > before; ) {
    before = one.ledger.status().released;
    one.ledger.tick();
  }
}

function kinds(one: Station): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of one.leaves(1)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** A proof of each close and of each flexibility reading of the log. */
function proofs(one: Station): string[] {
  const source = journalProofSource(one.ledger.log.journal, { ...one.ledger.log.identity, epoch: 1 });
  const signed = one.ledger.log.journal.lastCheckpoint(1)?.size ?? 0;
  return one.leaves(1).flatMap((leaf) => {
    if (leaf.seq >= signed) return [];
    if (leaf.kind === "flexibility") return [toHex(buildFlexibilityProof(source, leaf.seq))];
    if (leaf.kind !== "intervalClose") return [];
    return [toHex(buildProof(source, { channel: leaf.channel, fromMs: leaf.t0Ms, toMs: leaf.t1Ms }))];
  });
}

describe("retention", () => {
  it("releases readings after their days, and nothing else; every proof stays what it was", async () => {
    const one = await fill(station({ nodes }), 20);
    const before = proofs(one);
    const counts = kinds(one);
    one.time.advance(89 * DAY_MS);
    releaseAll(one);
    expect(one.ledger.status().released).toBe(0);
    one.time.advance(2 * DAY_MS);
    releaseAll(one);
    const { released } = one.ledger.status();
    expect(released).toBeGreaterThan(1000);
    expect(proofs(one).slice(0, before.length)).toEqual(before);
    const [last = ""] = before.slice(-1);
    const proof = verifyProof(nativeSuite, Buffer.from(last, "hex"));
    const trust = { deviceKeys: [deviceSigner.publicKey], nodeKeys: nodes, witnesses: 1 };
    expect(judge(nativeSuite, proof, trust)).toMatchObject({ standing: "witnessed" });
    const now = kinds(one);
    expect({ ...now, tombstone: 0, clockStep: 0 }).toMatchObject({
      ...{ ...counts, reading: (counts["reading"] ?? 0) - released, intervalClose: now["intervalClose"] },
      anchor: now["anchor"],
    });
    expect(fsck(one.path)).toEqual([]);
  });

  it("says in the log what is gone", async () => {
    const one = await fill(station({ nodes }), 12);
    one.time.advance(91 * DAY_MS);
    releaseAll(one);
    const tombstones = one.leaves().flatMap((leaf) => (leaf.kind === "tombstone" ? [leaf] : []));
    const covered = tombstones.reduce((sum, { count }) => sum + count, 0);
    expect(tombstones[0]).toMatchObject({ firstSeq: 0, reason: "age" });
    const rest = one
      .leaves()
      .filter((leaf) => leaf.kind === "reading")
      .map(({ seq }) => seq);
    expect(Math.min(...rest)).toBe(covered);
    expect(covered % 256).toBe(0);
  });

  it("waits for the slowest of the configured nodes", async () => {
    const slow = testSigner(0xb);
    const one = await fill(station({ nodes: [...nodes, slow.publicKey] }), 15);
    one.time.advance(91 * DAY_MS);
    releaseAll(one);
    expect(one.ledger.status().released).toBe(0);
    const { rules } = one.ledger.sealer;
    const size = await one.ledger.checkpoint();
    const receipt = { manifestHash: rules.manifestHash, root: rules.root(), ruleVersion: RULE_VERSION };
    await one.receipt({ ...receipt, size, receivedAtMs: one.time.wall }, slow);
    releaseAll(one);
    // The receipts under which it went are those that it had then.
    expect(one.ledger.status().released).toBeGreaterThan(0);
  });

  it("goes on in the same log after a restart, and hands out the batches behind what is gone", async () => {
    const one = await fill(station({ nodes }), 15);
    one.time.advance(91 * DAY_MS);
    releaseAll(one);
    one.read(5);
    await one.ledger.checkpoint();
    const { size } = one.ledger.sealer.rules;
    const root = one.ledger.sealer.rules.root();
    const from = one.ledger.log.journal.receiptedSize(1, nodeSigner.publicKey);
    one.close();
    const two = station({ path: one.path, time: one.time, nodes });
    expect(two.epoch).toBe(1);
    expect(two.ledger.sealer.rules.size).toBe(size);
    expect(two.ledger.sealer.rules.root()).toEqual(root);
    const { journal } = two.ledger.log;
    expect(journal.batchAfter(1, from, 1000)?.size).toBe(size);
    expect(() => journal.batchAfter(1, 0, 1000)).toThrow(
      expect.objectContaining({ code: "journal-released" }),
    );
    expect(two.ledger.log.journal.fault).toBeUndefined();
  });

  it("begins an epoch for a node that needs what is gone, and not for one that does not", async () => {
    const one = await fill(station({ nodes }), 15);
    const early = one.ledger.log.journal.signedSizes(1, { from: 0, to: 200 })[1] ?? 0;
    const checkpoint = new Uint8Array(one.ledger.log.journal.checkpointAt(1, early) ?? []);
    one.time.advance(91 * DAY_MS);
    releaseAll(one);
    // A node that was put back from a copy is still answered: the root of what it holds is known.
    const welcome = { type: "welcome", epoch: 1, checkpoint } as const;
    const standing = compareWelcome(welcome, one.ledger.log.journal, one.ledger.log.identity);
    expect(standing).toEqual({ size: early });
    expect(one.ledger.epochFor(early)).toMatchObject({ epoch: 2 });
    expect(
      one.ledger.epochFor(one.ledger.log.journal.receiptedSize(1, nodeSigner.publicKey)),
    ).toBeUndefined();
  });

  it("opens the next epoch in the same file where the saved state cannot be read any more", async () => {
    const one = await fill(station({ nodes }), 15);
    one.time.advance(91 * DAY_MS);
    releaseAll(one);
    one.read(9).close();
    const sealed = one.sealed.slice(-9);
    const other = new Database(one.path);
    other.exec(`UPDATE note SET value = replace(value, '"version":1', '"version":9') WHERE name = 'rules'`);
    other.close();
    const two = await station({ path: one.path, time: one.time, nodes }).settle();
    expect(two.epoch).toBe(2);
    expect(two.setAside()).toEqual([]);
    // What waited when it was closed was not written; what was is there, and what no node had is in the new epoch.
    expect(two.leaves(2)[1]).toMatchObject({
      kind: "epochOpen",
      reason: expect.stringContaining("another version"),
    });
    expect(two.registers(2).filter((register) => sealed.includes(register))).toEqual(two.registers(2));
    expect(fsck(one.path)).toEqual([]);
  });

  it("gives room back a little at a time, and keeps some for what comes", async () => {
    const one = await fill(station({ nodes, keeping: { maxBytes: 64 * MEBIBYTE } }), 1);
    const other = new Database(one.path);
    other.exec(
      "CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000)\
      SELECT randomblob(4000) AS b FROM n; DROP TABLE ballast",
    );
    other.close();
    const { journal } = one.ledger.log;
    const first = journal.pages();
    expect(first.free).toBeGreaterThan(3900);
    one.ledger.tick();
    expect(first.pages - journal.pages().pages).toBe(64);
    for (let tick = 0; tick < 60; tick++) one.ledger.tick();
    expect(journal.pages().free).toBe(2048);
    journal.foldIn();
    expect(statSync(one.path).size).toBeLessThan(10 * MEBIBYTE);
  });
});

describe("the pace of sampling", () => {
  it("halves each time that half of the room is gone", () => {
    const comfort = comfortOf(4096 * MEBIBYTE);
    expect([2, 1, 0.99, 0.5, 0.26, 0.001, 0, -1].map((part) => paceFor(part * comfort, comfort))).toEqual([
      1, 1, 2, 2, 4, 512, 0, 0,
    ]);
  });

  it("takes the last sample of every interval, however slow it is", () => {
    const terms = { samplingMs: 1000, intervalMs: 900_000 };
    const taken: number[] = [];
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 1000)
      if (isWanted(512, terms, { nowMs, lastMs: taken.at(-1) })) taken.push(nowMs);
    for (const boundaryMs of [900_000, 1_800_000, 2_700_000])
      expect(taken.some((ms) => ms <= boundaryMs && ms >= boundaryMs - 30_000)).toBe(true);
    expect(taken.length).toBeLessThan(16);
  });

  it("is every sample, one of n, or none", () => {
    const terms = { samplingMs: 1000, intervalMs: 3_600_000 };
    const count = (pace: number): number => {
      let lastMs: number | undefined;
      let taken = 0;
      for (let nowMs = 500; nowMs < 1_000_500; nowMs += 1000) {
        if (!isWanted(pace, terms, { nowMs: nowMs + (nowMs % 7) * 20, lastMs })) continue;
        lastMs = nowMs;
        taken += 1;
      }
      return taken;
    };
    expect([count(1), count(0)]).toEqual([1000, 0]);
    expect(count(4)).toBe(250);
  });
});
