import { describe, expect, it } from "vitest";
import { signDispatch } from "../../../attest/flexibility/orders.ts";
import { encodeTerms } from "../../../attest/flexibility/terms.ts";
import { TIME_QUALITY } from "../../../attest/leaf.ts";
import { BOUNDARY, DIRECTION } from "../../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { Problem } from "../../../attest/problem.ts";
import {
  BATTERY,
  Bench,
  commitment,
  dispatch,
  HOUR,
  METER,
  node,
  OFFER,
  otherNode,
  QUARTER,
  START,
  sendCommitment,
  sendDispatch,
  stranger,
  TERMS,
} from "./kit.ts";

/** The code of a refusal that leaves nothing in the log. */
async function refusedWithoutTrace(
  bench: Bench,
  send: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const before = bench.leaves.length;
  const code = await send();
  expect(bench.leaves.length).toBe(before);
  return code;
}

describe("who may order, and what", () => {
  it("refuses a node that may not, and names the order by its digest", async () => {
    const bench = new Bench();
    const bytes = await signDispatch(stranger, dispatch(bench));
    expect(await refusedWithoutTrace(bench, () => bench.send(stranger, bytes))).toBe("order-not-allowed");
    expect(bench.refused[0]?.digest).toEqual(nativeSuite.sha256(bytes));
  });

  it("refuses an order that another node signed", async () => {
    const bench = new Bench();
    const bytes = await signDispatch(otherNode, dispatch(bench));
    expect(await refusedWithoutTrace(bench, () => bench.send(node, bytes))).toBe("cose-kid");
  });

  it.each([
    ["order-log", { logId: new Uint8Array(32) }],
    ["order-channel", { channel: 9 }],
    ["order-future", { issuedAtMs: START + 61_000 }],
    ["order-expired", { issuedAtMs: START - 5000, expiresMs: START }],
    ["order-too-far", { fromMs: START + 31 * 24 * HOUR, toMs: START + 31 * 24 * HOUR + 1 }],
  ])("refuses a dispatch with %s", async (code, changes) => {
    const bench = new Bench();
    expect(await refusedWithoutTrace(bench, () => sendDispatch(bench, dispatch(bench, changes)))).toBe(code);
  });

  it("takes an order issued within the tolerance of clocks, and one that has not quite expired", async () => {
    const bench = new Bench();
    expect(await sendDispatch(bench, dispatch(bench, { issuedAtMs: START + 60_000 }))).toBeUndefined();
    const second = dispatch(bench, { fromMs: START + HOUR, expiresMs: START + 1 });
    expect(await sendDispatch(bench, second)).toBeUndefined();
  });

  it("refuses everything while the clock is not known", async () => {
    const bench = new Bench();
    const bytes = await signDispatch(node, dispatch(bench));
    bench.log.stepClock(5000, TIME_QUALITY.sinceBoot);
    expect(await refusedWithoutTrace(bench, () => bench.send(node, bytes))).toBe("order-clock");
  });

  it("takes an order up once, also after a restart and also where it was rejected", async () => {
    const bench = new Bench();
    const accepted = await signDispatch(node, dispatch(bench));
    const rejected = await signDispatch(node, dispatch(bench));
    expect(await bench.send(node, accepted)).toBeUndefined();
    expect(await bench.send(node, rejected)).toBeUndefined();
    expect(bench.lastAnswers).toEqual(["rejected: busy"]);
    for (const bytes of [accepted, rejected])
      expect(await refusedWithoutTrace(bench, () => bench.send(node, bytes))).toBe("order-known");
    bench.restart();
    for (const bytes of [accepted, rejected])
      expect(await refusedWithoutTrace(bench, () => bench.send(node, bytes))).toBe("order-known");
  });

  it("takes a commitment up once, also after a restart", async () => {
    const bench = new Bench();
    const order = commitment(bench);
    expect(await sendCommitment(bench, order)).toBeUndefined();
    bench.restart();
    expect(await refusedWithoutTrace(bench, () => sendCommitment(bench, order))).toBe("order-known");
  });

  it("lets a node order so often, and goes by the clock that is never set", async () => {
    const bench = new Bench();
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 32; i++) codes.push(await sendDispatch(bench, dispatch(bench)));
    expect(codes.filter((code) => code === undefined)).toHaveLength(30);
    expect(codes.at(-1)).toBe("order-rate");
    expect(await sendDispatch(bench, dispatch(bench), otherNode)).toBeUndefined();
    bench.monotonic += 10_000;
    expect(await sendDispatch(bench, dispatch(bench))).toBeUndefined();
    expect(await sendDispatch(bench, dispatch(bench))).toBe("order-rate");
  });

  it("keeps a bounded number of orders open", async () => {
    const bench = new Bench();
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 66; i++) {
      bench.monotonic += 10_000;
      const fromMs = START + HOUR + i * 60_000;
      codes.push(await sendDispatch(bench, dispatch(bench, { fromMs, toMs: fromMs + 60_000 })));
    }
    expect(codes.slice(0, 64)).toEqual(Array.from({ length: 64 }, () => undefined));
    expect(codes.slice(64)).toEqual(["order-too-many", "order-too-many"]);
  });

  it("refuses what the log does not take", async () => {
    const bench = new Bench();
    bench.sealProblem = new Problem("log-takes-over", "not now");
    const order = dispatch(bench);
    expect(await sendDispatch(bench, order)).toBe("log-takes-over");
    bench.sealProblem = undefined;
    expect(await sendDispatch(bench, order)).toBeUndefined();
    expect(bench.lastAnswers).toEqual(["accepted"]);
  });
});

