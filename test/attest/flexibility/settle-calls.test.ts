import { describe, expect, it } from "vitest";
import { settle, settlementBody } from "../../../attest/flexibility/settle.ts";
import type { Call, Settled } from "../../../attest/flexibility/settle-types.ts";
import { ACKNOWLEDGEMENT, SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { refusalOf } from "../refusal.ts";
import { type CallScene, callOf, evidenceOf, HOUR, NOTICE, QUARTER, START } from "./settle-kit.ts";

/** What is called, and what the device answers to it. */

const half = [500_000, 500_000, 500_000, 500_000];
const whole = { fromMs: START, toMs: START + HOUR };

function settledOf(calls: readonly Call[], actualMwh: readonly number[] = half): Settled {
  return settle(evidenceOf({ calls, actualMwh }));
}

function answered(...answers: NonNullable<CallScene["answers"]>): Settled {
  return settledOf([callOf({ ...whole, answers })]);
}

describe("a commitment", () => {
  it("that was never called owes nothing, and nothing has to be shown for it", () => {
    const settled = settle({ ...evidenceOf({ calls: [] }), closes: [], discontinuities: [] });
    expect(settled).toEqual({
      ...{ called: false, method: "h10/1", days: [], intervals: [], completenessPpm: 1_000_000, remarks: [] },
      totals: {
        ...{ committedMwh: 0, baselineMwh: 0, actualMwh: 0, deliveredMwh: 0 },
        ...{ countedMwh: 0, shortfallMwh: 0, reboundMwh: 0 },
      },
    });
    const what = { channel: 3, commitmentSeq: 1 };
    expect(refusalOf(() => settlementBody(settled, what))).toBe("settlement-not-called");
  });

  it("that was called and withdrawn before it began is not called", () => {
    const first = callOf(whole);
    const last = callOf({ ...whole, withdraws: first, onlyWithdraws: true, issuedAtMs: START });
    const settled = settledOf([first, last]);
    expect([settled.called, settled.remarks.map(({ code }) => code)]).toEqual([false, ["nothing-called"]]);
  });

  it("that was called in part owes that part", () => {
    const call = callOf({ fromMs: START + QUARTER, toMs: START + 3 * QUARTER + 1 });
    const settled = settledOf([call], [9_000_000, 600_000, 600_000, 2_000_000, 1_300_000]);
    expect(settled.intervals.map((each) => [each.called, each.countedMwh])).toEqual([
      [false, 0],
      [true, 400_000],
      [true, 400_000],
      [false, 0],
    ]);
    expect(settled.result).toBe(SETTLEMENT.partial);
    expect(settled.totals).toMatchObject({
      ...{ committedMwh: 1_000_000, baselineMwh: 2_000_000, actualMwh: 1_200_000 },
      ...{ deliveredMwh: 800_000, countedMwh: 800_000, shortfallMwh: 200_000 },
      // Of the two intervals after those two.
      reboundMwh: 1_000_000 + 300_000,
    });
    expect(settled.lookedAheadToMs).toBe(START + 5 * QUARTER);
    expect(settled.remarks.map(({ code }) => code)).toEqual(["partly-called"]);
  });

  it.each<[what: string, called: string, scenes: readonly CallScene[]]>([
    [
      "by two dispatches side by side",
      "1111",
      [
        { ...whole, fromMs: START + HOUR / 2 },
        { ...whole, toMs: START + HOUR / 2 },
      ],
    ],
    ["by two that overlap", "1111", [whole, { fromMs: START + QUARTER, toMs: START + 2 * QUARTER }]],
    [
      "by two with a hole",
      "1011",
      [
        { ...whole, toMs: START + QUARTER },
        { ...whole, fromMs: START + QUARTER + 1, toMs: START + 2 * QUARTER },
        { ...whole, fromMs: START + 2 * QUARTER },
      ],
    ],
    ["not before the dispatch was issued", "0011", [{ ...whole, issuedAtMs: START + QUARTER + 1 }]],
    ["from the interval on with which it was issued", "0111", [{ ...whole, issuedAtMs: START + QUARTER }]],
  ])("is called %s", (_, called, scenes) => {
    const { intervals } = settledOf(scenes.map(callOf));
    expect(intervals.map((each) => Number(each.called)).join("")).toBe(called);
  });

  it("is called until the dispatch is withdrawn", () => {
    const first = callOf(whole);
    const calledUntil = (ms: number, only: boolean): string => {
      const last = callOf({
        ...whole,
        fromMs: START + HOUR - 1,
        withdraws: first,
        onlyWithdraws: only,
        issuedAtMs: ms,
      });
      return settledOf([first, last])
        .intervals.map((each) => Number(each.called))
        .join("");
    };
    expect(calledUntil(START + 2 * QUARTER, true)).toBe("1100");
    expect(calledUntil(START + 2 * QUARTER - 1, true)).toBe("1000");
    expect(calledUntil(START + 3 * QUARTER, false)).toBe("1110");
    expect(calledUntil(START + HOUR - 1, false)).toBe("1111");
  });
});

describe("an answer", () => {
  it("of opting out decides, whatever was delivered", () => {
    const settled = answered([ACKNOWLEDGEMENT.accepted], [ACKNOWLEDGEMENT.optedOut, "guests"]);
    expect([settled.result, settled.reason?.code]).toEqual([SETTLEMENT.optedOut, "opted-out"]);
    expect(settled.reason?.message).toContain('"guests"');
    expect(settled.totals).toMatchObject({ countedMwh: 2_000_000, shortfallMwh: 0 });
  });

  it.each(["unavailable", "unavailable: the battery is empty"])("of %s decides", (reason) => {
    const settled = answered([ACKNOWLEDGEMENT.rejected, reason]);
    expect([settled.result, settled.reason?.code]).toEqual([SETTLEMENT.unavailable, "unavailable"]);
    expect(settled.remarks.map(({ code }) => code)).toEqual(["rejected"]);
  });

  it.each([["control-limit"], ["unavailability"], [undefined]])("of %s does not", (reason) => {
    const settled = answered(
      reason === undefined ? [ACKNOWLEDGEMENT.rejected] : [ACKNOWLEDGEMENT.rejected, reason],
    );
    expect([settled.result, settled.reason]).toEqual([SETTLEMENT.delivered, undefined]);
    expect(settled.remarks.map(({ code }) => code)).toEqual(["rejected"]);
  });

  it("of unavailable to one dispatch does not answer for another", () => {
    const first = callOf({ ...whole, toMs: START + QUARTER, answers: [[2, "unavailable"]] });
    const settled = settledOf([first, callOf({ ...whole, fromMs: START + QUARTER })], [1_000_000, ...half]);
    expect([settled.result, settled.totals.countedMwh]).toEqual([SETTLEMENT.partial, 1_500_000]);
  });

  it("to a dispatch that asked for nothing does not count", () => {
    const first = callOf({ ...whole, answers: [[6]] });
    const next = callOf({ ...whole, withdraws: first, issuedAtMs: NOTICE + 1 });
    expect(settledOf([first, next]).result).toBe(SETTLEMENT.delivered);
  });

  it("of an early end is a remark", () => {
    expect(answered([1], [3], [5, "grid limit"]).remarks).toEqual([
      { code: "aborted", message: expect.stringContaining('"grid limit"') },
    ]);
  });

  it("of opting out comes before one of unavailable, and both before the data", () => {
    const dark = [{ fromMs: START + 1, toMs: START + 2 }];
    const unavailable = { ...whole, answers: [[2, "unavailable"]] } as const;
    const rows = [[unavailable, { ...whole, answers: [[6]] } as const], [unavailable], [whole]];
    const results = rows.map((scenes) => settle(evidenceOf({ dark, calls: scenes.map(callOf) })));
    expect(results.map(({ result }) => result)).toEqual([
      ...[SETTLEMENT.optedOut, SETTLEMENT.unavailable, SETTLEMENT.dataInvalid],
    ]);
    // Going dark besides does not make it cheaper.
    expect(results.map(({ totals }) => totals.countedMwh)).toEqual([-2_000_000, -2_000_000, -2_000_000]);
  });
});
