import { describe, expect, it } from "vitest";
import { buildSettlementProof } from "../../../attest/flexibility/proof-build.ts";
import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import { settlementBody } from "../../../attest/flexibility/settle.ts";
import { judgeSettlement, type SettlementVerdict } from "../../../attest/flexibility/verdict.ts";
import { settlementWords } from "../../../attest/flexibility/verdict-words.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { portableSuite } from "../../../attest/portable.ts";
import { sealedFromJson, sealedToJson } from "../../../attest/pretty.ts";
import { anchoredNow, keysOf, nodeA, nodeB, nodeC, receiptsNow, trusting } from "../proof-kit.ts";
import { problemOf } from "../refusal.ts";
import {
  BEGIN_MS,
  DAY_MS,
  EVENT_END_MS,
  EVENT_MS,
  HOUR_MS,
  ISSUED_MS,
  id,
  lived,
  USUAL_MWH,
  usualEnergy,
  type World,
} from "./proof-kit.ts";

async function proofOf(
  world: World,
  list: Promise<Uint8Array> | undefined = world.list(),
): Promise<Uint8Array> {
  const { commitmentSeq } = world;
  return buildSettlementProof(world.source(), { commitmentSeq, ...(list && { list: await list }) });
}

function judged(world: World, bytes: Uint8Array, nodes = [nodeA, nodeB]): SettlementVerdict {
  const policy = trusting(world.log, { nodeKeys: keysOf(...nodes), witnesses: 2 });
  return judgeSettlement(nativeSuite, verifySettlement(nativeSuite, bytes), policy);
}

function codes(remarks: readonly { readonly code: string }[]): string[] {
  return remarks.map(({ code }) => code).sort();
}

