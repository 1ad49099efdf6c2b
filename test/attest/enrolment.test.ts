import { describe, expect, it } from "vitest";
import { DECISIONS, openCountersignature, signCountersignature } from "../../attest/countersignature.ts";
import { enrolledKey } from "../../attest/enrolled-key.ts";
import { checkEnrolment, type EnrolmentTerms, openEnrolment } from "../../attest/enrolment.ts";
import { nativeSuite } from "../../attest/native.ts";
import {
  BAD_KEYS,
  countersigned,
  device,
  EPOCH_MS,
  enrolmentTerms,
  fast,
  forged,
  hashOf,
  MANIFEST,
  NETWORK,
  NONCE,
  node,
  payloadOf,
  recovery,
  signedAs,
  statement,
  stranger,
} from "./key-life-kit.ts";
import { flippedBits, problemOf, refusalOf } from "./refusal.ts";
import { suites } from "./signature-kit.ts";

const terms: EnrolmentTerms = {
  network: NETWORK,
  deviceKey: device.publicKey,
  nodeKey: node.publicKey,
  nodeNonce: NONCE,
  manifestHash: MANIFEST,
};
const other = new Uint8Array(32).fill(0x77);
const honest = await statement();
const answer = await countersigned();
const expected = { statement: honest, nodeKey: node.publicKey };

describe("an enrolment statement", () => {
  it.each(suites)("says what was signed, with the %s suite", (_, suite) => {
    const enrolment = checkEnrolment(suite, honest, terms);
    expect(enrolment).toEqual({ ...enrolmentTerms, deviceKey: device.publicKey });
    expect(openEnrolment(suite, honest)).toEqual(enrolment);
  });

  it("needs no manifest hash at a node that does not know it yet", () => {
    const { manifestHash: _, ...unknown } = terms;
    expect(refusalOf(() => checkEnrolment(nativeSuite, honest, unknown))).toBeUndefined();
  });

  it.each([
    ["network", { network: "other-network" }, "enrolment-network"],
    ["device key", { deviceKey: other }, "enrolment-device-key"],
    ["node", { nodeKey: other }, "enrolment-node-key"],
    ["nonce", { nodeNonce: other }, "enrolment-nonce"],
    ["manifest", { manifestHash: other }, "enrolment-manifest"],
  ])("is refused when replayed to another %s", (_, changes, code) => {
    expect(refusalOf(() => checkEnrolment(nativeSuite, honest, { ...terms, ...changes }))).toBe(code);
  });

  it.each([
    ["a network that is no name", { 1: "two words" }, "network-name"],
    ["another device key than its signer's", { 2: stranger.publicKey }, "enrolment-device-key"],
    ["itself as the node", { 3: device.publicKey }, "enrolment-own"],
    ["a tier that does not exist", { 6: 4 }, "enrolment-tier"],
    ["its own key as the next", { 8: hashOf(device) }, "enrolment-next-key"],
    ["its recovery key as the next", { 8: hashOf(recovery) }, "enrolment-next-key"],
    ["its own key for recovery", { 9: device.publicKey }, "enrolment-recovery-key"],
    ["a nonce of 31 bytes", { 4: other.slice(1) }, "field"],
    ["no nonce", { 4: undefined }, "field"],
    ["a tier below 0", { 6: -1 }, "field"],
    ["a tier by name", { 6: "2" }, "field"],
    ["a version above 128 bytes", { 7: "x".repeat(129) }, "field"],
    ["a tenth key", { 10: 1 }, "unknown-key"],
  ])("is refused with %s, also when the device did sign it", async (_, changes, code) => {
    const bytes = await forged(device, "enrolment", payloadOf(honest, changes));
    expect(refusalOf(() => openEnrolment(nativeSuite, bytes))).toBe(code);
  });

  it.each(BAD_KEYS)("is refused under a device key or with a recovery key that is %s", async (_, key) => {
    for (const [, suite] of suites) {
      const own = await signedAs(key, "enrolment", payloadOf(honest, { 2: key }));
      expect(refusalOf(() => openEnrolment(suite, own))).toBe("key-invalid");
      const recovering = await forged(device, "enrolment", payloadOf(honest, { 9: key }));
      expect(refusalOf(() => openEnrolment(suite, recovering))).toBe("key-invalid");
    }
  });

  it("is not even signed with such terms", async () => {
    await expect(statement({ assuranceTier: 4 })).rejects.toMatchObject({ code: "enrolment-tier" });
    await expect(statement({ recoveryKey: device.publicKey })).rejects.toMatchObject({
      code: "enrolment-recovery-key",
    });
    await expect(statement({ nodeKey: device.publicKey })).rejects.toMatchObject({ code: "enrolment-own" });
    await expect(statement({ nextKeyHash: hashOf(device) })).rejects.toMatchObject({
      code: "enrolment-next-key",
    });
  });

  it("is refused in the name of another key", async () => {
    const bytes = await signedAs(stranger.publicKey, "enrolment", payloadOf(honest));
    expect(refusalOf(() => openEnrolment(nativeSuite, bytes))).toBe("cose-signature");
  });

  it("is refused with any single bit flipped", () => {
    for (const flipped of flippedBits(honest))
      expect(refusalOf(() => checkEnrolment(fast, flipped, terms))).toBeDefined();
  });
});