describe("commitments", () => {
  it("seals what the order says, and has it signed at once", async () => {
    const bench = new Bench();
    const order = commitment(bench);
    expect(await sendCommitment(bench, order)).toBeUndefined();
    const [leaf] = bench.of("commitment");
    const { boundary, channel, deltaMwh, fromMs, intervalMs } = order;
    expect(leaf).toMatchObject({ boundary, channel, deltaMwh, fromMs, intervalMs });
    expect(leaf?.termsDigest).toEqual(nativeSuite.sha256(encodeTerms(TERMS)));
    expect(bench.commits).toBe(1);
    expect(bench.desk.status().commitments).toHaveLength(1);
  });

  it.each([
    ["order-interval", { intervalMs: 2 * QUARTER }],
    ["order-not-offered", { channel: METER, boundary: BOUNDARY.site }],
    ["order-not-offered", { boundary: BOUNDARY.site }],
    ["order-not-offered", { deltaMwh: [-1_000_001] }],
    [
      "order-not-offered",
      { deltaMwh: [1000], terms: encodeTerms({ ...TERMS, direction: DIRECTION.increase }) },
    ],
    ["order-offer", { offerSeq: 1 }],
    ["order-time-zone", { terms: encodeTerms({ ...TERMS, timeZone: "Asia/Tokyo" }) }],
    ["baseline-zone", { terms: encodeTerms({ ...TERMS, timeZone: "Nowhere/Town" }) }],
    ["baseline-method", { terms: encodeTerms({ ...TERMS, baselineMethod: "h99/1" }) }],
    ["order-terms", { terms: encodeTerms({ ...TERMS, baselineMethod: "before-after/1" }) }],
  ])("refuses with %s", async (code, changes) => {
    const bench = new Bench();
    const order = commitment(bench, changes);
    expect(await refusedWithoutTrace(bench, () => sendCommitment(bench, order))).toBe(code);
  });

  it("takes all the power that is offered, but no mWh more", async () => {
    const bench = new Bench();
    expect(await sendCommitment(bench, commitment(bench, { deltaMwh: [-1_000_000] }))).toBeUndefined();
  });

  it("is late when its notice has begun", async () => {
    const bench = new Bench({ offers: [{ ...OFFER, noticeMs: QUARTER }] });
    const fromMs = START + 2 * QUARTER;
    const terms = encodeTerms({ ...TERMS, noticeMs: QUARTER });
    const order = commitment(bench, { fromMs, terms, expiresMs: fromMs - QUARTER });
    bench.log.timeMs = fromMs - QUARTER + 1;
    expect(await sendCommitment(bench, order)).toBe("order-late");
    bench.log.timeMs -= 1;
    expect(await sendCommitment(bench, order)).toBe("order-expired");
    bench.log.timeMs -= 1;
    expect(await sendCommitment(bench, order)).toBeUndefined();
  });

  it("refuses a second one for the same time, and takes one right behind it, also after a restart", async () => {
    const bench = new Bench();
    const fromMs = START + 4 * HOUR;
    expect(await sendCommitment(bench, commitment(bench, { fromMs }))).toBeUndefined();
    bench.restart();
    const shared = commitment(bench, { fromMs: fromMs + 3 * QUARTER, deltaMwh: [-1] });
    expect(await refusedWithoutTrace(bench, () => sendCommitment(bench, shared))).toBe("commitment-overlap");
    const next = commitment(bench, { fromMs: fromMs + 4 * QUARTER });
    expect(await sendCommitment(bench, next)).toBeUndefined();
  });

  it("holds a device's own commitment against one of the site", async () => {
    const site = { ...OFFER, device: "meter", channel: "grid", boundary: BOUNDARY.site };
    const bench = new Bench({ offers: [OFFER, site] });
    expect(await sendCommitment(bench, commitment(bench))).toBeUndefined();
    const nested = commitment(bench, { channel: METER, boundary: BOUNDARY.site });
    expect(await sendCommitment(bench, nested)).toBe("commitment-overlap");
  });

  it("keeps to the offer that it names", async () => {
    const bench = new Bench({ offers: [{ ...OFFER, energyMwh: 2_000_000 }] });
    await bench.desk.tick();
    const offer = bench.of("offer")[0];
    const offerSeq = offer?.seq ?? -1;
    const fromMs = offer?.fromMs ?? 0;
    const late = commitment(bench, { offerSeq, fromMs: fromMs + 15 * QUARTER });
    expect(await sendCommitment(bench, late)).toBe("order-offer");
    const deltaMwh = Array.from({ length: 5 }, () => -500_000);
    expect(await sendCommitment(bench, commitment(bench, { offerSeq, fromMs, deltaMwh }))).toBe(
      "order-offer",
    );
    const terms = encodeTerms({ ...TERMS, baselineMethod: "h4of5-saa/1" });
    expect(await sendCommitment(bench, commitment(bench, { offerSeq, fromMs, terms }))).toBe("order-offer");
    expect(await sendCommitment(bench, commitment(bench, { offerSeq, fromMs }))).toBeUndefined();
    expect(bench.of("commitment")[0]?.offerSeq).toBe(offerSeq);
  });
});

