import { describe, expect, it } from "vitest";
import {
  type ChallengeOrder,
  type DispatchOrder,
  signChallenge,
  signDispatch,
} from "../../../attest/flexibility/orders.ts";
import { type Recomputed, trackRecord } from "../../../attest/flexibility/track-record.ts";
import {
  ACKNOWLEDGEMENT,
  type LifecycleLeaf,
  SETTLEMENT,
  type Settlement,
} from "../../../attest/leaf-flexibility.ts";
import { testSigner } from "../../kit/log-builder.ts";

const node = testSigner(9);
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 10, 2, 9);
const END_MS = FROM_MS + 2 * 900_000;
const LATER_MS = END_MS + DAY_MS;
const ids = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);

function common(
  seq: number,
  timeMs = FROM_MS - HOUR_MS,
): {
  readonly seq: number;
  readonly timeMs: number;
  readonly timeQuality: number;
  readonly salt: Uint8Array;
  readonly channel: number;
} {
  return { seq, timeMs, timeQuality: 3, salt: ids(0), channel: 2 };
}

function commitment(seq: number): LifecycleLeaf {
  return {
    ...{ ...common(seq), kind: "commitment", boundary: 1, fromMs: FROM_MS, intervalMs: 900_000 },
    ...{ deltaMwh: [-300_000, -200_000], termsDigest: new Uint8Array(32), counterparty: new Uint8Array(0) },
  };
}

async function dispatch(
  seq: number,
  of: number,
  change: Partial<DispatchOrder> = {},
): Promise<LifecycleLeaf> {
  const order = await signDispatch(node, {
    ...{ logId: new Uint8Array(32), objectId: ids(seq), channel: 2, issuedAtMs: FROM_MS - HOUR_MS },
    ...{ expiresMs: END_MS, fromMs: FROM_MS, toMs: END_MS, command: 1, value: -1 },
    ...change,
  });
  return { ...common(seq), kind: "dispatch", commitmentSeq: of, order };
}

/** A dispatch that ends another and asks for nothing itself. */
async function withdrawal(
  seq: number,
  of: number,
  withdraws: number,
  issuedAtMs: number,
): Promise<LifecycleLeaf> {
  const order = await signDispatch(node, {
    ...{ logId: new Uint8Array(32), objectId: ids(seq), channel: 2, issuedAtMs, expiresMs: END_MS },
    ...{ fromMs: FROM_MS, toMs: END_MS, withdraws: ids(withdraws) },
  });
  return { ...common(seq), kind: "dispatch", commitmentSeq: of, order };
}

async function challenge(seq: number, change: Partial<ChallengeOrder> = {}): Promise<LifecycleLeaf> {
  const order = await signChallenge(node, {
    ...{ logId: new Uint8Array(32), objectId: ids(seq), channel: 2, issuedAtMs: FROM_MS - HOUR_MS },
    ...{ expiresMs: FROM_MS, nonce: new Uint8Array(32), startByMs: FROM_MS - 1000, stepMs: 31_000 },
    ...{ steps: 24, midMw: 0, halfSwingMw: 1_500_000, ...change },
  });
  return { ...common(seq), kind: "challenge", order };
}

function answer(seq: number, orderSeq: number, state: keyof typeof ACKNOWLEDGEMENT): LifecycleLeaf {
  return { ...common(seq), kind: "acknowledgement", orderSeq, state: ACKNOWLEDGEMENT[state] };
}

function settlement(
  seq: number,
  commitmentSeq: number,
  result: keyof typeof SETTLEMENT,
  deliveredMwh?: readonly number[],
): Settlement {
  return {
    ...{ ...common(seq, END_MS), kind: "settlement", commitmentSeq, baselineMethod: "h10/1" },
    ...{ completenessPpm: 1_000_000, result: SETTLEMENT[result] },
    ...(deliveredMwh === undefined ? {} : { deliveredMwh }),
  };
}