describe("an enrolment countersignature", () => {
  it.each(suites)("answers exactly one statement, with the %s suite", (_, suite) => {
    const { enrolment, countersignature } = openCountersignature(suite, answer, expected);
    expect(enrolment).toEqual(openEnrolment(suite, honest));
    expect(countersignature).toEqual({
      statementHash: suite.sha256(honest),
      network: NETWORK,
      deviceKey: device.publicKey,
      decidedAtMs: EPOCH_MS,
      decision: DECISIONS.accepted,
    });
  });

  it("says when the node has refused", async () => {
    const no = await countersigned(honest, DECISIONS.refused);
    const { countersignature } = openCountersignature(nativeSuite, no, expected);
    expect(countersignature.decision).toBe(DECISIONS.refused);
    const record = { statement: honest, countersignature: no };
    expect(refusalOf(() => enrolledKey(nativeSuite, record, [node.publicKey]))).toBe("enrolled-refused");
  });

  it.each([
    ["another statement", { 1: other }, "countersignature-statement"],
    ["another network", { 2: "other-network" }, "countersignature-network"],
    ["another device", { 3: stranger.publicKey }, "countersignature-device-key"],
    ["no decision that there is", { 5: 0 }, "countersignature-decision"],
    ["a third decision", { 5: 3 }, "countersignature-decision"],
    ["no decision", { 5: undefined }, "field"],
    ["a time below 0", { 4: -1 }, "field"],
    ["a sixth key", { 6: 0 }, "unknown-key"],
  ])("is refused over %s, also when the node did sign it", async (_, changes, code) => {
    const bytes = await forged(node, "countersignature", payloadOf(answer, changes));
    expect(refusalOf(() => openCountersignature(nativeSuite, bytes, expected))).toBe(code);
  });

  it("is refused for a statement of another nonce, network or key, which are other statements", async () => {
    for (const bytes of [
      await statement({ nodeNonce: other }),
      await statement({ network: "other-network" }),
      await statement({}, stranger),
    ]) {
      const replayed = { ...expected, statement: bytes };
      expect(refusalOf(() => openCountersignature(nativeSuite, answer, replayed))).toBe(
        "countersignature-statement",
      );
    }
  });

  it("is refused under another node, and by a node that was not asked", async () => {
    const under = { ...expected, nodeKey: stranger.publicKey };
    expect(refusalOf(() => openCountersignature(nativeSuite, answer, under))).toBe("cose-kid");
    const bytes = await forged(stranger, "countersignature", payloadOf(answer));
    expect(refusalOf(() => openCountersignature(nativeSuite, bytes, under))).toBe(
      "countersignature-node-key",
    );
    const terms = { statement: honest, decidedAtMs: EPOCH_MS, decision: DECISIONS.accepted };
    await expect(signCountersignature(nativeSuite, stranger, terms)).rejects.toMatchObject({
      code: "countersignature-node-key",
    });
  });

  it("is not even signed over what is no statement", async () => {
    await expect(countersigned(answer)).rejects.toMatchObject({ code: "cose-type" });
    await expect(countersigned(honest, 3)).rejects.toMatchObject({ code: "countersignature-decision" });
  });

  it.each(BAD_KEYS)("is refused under a node key that is %s", async (_, nodeKey) => {
    const bytes = await signedAs(nodeKey, "countersignature", payloadOf(answer));
    for (const [, suite] of suites)
      expect(refusalOf(() => openCountersignature(suite, bytes, { ...expected, nodeKey }))).toBe(
        "key-invalid",
      );
  });

  it("is refused with any single bit flipped, in it or in its statement", () => {
    for (const flipped of flippedBits(answer))
      expect(refusalOf(() => openCountersignature(fast, flipped, expected))).toBeDefined();
    for (const flipped of flippedBits(honest))
      expect(
        refusalOf(() => openCountersignature(fast, answer, { ...expected, statement: flipped })),
      ).toBeDefined();
  });
});

describe("the key that a trusted node enrolled", () => {
  const record = { statement: honest, countersignature: answer };

  it.each(suites)("is the statement's, with the %s suite", (_, suite) => {
    expect(enrolledKey(suite, record, [stranger.publicKey, node.publicKey])).toMatchObject({
      deviceKey: device.publicKey,
      network: NETWORK,
      nodeKey: node.publicKey,
      enrolledAtMs: EPOCH_MS,
      nextKeyHash: enrolmentTerms.nextKeyHash,
      recoveryKey: recovery.publicKey,
      formerKeys: [],
    });
  });

  it("is nobody's without a trusted node", () => {
    for (const nodeKeys of [[], [stranger.publicKey], [device.publicKey]])
      expect(refusalOf(() => enrolledKey(nativeSuite, record, nodeKeys))).toBe("enrolled-untrusted");
  });

  it("is not the key of a device that answers for itself", async () => {
    const own = await forged(device, "countersignature", payloadOf(answer));
    const itself = { ...record, countersignature: own };
    expect(refusalOf(() => enrolledKey(nativeSuite, itself, [node.publicKey]))).toBe("enrolled-untrusted");
    // Even a verifier who trusts the device's key as a node's does not take its word for itself.
    expect(refusalOf(() => enrolledKey(nativeSuite, itself, [device.publicKey]))).toBe(
      "countersignature-node-key",
    );
  });

  it("prints what a stranger signed on one line", async () => {
    const bytes = await forged(node, "countersignature", payloadOf(answer, { 2: "a\n\u001b[2Jb" }));
    const problem = problemOf(() => openCountersignature(nativeSuite, bytes, expected));
    expect(problem.code).toBe("countersignature-network");
    expect(problem.message).not.toMatch(/\p{Cc}/u);
  });
});
