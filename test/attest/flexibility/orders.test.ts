import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ChallengeOrder,
  type CommitmentOrder,
  type DispatchOrder,
  openChallenge,
  openCommitment,
  openDispatch,
  openDispatchList,
  openOrder,
  orderKind,
  signChallenge,
  signCommitment,
  signDispatch,
  signDispatchList,
} from "../../../attest/flexibility/orders.ts";
import { decodeTerms, encodeTerms, type FlexTerms } from "../../../attest/flexibility/terms.ts";
import { portableSuite } from "../../../attest/portable.ts";
import { signReceipt } from "../../../attest/receipt.ts";
import { testSigner } from "../../kit/log-builder.ts";
import { refusalOf } from "../refusal.ts";

const node = testSigner(9);
const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 2, 9);
const TERMS: FlexTerms = {
  ...{ direction: 1, baselineMethod: "h10/1", timeZone: "Europe/Amsterdam" },
  ...{ noticeMs: HOUR_MS, settlementRules: 1 },
};
const COMMON = {
  ...{ logId: new Uint8Array(32).fill(1), objectId: new Uint8Array(16).fill(2), channel: 3 },
  ...{ issuedAtMs: NOW_MS, expiresMs: NOW_MS + HOUR_MS },
};
const COMMITMENT: CommitmentOrder = {
  ...{ ...COMMON, boundary: 1, fromMs: NOW_MS + 3 * HOUR_MS, intervalMs: 900_000 },
  ...{ deltaMwh: [-500_000, -500_000], terms: encodeTerms(TERMS) },
};
const DISPATCH: DispatchOrder = {
  ...{ ...COMMON, fromMs: NOW_MS + 60_000, toMs: NOW_MS + 2 * HOUR_MS, command: 1, value: -2_000_000 },
};
const CHALLENGE: ChallengeOrder = {
  ...{ ...COMMON, nonce: new Uint8Array(32).fill(4), startByMs: NOW_MS + 60_000, stepMs: 30_000 },
  ...{ steps: 16, midMw: 0, halfSwingMw: 1_000_000 },
};

