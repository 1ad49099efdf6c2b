import { describe, expect, it } from "vitest";
import { localDay, openZone } from "../../../attest/baseline/zone.ts";
import type { CommitmentOrder } from "../../../attest/flexibility/orders.ts";
import { encodeTerms, type FlexTerms } from "../../../attest/flexibility/terms.ts";
import {
  Bench,
  commitment,
  dispatch,
  HOUR,
  OFFER,
  QUARTER,
  START,
  sendCommitment,
  sendDispatch,
  TERMS,
} from "./kit.ts";

const DAY_MS = 24 * HOUR;

async function codeOf(bench: Bench, changes: Partial<CommitmentOrder>): Promise<string | undefined> {
  const before = bench.leaves.length;
  const code = await sendCommitment(bench, commitment(bench, changes));
  if (code !== undefined) expect(bench.leaves.length).toBe(before);
  return code;
}

function underTerms(changes: Partial<FlexTerms>): Partial<CommitmentOrder> {
  return { terms: encodeTerms({ ...TERMS, ...changes }) };
}

describe("a node that would have the device deliver for little", () => {
  it("does not choose the days of the baseline", async () => {
    const day = localDay(openZone(TERMS.timeZone), START) - 1;
    expect(await codeOf(new Bench(), underTerms({ excludedDays: [day] }))).toBe("order-calendar");
    expect(await codeOf(new Bench(), underTerms({ holidays: [day] }))).toBe("order-calendar");
    const agreed = { holidays: [day - 1], excludedDays: [day] };
    expect(await codeOf(new Bench(agreed), underTerms(agreed))).toBeUndefined();
    expect(await codeOf(new Bench(agreed), underTerms({ holidays: [day] }))).toBe("order-calendar");
  });

  it("does not go below the notice, nor by another method, by naming no offer", async () => {
    expect(await codeOf(new Bench(), underTerms({ noticeMs: HOUR - 1 }))).toBe("order-not-offered");
    expect(await codeOf(new Bench(), underTerms({ baselineMethod: "h4of5-saa/1" }))).toBe(
      "order-not-offered",
    );
    expect(await codeOf(new Bench(), underTerms({ baselineMethod: "nom/1" }))).toBe("order-terms");
    const patient = new Bench({ offers: [{ ...OFFER, noticeMs: QUARTER }] });
    expect(await codeOf(patient, underTerms({ noticeMs: QUARTER }))).toBeUndefined();
  });

  it("does not bind the device for times far ahead", async () => {
    const far = Math.floor((START + 31 * DAY_MS) / QUARTER) * QUARTER;
    expect(await codeOf(new Bench(), { fromMs: far })).toBe("order-too-far");
    expect(await codeOf(new Bench(), { fromMs: Math.floor(9e15 / QUARTER) * QUARTER })).toBe("order-too-far");
  });

  it("does not withdraw by an order that no proof of the commitment holds", async () => {
    const bench = new Bench();
    const order = commitment(bench);
    await sendCommitment(bench, order);
    const { objectId: commitmentId, fromMs } = order;
    const called = dispatch(bench, { commitmentId, fromMs });
    await sendDispatch(bench, called);
    const ending = { fromMs, withdraws: called.objectId };
    await sendDispatch(bench, dispatch(bench, ending));
    expect(bench.lastAnswers).toEqual(["rejected: withdraw-other"]);
    await sendDispatch(bench, dispatch(bench, { ...ending, commitmentId }));
    expect(bench.lastAnswers).not.toContain("rejected: withdraw-other");
    expect(bench.desk.status().orders).toHaveLength(1);
  });
});