describe("a settlement proof", () => {
  it("leads to what was delivered, from its leaves alone, by either suite", async () => {
    const world = await lived();
    const bytes = await proofOf(world);
    const verdict = judged(world, bytes);
    expect(verdict).toMatchObject({
      ...{ claim: "settlement", counts: true, faults: [], standing: "witnessed", trust: "device" },
      counterparty: { trusted: true },
      commitment: { direction: "reduce", boundary: "device", baselineMethod: "h10/1" },
      dispatches: [
        {
          listed: true,
          acknowledgements: [{ state: "accepted" }, { state: "started" }, { state: "succeeded" }],
        },
      ],
      settled: { called: true, result: "delivered", completenessPpm: 1_000_000 },
    });
    // By hand: 1 kWh an hour is usual, 0.4 kWh were used, 0.5 kWh were asked for; 120 % of that are 0.6 kWh.
    expect(verdict.settled.totals).toEqual({
      ...{ baselineMwh: 2_000_000, actualMwh: 800_000, deliveredMwh: 1_200_000 },
      ...{ committedMwh: 1_000_000, countedMwh: 1_200_000, shortfallMwh: 0, reboundMwh: 0 },
    });
    expect(verdict.settled.days[0]?.usedDays).toHaveLength(10);
    expect(codes(verdict.remarks)).toEqual(["account-missing"]);
    const portable = verifySettlement(portableSuite, bytes);
    expect(portable.settled).toEqual(verifySettlement(nativeSuite, bytes).settled);
  });

  it("begins with the oldest day that the method looked at, and ends with the rebound", async () => {
    const world = await lived();
    const { closes, span } = verifySettlement(nativeSuite, await proofOf(world));
    expect(span).toEqual({ fromMs: Date.UTC(2026, 0, 5, 23), toMs: EVENT_END_MS + 2 * HOUR_MS });
    expect(closes[0].t0Ms).toBe(span.fromMs);
    expect(closes.at(-1)?.t1Ms).toBe(span.toMs);
    expect(closes).toHaveLength((span.toMs - span.fromMs) / HOUR_MS);
  });

  it("is shown as JSON and back, and in words of at most 100 columns", async () => {
    const world = await lived();
    const bytes = await proofOf(world);
    expect(sealedFromJson(sealedToJson(bytes))).toEqual(bytes);
    const verdict = judged(world, bytes);
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
    const words = settlementWords(verdict);
    expect(words[0]).toBe("valid, and it counts: delivered, witnessed");
    expect(words.filter((line) => line.length > 100)).toEqual([]);
    expect(words.join("\n")).toContain(
      "          2026-01-20 16:00       1.000000   0.400000   0.600000   0.600000   0.500000",
    );
  });

  it("takes the device's own account beside what it computes", async () => {
    const world = await lived();
    const { settled } = verifySettlement(nativeSuite, await proofOf(world));
    const place = { channel: 1, commitmentSeq: world.commitmentSeq };
    world.append({ ...world.log.time(), ...settlementBody(settled, place) });
    await receiptsNow(world.log, [nodeA, nodeB]);
    const honest = judged(world, await proofOf(world));
    expect([honest.account?.agrees, honest.counts, codes(honest.remarks)]).toEqual([true, true, []]);
    world.append({ ...world.log.time(), ...settlementBody(settled, place), shortfallMwh: 1, result: 2 });
    await receiptsNow(world.log, [nodeA, nodeB]);
    const boasting = judged(world, await proofOf(world));
    expect(codes(boasting.remarks)).toEqual(["settlement-differs"]);
    expect(boasting.account?.differences).toEqual([
      { field: "shortfallMwh", device: 1, computed: 0 },
      { field: "result", device: 2, computed: 1 },
    ]);
    expect(boasting.settled).toEqual(honest.settled);
    expect(settlementWords(boasting).join("\n")).toContain("says shortfallMwh 1; computed is 0");
  });

  it("of what nobody called says that nothing is owed", async () => {
    const world = await lived({ dispatches: [] });
    const verdict = judged(world, await proofOf(world));
    expect(verdict).toMatchObject({ counts: true, settled: { called: false }, list: { dispatches: 0 } });
    expect(settlementWords(verdict)[0]).toBe("valid, and it counts: not called, nothing is owed, witnessed");
  });

  it("holds anchors and bounds the event by them", async () => {
    const world = await lived({
      also: async ({ log }, hourMs) => {
        if (hourMs === EVENT_MS - HOUR_MS) await anchoredNow(log, [nodeA]);
      },
    });
    const policy = trusting(world.log, { nodeKeys: keysOf(nodeA, nodeB), witnesses: 1 });
    const proven = verifySettlement(nativeSuite, await proofOf(world));
    expect(judgeSettlement(nativeSuite, proven, policy).edges[0]).toMatchObject({
      ...{ edge: "opening", timeMs: EVENT_MS, notBeforeMs: EVENT_MS - HOUR_MS + 5000 },
    });
  });

  it("holds six weeks of quarters of an hour, more leaves than any other proof may", async () => {
    // From 2025-12-22 on no weekday may be used, so the ten days are those of 2025-12-08 to 2025-12-19.
    const intervalMs = HOUR_MS / 4;
    const excludedDays = Array.from({ length: 29 }, (_, at) => Date.UTC(2025, 11, 22) / DAY_MS + at);
    const world = await lived({
      ...{ intervalMs, beginMs: Date.UTC(2025, 11, 7, 22), terms: { excludedDays } },
      ...{ order: { intervalMs, deltaMwh: Array.from({ length: 8 }, () => -500_000) } },
    });
    const bytes = await proofOf(world);
    const { closes, settled } = verifySettlement(nativeSuite, bytes);
    expect(closes.length).toBeGreaterThan(4096);
    expect(settled.days[0]?.usedDays.at(-1)).toBe(Date.UTC(2025, 11, 8) / DAY_MS);
    expect(settled.totals).toMatchObject({ deliveredMwh: 4_800_000, countedMwh: 4_800_000 });
    console.log(`settlement proof of ${closes.length} closes: ${bytes.length} bytes`);
  });

  it("is as good without a history as with one: then there is no baseline", async () => {
    const world = await lived({
      energyAt: (ms) => (ms < EVENT_MS - 20 * HOUR_MS ? undefined : usualEnergy(ms)),
    });
    const { settled, closes } = verifySettlement(nativeSuite, await proofOf(world));
    expect(closes[0].previousCloseSeq).toBeUndefined();
    expect(settled).toMatchObject({ result: 5, reason: { code: "baseline-days" } });
  });

  it("holds every break between its closes", async () => {
    const onSaturday = Date.UTC(2026, 0, 10, 12);
    const world = await lived({
      energyAt: (ms) => (ms >= onSaturday && ms < onSaturday + 5 * HOUR_MS ? undefined : usualEnergy(ms)),
    });
    const { logs, settled } = verifySettlement(nativeSuite, await proofOf(world));
    expect(logs[0].leaves.discontinuities.size).toBe(1);
    expect(settled.totals.deliveredMwh).toBe(1_200_000);
  });

  it("is not built before its end, for another leaf, or unsigned", async () => {
    const world = await lived();
    const build = (commitmentSeq: number, source = world.source()) =>
      problemOf(() => buildSettlementProof(source, { commitmentSeq })).code;
    expect(build(2)).toBe("commitment-missing");
    const early = { ...world.source(), closes: () => world.source().closes(1, BEGIN_MS, EVENT_END_MS) };
    expect(build(world.commitmentSeq, early)).toBe("settlement-open");
    expect(build(world.commitmentSeq, { ...world.source(), checkpointOver: () => undefined })).toBe(
      "proof-unsigned",
    );
  });
});