describe("dispatches under a commitment", () => {
  async function committed(): Promise<{ bench: Bench; commitmentId: Uint8Array; fromMs: number }> {
    const bench = new Bench();
    const order = commitment(bench);
    await sendCommitment(bench, order);
    return { bench, commitmentId: order.objectId, fromMs: order.fromMs };
  }

  it("names the commitment's leaf", async () => {
    const { bench, commitmentId, fromMs } = await committed();
    expect(await sendDispatch(bench, dispatch(bench, { commitmentId, fromMs }))).toBeUndefined();
    expect(bench.of("dispatch")[0]?.commitmentSeq).toBe(bench.of("commitment")[0]?.seq);
    expect(bench.lastAnswers).toEqual(["accepted"]);
  });

  it("is rejected outside its window and where nobody knows it", async () => {
    const { bench, commitmentId, fromMs } = await committed();
    await sendDispatch(bench, dispatch(bench, { commitmentId, fromMs: fromMs - 1 }));
    expect(bench.lastAnswers).toEqual(["rejected: outside-commitment"]);
    await sendDispatch(bench, dispatch(bench, { commitmentId, fromMs, toMs: fromMs + HOUR + 1 }));
    expect(bench.lastAnswers).toEqual(["rejected: outside-commitment"]);
    await sendDispatch(bench, dispatch(bench, { commitmentId: new Uint8Array(16), fromMs }));
    expect(bench.lastAnswers).toEqual(["rejected: commitment-unknown"]);
  });

  it("is refused from another node: its leaf would stand under a commitment that is not its own", async () => {
    const { bench, commitmentId, fromMs } = await committed();
    const order = dispatch(bench, { commitmentId, fromMs });
    const code = await refusedWithoutTrace(bench, () => sendDispatch(bench, order, otherNode));
    expect(code).toBe("order-commitment");
  });

  it("is only about what the device can be told at that channel", async () => {
    const { bench } = await committed();
    await sendDispatch(bench, dispatch(bench, { command: 2, value: 1000 }));
    expect(bench.lastAnswers).toEqual(["rejected: not-controllable"]);
    await sendDispatch(bench, dispatch(bench, { channel: METER }));
    expect(bench.lastAnswers).toEqual(["rejected: not-controllable"]);
    await sendDispatch(bench, dispatch(bench, { channel: BATTERY, command: 3, value: 1000 }));
    expect(bench.lastAnswers).toEqual(["accepted"]);
  });
});
