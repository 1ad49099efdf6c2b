import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentClock, type ClockSource } from "../../agent/clock/clock.ts";
import { openLog } from "../../agent/journal/open-log.ts";
import { journalProofSource } from "../../agent/journal/proof-source.ts";
import type { ChannelSource } from "../../agent/sealing/leaves.ts";
import { Sealer } from "../../agent/sealing/sealer.ts";
import { DISCONTINUITY, type Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { verifyBatch } from "../../attest/stream-verifier.ts";
import { judge } from "../../attest/verdict.ts";

const INTERVAL_MS = 60_000;
const START = Date.UTC(2026, 10, 1, 12, 0, 30);
const signer = nativeSigner(new Uint8Array(32).fill(7));

class FakeTime implements ClockSource {
  wall = START;
  monotonic = 1000;
  wallMs(): number {
    return this.wall;
  }
  monotonicMs(): number {
    return this.monotonic;
  }
  sinceBootMs(): number {
    return this.monotonic;
  }
  synchronised(): boolean {
    return true;
  }
  advance(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

function source(serial = "A1"): ChannelSource {
  return {
    driver: "test",
    samplingMs: 5000,
    identity: { make: "Make", model: "Model", serial, firmware: "" },
    description: {
      name: "grid",
      role: "grid",
      quantities: ["import", "export", "power"],
      resolutionMwh: 1000,
    },
    settings: { name: "meter/grid" },
  };
}

function reading(importMwh: number): Parameters<Sealer["sealReading"]>[1] {
  return {
    channel: "grid",
    importMwh,
    exportMwh: 5000,
    activePowerMw: 1_000_000,
    evidence: new Uint8Array(32).fill(1),
  };
}

describe("sealer and journal", () => {
  let folder = "";
  let time = new FakeTime();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kw-sealer-"));
    time = new FakeTime();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function open(): { sealer: Sealer; log: ReturnType<typeof openLog> } {
    const log = openLog({
      path: join(folder, "journal.sqlite"),
      network: "test",
      deviceKey: signer.publicKey,
      nowMs: 1,
    });
    const clock = new AgentClock(time);
    const sealer = new Sealer({
      journal: log.journal,
      clock,
      signer,
      saltKey: new Uint8Array(32),
      rules: log.rules,
      openBlock: log.openBlock,
      bootCount: 1,
    });
    if (sealer.rules.size > 0) sealer.reconcileClock();
    else {
      const { epoch } = log.identity;
      sealer.open(
        {
          network: "test",
          epoch,
          deviceKey: signer.publicKey,
          agentVersion: "t",
          assuranceTier: 0,
          bootCount: 1,
          intervalMs: INTERVAL_MS,
        },
        log.reason === undefined ? undefined : { reason: log.reason },
      );
    }
    return { sealer, log };
  }

  function leaves(log: ReturnType<typeof openLog>): Leaf[] {
    return log.journal.leaves(log.identity.epoch, 0, log.journal.size(log.identity.epoch)).map(decodeLeaf);
  }

  it("closes each interval on its boundary readings, and a verifier agrees with every leaf", async () => {
    const { sealer, log } = open();
    const channel = sealer.channel(source());
    for (let i = 0; i < 40; i++) {
      sealer.sealReading(channel, reading(1_000_000 + i * 1389));
      time.advance(5000);
    }
    await sealer.checkpoint();
    const batch = log.journal.batchAfter(1, 0, 4096);
    expect(batch?.size).toBe(sealer.durableSize);
    if (batch === undefined) return;
    const rules = new LogRules(nativeSuite, log.identity);
    const verified = verifyBatch(nativeSuite, rules, batch);
    const closes = verified.leaves.others.filter((leaf) => leaf.kind === "intervalClose");
    expect(closes.map(({ t1Ms }) => t1Ms % INTERVAL_MS)).toEqual([0, 0, 0]);
    expect(closes[1]?.openingImportMwh).toBe(closes[0]?.closingImportMwh);
    const [, second] = closes;
    if (second === undefined) return;
    const proof = buildProof(journalProofSource(log.journal, log.identity), {
      channel,
      fromMs: second.t0Ms,
      toMs: second.t1Ms,
    });
    const verdict = judge(nativeSuite, verifyProof(nativeSuite, proof), {
      deviceKeys: [signer.publicKey],
      nodeKeys: [],
      witnesses: 2,
    });
    // 12 readings of 1,389 mWh each lie between the two boundaries.
    const wh = Math.floor((1_000_000 + 18 * 1389) / 1000) - Math.floor((1_000_000 + 6 * 1389) / 1000);
    expect(verdict).toMatchObject({ claim: "energy", import: { wh }, standing: "device-asserted" });
    log.journal.close();
  });

  it("goes on in the same log after a restart and states a long pause as a gap", async () => {
    const first = open();
    const channel = first.sealer.channel(source());
    for (let i = 0; i < 10; i++) {
      first.sealer.sealReading(channel, reading(1_000_000 + i * 1000));
      time.advance(5000);
    }
    first.sealer.commit();
    first.log.journal.close();
    time.advance(10 * INTERVAL_MS);
    const second = open();
    expect(second.sealer.channel(source())).toBe(channel);
    second.sealer.sealReading(channel, reading(2_000_000));
    second.sealer.sealReading(channel, reading(2_000_500));
    await second.sealer.checkpoint();
    const kinds = leaves(second.log).map((leaf) => leaf.kind);
    expect(kinds.filter((kind) => kind === "logManifest" || kind === "channelManifest")).toHaveLength(2);
    const gap = leaves(second.log).find((leaf) => leaf.kind === "discontinuity");
    expect(gap).toMatchObject({
      classification: DISCONTINUITY.gap,
      oldImportMwh: 1_009_000,
      newImportMwh: 2_000_000,
    });
    const batch = second.log.journal.batchAfter(1, 0, 4096);
    if (batch === undefined) throw new Error("nothing signed");
    expect(
      verifyBatch(nativeSuite, new LogRules(nativeSuite, second.log.identity), batch).checkpoint.size,
    ).toBe(kinds.length);
    second.log.journal.close();
  });

  it("states a replaced meter, and a clock step of two weeks both ways", async () => {
    const { sealer, log } = open();
    const channel = sealer.channel(source("A1"));
    const clock = new AgentClock(time);
    for (let i = 0; i < 10; i++) {
      sealer.sealReading(channel, reading(1_000_000 + i * 1000));
      time.advance(5000);
    }
    sealer.channel(source("B2"));
    sealer.sealReading(channel, reading(10_000));
    for (const days of [-14, 14]) {
      const before = clock.now();
      time.wall += days * 86_400_000;
      time.advance(1);
      const after = { timeMs: time.wall, timeQuality: before.timeQuality };
      sealer.stepClock({ before: { ...before, timeMs: sealer.rules.lastTime.timeMs }, after });
    }
    sealer.commit();
    const kinds = leaves(log).map((leaf) => leaf.kind);
    expect(kinds.filter((kind) => kind === "clockStep")).toHaveLength(2);
    const replaced = leaves(log).find((leaf) => leaf.kind === "discontinuity");
    expect(replaced).toMatchObject({ classification: DISCONTINUITY.meterReplaced, newImportMwh: 10_000 });
    await sealer.checkpoint();
    const batch = log.journal.batchAfter(1, 0, 4096);
    if (batch === undefined) throw new Error("nothing signed");
    verifyBatch(nativeSuite, new LogRules(nativeSuite, log.identity), batch);
    log.journal.close();
  });

  it("sets a damaged journal aside and opens the next epoch, which says so", () => {
    const { sealer, log } = open();
    sealer.commit();
    log.journal.close();
    writeFileSync(join(folder, "journal.sqlite"), "this was a database once".repeat(500));
    rmSync(join(folder, "journal.sqlite-wal"), { force: true });
    const next = open();
    next.sealer.commit();
    expect(next.log.identity.epoch).toBe(2);
    expect(next.log.damaged?.problem.code).toBe("database-damaged");
    expect(next.log.damaged?.movedTo).toContain("journal.sqlite.damaged-1");
    expect(leaves(next.log).map((leaf) => leaf.kind)).toEqual(["logManifest", "epochOpen"]);
    next.log.journal.close();
  });

  it("does not begin an epoch a second time when the journal is deleted", () => {
    const { sealer, log } = open();
    sealer.commit();
    log.journal.close();
    for (const suffix of ["", "-wal", "-shm"])
      rmSync(join(folder, `journal.sqlite${suffix}`), { force: true });
    const next = open();
    expect(next.log.identity.epoch).toBe(2);
    next.log.journal.close();
  });
});
