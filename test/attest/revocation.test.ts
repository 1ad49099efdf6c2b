import { describe, expect, it } from "vitest";
import { type Checkpoint, openCheckpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { OBJECT_TYPES, type ObjectType, openObject, parseObject } from "../../attest/cose.ts";
import { openCountersignature } from "../../attest/countersignature.ts";
import { openEnrolment } from "../../attest/enrolment.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt, signReceipt } from "../../attest/receipt.ts";
import {
  isValidUnder,
  openRevocation,
  type ReceiptedEvidence,
  type RevocationAuthority,
} from "../../attest/revocation.ts";
import { openRotation } from "../../attest/rotation.ts";
import {
  BAD_KEYS,
  countersigned,
  device,
  EPOCH_MS,
  fast,
  forged,
  hashOf,
  logId,
  NETWORK,
  node,
  payloadOf,
  recovery,
  registrar,
  revocation,
  revocationTerms,
  rotation,
  secondKey,
  signedAs,
  statement,
  stranger,
} from "./key-life-kit.ts";
import { flippedBits, refusalOf } from "./refusal.ts";
import { flip, suites } from "./signature-kit.ts";

const authority: RevocationAuthority = {
  network: NETWORK,
  deviceKey: device.publicKey,
  recoveryKey: recovery.publicKey,
  registrarKeys: [registrar.publicKey],
};
const honest = await revocation();

describe("a revocation", () => {
  it.each(suites)(
    "is taken from the recovery key and from a registrar, with the %s suite",
    async (_, suite) => {
      expect(openRevocation(suite, honest, authority)).toEqual(revocationTerms);
      expect(openRevocation(suite, await revocation({}, registrar), authority)).toEqual(revocationTerms);
    },
  );

  it("is refused from any other key", async () => {
    for (const signer of [stranger, node, secondKey]) {
      const bytes = await revocation({}, signer);
      expect(refusalOf(() => openRevocation(nativeSuite, bytes, authority))).toBe("revocation-signer");
    }
    const { recoveryKey: _, ...registrarOnly } = authority;
    expect(refusalOf(() => openRevocation(nativeSuite, honest, registrarOnly))).toBe("revocation-signer");
    const recoveryOnly = { ...authority, registrarKeys: [] };
    const byRegistrar = await revocation({}, registrar);
    expect(refusalOf(() => openRevocation(nativeSuite, byRegistrar, recoveryOnly))).toBe("revocation-signer");
  });

  it("is refused in the name of the recovery key without its signature", async () => {
    const bytes = await signedAs(recovery.publicKey, "revocation", payloadOf(honest));
    expect(refusalOf(() => openRevocation(nativeSuite, bytes, authority))).toBe("cose-signature");
  });

  it("is refused from the device key itself, even where that is listed", async () => {
    const own = await forged(device, "revocation", payloadOf(honest));
    expect(refusalOf(() => openRevocation(nativeSuite, own, authority))).toBe("revocation-signer");
    const listed = { ...authority, registrarKeys: [device.publicKey] };
    expect(refusalOf(() => openRevocation(nativeSuite, own, listed))).toBe("revocation-own");
    await expect(revocation({}, device)).rejects.toMatchObject({ code: "revocation-own" });
  });

  it("is refused for another network or device than the one asked about", () => {
    const network = "other-network";
    expect(refusalOf(() => openRevocation(nativeSuite, honest, { ...authority, network }))).toBe(
      "revocation-network",
    );
    const deviceKey = secondKey.publicKey;
    expect(refusalOf(() => openRevocation(nativeSuite, honest, { ...authority, deviceKey }))).toBe(
      "revocation-device-key",
    );
  });

  it.each([
    ["another network", { 1: "other-network" }, "revocation-network"],
    ["another device", { 2: secondKey.publicKey }, "revocation-device-key"],
    ["a log of another device", { 3: logId(NETWORK, secondKey.publicKey, 3) }, "revocation-log"],
    ["a log of another network", { 3: logId("other-network", device.publicKey, 3) }, "revocation-log"],
    ["another epoch than the log's", { 4: 2 }, "revocation-log"],
    ["epoch 0", { 3: logId(NETWORK, device.publicKey, 0), 4: 0 }, "revocation-log"],
    ["an epoch above 2^32-1", { 4: 2 ** 32 }, "bytes-integer"],
    ["a cut below 0", { 5: -1 }, "field"],
    ["a time below 0", { 6: -1 }, "field"],
    ["a reason by number", { 7: 1 }, "field"],
    ["no reason", { 7: undefined }, "field"],
    ["an eighth key", { 8: 0 }, "unknown-key"],
  ])("is refused over %s, also when the recovery key did sign it", async (_, changes, code) => {
    const bytes = await forged(recovery, "revocation", payloadOf(honest, changes));
    expect(refusalOf(() => openRevocation(nativeSuite, bytes, authority))).toBe(code);
  });

  it("is not even signed over a log that is not the key's", async () => {
    await expect(revocation({ epoch: 4 })).rejects.toMatchObject({ code: "revocation-log" });
  });

  it.each(BAD_KEYS)("is refused by a registrar key that is %s", async (_, key) => {
    const bytes = await signedAs(key, "revocation", payloadOf(honest));
    for (const [, suite] of suites)
      expect(refusalOf(() => openRevocation(suite, bytes, { ...authority, registrarKeys: [key] }))).toBe(
        "key-invalid",
      );
  });

  it("is refused with any single bit flipped", () => {
    for (const flipped of flippedBits(honest))
      expect(refusalOf(() => openRevocation(fast, flipped, authority))).toBeDefined();
  });
});

describe("evidence of a revoked key", () => {
  const { revokedAtMs } = revocationTerms;
  const by = (who: { readonly publicKey: Uint8Array }, receivedAtMs = revokedAtMs - 1) => ({
    nodeKey: who.publicKey,
    receivedAtMs,
  });
  const policy = { nodeKeys: [node.publicKey, registrar.publicKey], witnesses: 1 };
  const evidence: ReceiptedEvidence = {
    network: NETWORK,
    deviceKey: device.publicKey,
    ...{ epoch: 3, size: 500, witnesses: [by(node)] },
  };
  const stands = (changes: Partial<ReceiptedEvidence>, asked = policy): boolean =>
    isValidUnder(revocationTerms, { ...evidence, ...changes }, asked);

  it("stands up to the cut and not above it", () => {
    expect([1, 499, 500, 501].map((size) => stands({ size }))).toEqual([true, true, true, false]);
    const nothing = { ...revocationTerms, cutSize: 0 };
    expect(isValidUnder(nothing, { ...evidence, size: 1 }, policy)).toBe(false);
  });

  it("stands when it was receipted before, not at or after the time", () => {
    const at = [-1, 0, 1].map((ms) => stands({ witnesses: [by(node, revokedAtMs + ms)] }));
    expect(at).toEqual([true, false, false]);
    expect(stands({ witnesses: [] })).toBe(false);
  });

  it("stands by as many trusted nodes as are asked for, each counted once, and at least one", () => {
    const two = { ...policy, witnesses: 2 };
    expect(stands({ witnesses: [by(node)] }, two)).toBe(false);
    expect(stands({ witnesses: [by(node), by(node, 1)] }, two)).toBe(false);
    expect(stands({ witnesses: [by(node), by(stranger)] }, two)).toBe(false);
    expect(stands({ witnesses: [by(node), by(registrar, revokedAtMs)] }, two)).toBe(false);
    expect(stands({ witnesses: [by(node), by(registrar)] }, two)).toBe(true);
    expect(stands({ witnesses: [] }, { ...policy, witnesses: 0 })).toBe(false);
    expect(stands({ witnesses: [by(stranger)] }, { ...policy, witnesses: 0 })).toBe(false);
  });

  it("does not stand by the device's own word", () => {
    const fooled = { ...policy, nodeKeys: [device.publicKey] };
    expect(stands({ witnesses: [by(device)] }, fooled)).toBe(false);
  });

  it("stands in earlier epochs at any size, if receipted before, and never in later ones", () => {
    expect(stands({ epoch: 2, size: 100_000 })).toBe(true);
    expect(stands({ epoch: 2, witnesses: [by(node, revokedAtMs)] })).toBe(false);
    expect(stands({ epoch: 4, size: 1 })).toBe(false);
  });

  it("is not touched by the revocation of another key or in another network", () => {
    expect(stands({ deviceKey: secondKey.publicKey, size: 501, witnesses: [] })).toBe(true);
    expect(stands({ network: "other-network", size: 501, witnesses: [] })).toBe(true);
  });
});

/** Each object, honestly signed, and how its reader opens it. */
describe("objects taken for one another", async () => {
  const log = revocationTerms.logId;
  const root = new Uint8Array(32);
  const checkpoint: Checkpoint = {
    ...{ size: 1, root, lastLeafMs: 0, issuedAtMs: 0, timeQuality: 3, bootCount: 1, manifestHash: root },
  };
  const known = { network: NETWORK, oldKey: device.publicKey, nextKeyHash: hashOf(secondKey) };
  const enrolment = await statement();
  const rotated = await rotation();
  const receipt = { manifestHash: log, size: 1, root, receivedAtMs: EPOCH_MS, ruleVersion: 1 };
  const objects: Partial<Record<ObjectType, Uint8Array>> = {
    checkpoint: await signCheckpoint(device, log, checkpoint),
    receipt: await signReceipt(node, receipt),
    enrolment,
    countersignature: await countersigned(enrolment),
    rotation: rotated,
    revocation: honest,
  };
  const readers: Partial<Record<ObjectType, (bytes: Uint8Array) => unknown>> = {
    checkpoint: (bytes) => openCheckpoint(nativeSuite, bytes, { deviceKey: device.publicKey, logId: log }),
    receipt: (bytes) => openReceipt(nativeSuite, bytes, node.publicKey),
    enrolment: (bytes) => openEnrolment(nativeSuite, bytes),
    countersignature: (bytes) =>
      openCountersignature(nativeSuite, bytes, { statement: enrolment, nodeKey: node.publicKey }),
    rotation: (bytes) => openRotation(nativeSuite, bytes, known),
    revocation: (bytes) => openRevocation(nativeSuite, bytes, authority),
  };

  it.each(Object.entries(readers))("a %s is nothing else", (type, read) => {
    for (const [name, bytes] of Object.entries(objects))
      expect([name, refusalOf(() => read(bytes))]).toEqual([name, name === type ? undefined : "cose-type"]);
  });

  it("nor is a payload of one under the type of another", async () => {
    for (const [name, bytes] of Object.entries(objects)) {
      const payload = parseObject(bytes).payload;
      if (name !== "enrolment") {
        const posing = await forged(device, "enrolment", payload);
        expect([name, refusalOf(() => openEnrolment(nativeSuite, posing))]).toEqual([name, "field"]);
      }
      if (name !== "revocation") {
        const posing = await forged(recovery, "revocation", payload);
        expect(refusalOf(() => openRevocation(nativeSuite, posing, authority))).toMatch(
          /^(field|unknown-key)$/,
        );
      }
    }
  });

  it("each type has its own text", () => {
    const texts = Object.values(OBJECT_TYPES);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it("and a sample of flipped bits gets one verdict from both suites", () => {
    for (const [name, bytes] of Object.entries(objects)) {
      for (let bit = 0; bit < bytes.length * 8; bit += 61) {
        const key = parseObject(bytes).kid;
        const type = name as ObjectType;
        const signer = type === "checkpoint" ? device.publicKey : key;
        for (const [, suite] of suites)
          expect(
            refusalOf(() => openObject(suite, flip(bytes, bit), { type, key: signer, kid: key })),
          ).toBeDefined();
      }
    }
  });
});