describe("a track record", () => {
  it("of nothing is nothing", () => {
    expect(trackRecord([])).toEqual({
      ...{ commitments: [], delivered: 0, partial: 0, failed: 0, unsettled: 0, optedOut: 0, unavailable: 0 },
      ...{ notCalled: 0, open: 0, disagreements: 0, committedMwh: 0, deliveredMwh: 0 },
      challenges: { answered: 0, rejected: 0, unanswered: 0, open: 0, passed: 0, notPassed: 0 },
    });
  });

  it("counts each result of a settlement under its name, with its energy", async () => {
    const leaves: LifecycleLeaf[] = [];
    const results = [
      "delivered",
      "partial",
      "notDelivered",
      "optedOut",
      "unavailable",
      "dataInvalid",
    ] as const;
    for (const [at, result] of results.entries()) {
      const seq = 10 * at;
      leaves.push(commitment(seq), await dispatch(seq + 1, seq), settlement(seq + 2, seq, result, [at, -7]));
    }
    expect(trackRecord(leaves)).toMatchObject({
      ...{ delivered: 1, partial: 1, failed: 2, unsettled: 0, optedOut: 1, unavailable: 1 },
      ...{ notCalled: 0, open: 0, disagreements: 0 },
      ...{ committedMwh: 6 * 500_000, deliveredMwh: 0 + 1 + 2 + 3 + 4 + 5 - 6 * 7 },
    });
  });

  it("holds a commitment open until it is over, then not called, or a day later unsettled", async () => {
    const uncalled = [commitment(1)];
    const called = [commitment(1), await dispatch(2, 1)];
    const outcome = (leaves: readonly LifecycleLeaf[], asOfMs: number): string | undefined =>
      trackRecord(leaves, { asOfMs }).commitments[0]?.outcome;
    expect([END_MS - 1, END_MS].map((atMs) => outcome(uncalled, atMs))).toEqual(["open", "notCalled"]);
    expect([LATER_MS - 1, LATER_MS].map((atMs) => outcome(called, atMs))).toEqual(["open", "unsettled"]);
    expect(trackRecord(called, { asOfMs: LATER_MS })).toMatchObject({
      ...{ failed: 1, unsettled: 1, committedMwh: 500_000, deliveredMwh: 0 },
    });
    expect(trackRecord(called)).toMatchObject({ open: 1, committedMwh: 0 });
  });

  it("does not count a call that was withdrawn before it began", async () => {
    const of = async (issuedAtMs: number): Promise<string | undefined> => {
      const leaves = [commitment(1), await dispatch(2, 1), await withdrawal(3, 1, 2, issuedAtMs)];
      return trackRecord(leaves, { asOfMs: LATER_MS }).commitments[0]?.outcome;
    };
    expect(await of(FROM_MS)).toBe("notCalled");
    expect(await of(FROM_MS + 1)).toBe("unsettled");
  });

  it("takes the device's opting out at its word before it is settled", async () => {
    const leaves = [commitment(1), await dispatch(2, 1), answer(3, 2, "accepted"), answer(4, 2, "optedOut")];
    expect(trackRecord(leaves)).toMatchObject({ optedOut: 1, open: 0, committedMwh: 500_000 });
  });

  it("takes it for unavailable once every call was rejected as that", async () => {
    const rejected = (seq: number, orderSeq: number, reason: string): LifecycleLeaf => ({
      ...answer(seq, orderSeq, "rejected"),
      ...{ reason },
    });
    const of = async (first: string, second: string) => {
      const calls = [
        await dispatch(2, 1),
        rejected(3, 2, first),
        await dispatch(4, 1),
        rejected(5, 4, second),
      ];
      return trackRecord([commitment(1), ...calls], { asOfMs: LATER_MS });
    };
    expect(await of("unavailable", "unavailable: reserve")).toMatchObject({ unavailable: 1, failed: 0 });
    expect(await of("unavailable", "order-late")).toMatchObject({ unavailable: 0, failed: 1, unsettled: 1 });
  });

  it("lets what was recomputed win, and counts where the device says otherwise", async () => {
    const said = settlement(3, 1, "delivered", [300_000, 200_000]);
    const leaves = [commitment(1), await dispatch(2, 1), said];
    const by = (recomputed: Recomputed) => trackRecord(leaves, { recomputed: new Map([[1, recomputed]]) });
    expect(by({ result: SETTLEMENT.delivered, deliveredMwh: 500_000 })).toMatchObject({
      ...{ delivered: 1, disagreements: 0, deliveredMwh: 500_000 },
    });
    expect(by({ result: SETTLEMENT.delivered, deliveredMwh: 499_999 })).toMatchObject({
      ...{ delivered: 1, disagreements: 1, deliveredMwh: 499_999 },
    });
    expect(by({})).toMatchObject({ notCalled: 1, disagreements: 1, committedMwh: 0 });
    expect(by({ result: SETTLEMENT.partial, deliveredMwh: 9, committedMwh: 300_000 })).toMatchObject({
      ...{ partial: 1, disagreements: 1, committedMwh: 300_000, deliveredMwh: 9 },
    });
    expect(by({ result: SETTLEMENT.notDelivered })).toMatchObject({
      ...{ delivered: 0, failed: 1, disagreements: 1, deliveredMwh: 0 },
    });
  });

  it("believes no settlement of what nobody called", () => {
    const leaves = [commitment(1), settlement(3, 1, "delivered", [300_000, 200_000])];
    expect(trackRecord(leaves)).toMatchObject({
      ...{ delivered: 0, notCalled: 1, disagreements: 1, committedMwh: 0, deliveredMwh: 0 },
    });
  });

  it("takes the last of several settlements, and an unknown result for none", async () => {
    const call = [commitment(1), await dispatch(2, 1)];
    const twice = [...call, settlement(3, 1, "delivered"), settlement(4, 1, "partial")];
    expect(trackRecord(twice)).toMatchObject({ delivered: 0, partial: 1 });
    const unknown = [...call, { ...settlement(3, 1, "delivered"), result: 99 }];
    expect(trackRecord(unknown)).toMatchObject({ delivered: 0, failed: 1 });
  });

  it("tells challenges that were answered from those that were not", async () => {
    const leaves = [
      ...[await challenge(1), answer(2, 1, "accepted"), answer(3, 1, "started"), answer(4, 1, "succeeded")],
      ...[await challenge(10), answer(11, 10, "rejected")],
      ...[await challenge(20), answer(21, 20, "started"), answer(22, 20, "aborted")],
      ...[await challenge(30), answer(31, 30, "accepted")],
      ...[await challenge(40), answer(41, 40, "optedOut")],
      ...[await challenge(50), answer(51, 50, "started"), answer(52, 50, "succeeded")],
    ];
    const endMs = FROM_MS - 1000 + 24 * 31_000;
    const judged = new Map([
      [1, true],
      [10, true],
      [50, false],
    ]);
    const at = (asOfMs: number) => trackRecord(leaves, { asOfMs, judged }).challenges;
    expect(at(endMs - 1)).toEqual({
      ...{ answered: 2, rejected: 2, unanswered: 1, open: 1, passed: 1, notPassed: 1 },
    });
    expect(at(endMs)).toMatchObject({ unanswered: 2, open: 0 });
  });

  it("cuts off sums that no number holds", async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const leaves = [commitment(1), await dispatch(2, 1), settlement(3, 1, "delivered", [most, most])];
    expect(trackRecord(leaves).deliveredMwh).toBe(most);
  });
});