describe("orders", () => {
  it("are opened as they were signed, under their node's key alone", async () => {
    const list = {
      logId: COMMON.logId,
      commitmentId: COMMON.objectId,
      digests: new Uint8Array(64),
      issuedAtMs: 1,
    };
    const signed = {
      commitment: await signCommitment(node, COMMITMENT),
      dispatch: await signDispatch(node, DISPATCH),
      challenge: await signChallenge(node, CHALLENGE),
      list: await signDispatchList(node, list),
    };
    expect(openCommitment(portableSuite, signed.commitment, node.publicKey)).toEqual(COMMITMENT);
    expect(openDispatch(portableSuite, signed.dispatch, node.publicKey)).toEqual(DISPATCH);
    expect(openChallenge(portableSuite, signed.challenge, node.publicKey)).toEqual(CHALLENGE);
    expect(openDispatchList(portableSuite, signed.list, node.publicKey)).toEqual(list);
    expect(openOrder(portableSuite, signed.dispatch, node.publicKey)).toEqual({
      kind: "dispatch",
      order: DISPATCH,
    });
    const other = testSigner(8).publicKey;
    expect(refusalOf(() => openDispatch(portableSuite, signed.dispatch, other))).toBe("cose-kid");
    expect(refusalOf(() => openChallenge(portableSuite, signed.dispatch, node.publicKey))).toBe("cose-type");
    expect(refusalOf(() => orderKind(signed.list))).toBe("order-kind");
  });

  it("are no other object", async () => {
    const receipt = await signReceipt(node, {
      ...{ manifestHash: COMMON.logId, size: 1, root: COMMON.logId, receivedAtMs: 1, ruleVersion: 1 },
    });
    expect(refusalOf(() => openOrder(portableSuite, receipt, node.publicKey))).toBe("order-kind");
  });

  it("say nothing that was changed on the way", async () => {
    const bytes = await signDispatch(node, DISPATCH);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(refusalOf(() => openDispatch(portableSuite, changed, node.publicKey))).toMatch(
          /^cose-|^cbor-/,
        );
      }),
    );
  });

  const wrong: readonly (readonly [string, Partial<CommitmentOrder>, string])[] = [
    ["a boundary that there is not", { boundary: 3 }, "order-field"],
    ["a beginning within an interval", { fromMs: COMMITMENT.fromMs + 1 }, "order-field"],
    ["energy into the other direction", { deltaMwh: [-1, 1] }, "order-field"],
    ["nothing in an interval", { deltaMwh: [-1, 0] }, "order-field"],
    ["an expiry after notice", { expiresMs: COMMITMENT.fromMs - HOUR_MS + 1 }, "order-field"],
    ["an expiry before its issue", { expiresMs: NOW_MS }, "order-field"],
    ["terms that are none", { terms: new Uint8Array([0xa0]) }, "field"],
  ];
  it.each(wrong)("a commitment with %s is not signed", async (_name, change, code) => {
    await expect(signCommitment(node, { ...COMMITMENT, ...change })).rejects.toMatchObject({ code });
  });

  const wrongDispatches: readonly (readonly [string, Partial<DispatchOrder>])[] = [
    ["a command that there is not", { command: 4 }],
    ["a limit below 0", { command: 2, value: -1 }],
    ["no end after its begin", { toMs: DISPATCH.fromMs }],
    ["more than a day", { toMs: DISPATCH.fromMs + 25 * HOUR_MS }],
    ["an expiry after its end", { expiresMs: DISPATCH.toMs + 1 }],
  ];
  it.each(wrongDispatches)("a dispatch with %s is not signed", async (_name, change) => {
    await expect(signDispatch(node, { ...DISPATCH, ...change })).rejects.toMatchObject({
      code: "order-field",
    });
  });

  it("a dispatch without a command withdraws another one", async () => {
    const { command: _c, value: _v, ...rest } = DISPATCH;
    await expect(signDispatch(node, rest)).rejects.toMatchObject({ code: "order-field" });
    const withdraws = new Uint8Array(16);
    const bytes = await signDispatch(node, { ...rest, withdraws });
    expect(openDispatch(portableSuite, bytes, node.publicKey).withdraws).toEqual(withdraws);
  });

  const wrongChallenges: readonly (readonly [string, Partial<ChallengeOrder>])[] = [
    ["an odd number of steps", { steps: 15 }],
    ["too few steps", { steps: 6 }],
    ["too many steps", { steps: 26 }],
    ["more than a quarter of an hour", { steps: 16, stepMs: 56_251 }],
    ["no swing", { halfSwingMw: 0 }],
    ["a start before its issue", { startByMs: NOW_MS }],
  ];
  it.each(wrongChallenges)("a challenge with %s is not signed", async (_name, change) => {
    await expect(signChallenge(node, { ...CHALLENGE, ...change })).rejects.toMatchObject({
      code: "order-field",
    });
  });
});

describe("terms", () => {
  it("have one encoding", () => {
    const full = { ...TERMS, holidays: [20_000, 20_001], excludedDays: [19_999] };
    expect(decodeTerms(encodeTerms(full))).toEqual(full);
    expect(decodeTerms(encodeTerms(TERMS))).toEqual(TERMS);
  });

  const wrong: readonly (readonly [string, Partial<FlexTerms>])[] = [
    ["a third direction", { direction: 3 }],
    ["a notice of more than a week", { noticeMs: 604_800_001 }],
    ["rules that there are not", { settlementRules: 2 }],
    ["days out of order", { holidays: [5, 4] }],
    ["one day twice", { excludedDays: [5, 5] }],
    ["a day before 1970", { excludedDays: [-1] }],
  ];
  it.each(wrong)("with %s are refused", (_name, change) => {
    expect(refusalOf(() => encodeTerms({ ...TERMS, ...change }))).toBe("order-terms");
  });
});