describe("the judgement of a settlement", () => {
  const faultsOf = async (world: World, nodes = [nodeA, nodeB], list?: Promise<Uint8Array>) =>
    codes(judged(world, await proofOf(world, list ?? world.list()), nodes).faults);

  it("counts nothing that was receipted too late, or by nobody who is trusted", async () => {
    const late = await lived({ receiptedMs: EVENT_MS - HOUR_MS + 1 });
    expect(await faultsOf(late)).toEqual(["commitment-late"]);
    expect(await faultsOf(await lived({ receiptedMs: EVENT_MS - HOUR_MS }))).toEqual([]);
    expect(await faultsOf(late, [nodeC])).toEqual([
      ...["commitment-unreceipted", "counterparty-untrusted", "settlement-unreceipted"],
    ]);
    expect(await faultsOf(await lived({ node: nodeC }))).toEqual(["counterparty-untrusted"]);
    const words = settlementWords(judged(late, await proofOf(late)));
    expect(words[0]).toBe("valid, but it DOES NOT COUNT (commitment-late): delivered");
  });

  it("without any key counts nothing and says that it is only consistent", async () => {
    const world = await lived();
    const policy = { deviceKeys: [], nodeKeys: [], witnesses: 2 };
    const verdict = judgeSettlement(nativeSuite, verifySettlement(nativeSuite, await proofOf(world)), policy);
    expect([verdict.trust, verdict.counts]).toEqual(["none", false]);
    expect(settlementWords(verdict)[0]).toMatch(/^consistent, signed by an unknown key 3475-/);
  });

  it("compares the dispatches with the node's list", async () => {
    const world = await lived();
    const [own] = world.dispatches;
    const orders = own === undefined ? [] : [own.order];
    expect(await faultsOf(world, undefined, world.list([...orders, id(9)]))).toEqual(["dispatch-hidden"]);
    const remarks = async (list?: Promise<Uint8Array>): Promise<string[]> => {
      const { commitmentSeq } = world;
      const bytes = buildSettlementProof(world.source(), {
        commitmentSeq,
        ...(list && { list: await list }),
      });
      return codes(judged(world, bytes).remarks);
    };
    expect(await remarks()).toEqual(["account-missing", "dispatch-list-missing"]);
    expect(await remarks(world.list([]))).toEqual(["account-missing", "dispatch-unlisted"]);
    expect(await remarks(world.list(orders, { issuedAtMs: EVENT_END_MS - 1 }))).toEqual([
      ...["account-missing", "dispatch-list-early"],
    ]);
  });

  it("remarks on answers, gaps, meters and clocks", async () => {
    const remarks = async (world: World) => codes(judged(world, await proofOf(world)).remarks);
    expect(await remarks(await lived({ acknowledge: false }))).toContain("acknowledgement-missing");
    const dark = (startMs: number) => (startMs === EVENT_MS ? undefined : usualEnergy(startMs));
    expect(await remarks(await lived({ energyAt: dark }))).toContain("interval-gap");
    const swapped = await lived({
      also: ({ log }, hourMs) => {
        if (hourMs === Date.UTC(2026, 0, 10, 12)) log.manifest({ samplingMs: 10_000, serial: "4712" });
      },
    });
    expect(await remarks(swapped)).toContain("meter-differs");
    const stepped = await lived({
      also: ({ log }, hourMs) => {
        if (hourMs === EVENT_MS - 2 * HOUR_MS) log.stepClock(log.timeMs + 20);
      },
    });
    expect(await remarks(stepped)).toContain("clock-set");
  });

  it("refuses a commitment that a node had before it was given", async () => {
    const world = await lived({ receiptedMs: ISSUED_MS - 121_000 });
    const bytes = await proofOf(world);
    expect(problemOf(() => judged(world, bytes)).code).toBe("proof-time");
  });

  it("takes an hour that the device used more in as what it is", async () => {
    const world = await lived({ energyAt: (ms) => (ms === EVENT_MS ? 3 * USUAL_MWH : usualEnergy(ms)) });
    const { settled } = judged(world, await proofOf(world));
    expect(settled.totals.deliveredMwh).toBe(-2_000_000 + 600_000);
    expect(settled.result).toBe("notDelivered");
  });
});
