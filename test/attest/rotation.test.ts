import { describe, expect, it } from "vitest";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import { enrolledKey, MAX_ROTATIONS } from "../../attest/enrolled-key.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openRotation, type Rotation, signRotation } from "../../attest/rotation.ts";
import type { Signer } from "../../attest/signature.ts";
import {
  BAD_KEYS,
  countersigned,
  device,
  EPOCH_MS,
  fast,
  forged,
  fourthKey,
  hashOf,
  logId,
  NETWORK,
  node,
  payloadOf,
  recovery,
  rotation,
  rotationTerms,
  secondKey,
  signedAs,
  signerOf,
  statement,
  stranger,
  thirdKey,
} from "./key-life-kit.ts";
import { flippedBits, refusalOf } from "./refusal.ts";
import { suites } from "./signature-kit.ts";

const known = { network: NETWORK, oldKey: device.publicKey, nextKeyHash: hashOf(secondKey) };
const honest = await rotation();
const acceptance = payloadOf(honest).get(1);
if (!(acceptance instanceof Uint8Array)) throw new Error("a rotation holds an acceptance");
const inner = acceptance;

/** A rotation whose terms are changed past every check of the signer, signed by both keys all the same. */
async function changed(changes: Record<number, unknown>, signer: Signer = secondKey): Promise<Uint8Array> {
  const taken = await forged(signer, "acceptance", payloadOf(inner, changes));
  return forged(device, "rotation", new Map([[1, taken]]));
}

describe("a rotation", () => {
  it.each(suites)("leads from the old key to the one committed to, with the %s suite", (_, suite) => {
    expect(openRotation(suite, honest, known)).toEqual({
      ...rotationTerms(),
      oldKey: device.publicKey,
      newKey: secondKey.publicKey,
    });
  });

  it("is refused when the new key is not the one committed to, though both keys have signed", async () => {
    const bytes = await signRotation(nativeSuite, { old: device, new: stranger }, rotationTerms());
    expect(refusalOf(() => openRotation(nativeSuite, bytes, known))).toBe("rotation-not-committed");
    const other = { ...known, nextKeyHash: hashOf(thirdKey) };
    expect(refusalOf(() => openRotation(nativeSuite, honest, other))).toBe("rotation-not-committed");
  });

  it("is refused under another old key or network than the one known", () => {
    const oldKey = stranger.publicKey;
    expect(refusalOf(() => openRotation(nativeSuite, honest, { ...known, oldKey }))).toBe("cose-kid");
    expect(refusalOf(() => openRotation(nativeSuite, honest, { ...known, network: "other-network" }))).toBe(
      "rotation-network",
    );
  });

  it.each([
    ["another network", { 1: "other-network" }, "rotation-network"],
    ["another old key", { 2: stranger.publicKey }, "rotation-old-key"],
    ["another new key than its signer's", { 3: stranger.publicKey }, "rotation-new-key"],
    ["its new key as the next", { 4: hashOf(secondKey) }, "rotation-next-key"],
    ["its old key as the next", { 4: hashOf(device) }, "rotation-next-key"],
    ["a log of the new key", { 6: logId(NETWORK, secondKey.publicKey, 3) }, "rotation-log"],
    ["a log of another network", { 6: logId("other-network", device.publicKey, 3) }, "rotation-log"],
    ["another epoch than the log's", { 7: 4 }, "rotation-log"],
    ["epoch 0", { 6: logId(NETWORK, device.publicKey, 0), 7: 0 }, "rotation-log"],
    ["an epoch above 2^32-1", { 7: 2 ** 32 }, "bytes-integer"],
    ["an empty log", { 8: 0 }, "rotation-size"],
    ["a size below 0", { 8: -1 }, "field"],
    ["a time below 0", { 5: -1 }, "field"],
    ["no time", { 5: undefined }, "field"],
    ["a ninth key", { 9: 0 }, "unknown-key"],
  ])("is refused with %s, also when both keys did sign it", async (_, changes, code) => {
    const bytes = await changed(changes);
    expect(refusalOf(() => openRotation(nativeSuite, bytes, known))).toBe(code);
  });

  it("needs both signatures", async () => {
    const unsigned = await signedAs(secondKey.publicKey, "acceptance", payloadOf(inner));
    const oneSided = await forged(device, "rotation", new Map([[1, unsigned]]));
    expect(refusalOf(() => openRotation(nativeSuite, oneSided, known))).toBe("cose-signature");
    const otherSide = await signedAs(device.publicKey, "rotation", payloadOf(honest));
    expect(refusalOf(() => openRotation(nativeSuite, otherSide, known))).toBe("cose-signature");
    // The old key twice is not both keys.
    const twice = await changed({ 3: device.publicKey }, device);
    expect(refusalOf(() => openRotation(nativeSuite, twice, known))).toBe("rotation-same-key");
  });

  it("is refused with an acceptance of another old key's rotation put into it", async () => {
    const other = await signRotation(nativeSuite, { old: stranger, new: secondKey }, rotationTerms(stranger));
    const bytes = await forged(device, "rotation", payloadOf(other));
    expect(refusalOf(() => openRotation(nativeSuite, bytes, known))).toBe("rotation-old-key");
  });

  it("holds an acceptance and nothing else", async () => {
    const checkpoint = await signCheckpoint(secondKey, rotationTerms().lastLogId, {
      ...{ size: 1, root: new Uint8Array(32), lastLeafMs: 0, issuedAtMs: 0, timeQuality: 3, bootCount: 1 },
      manifestHash: new Uint8Array(32),
    });
    for (const content of [checkpoint, honest]) {
      const bytes = await forged(device, "rotation", new Map([[1, content]]));
      expect(refusalOf(() => openRotation(nativeSuite, bytes, known))).toBe("cose-type");
    }
    const empty = await forged(device, "rotation", new Map());
    expect(refusalOf(() => openRotation(nativeSuite, empty, known))).toBe("field");
    const more = await forged(device, "rotation", new Map([...payloadOf(honest), [2, 0]]));
    expect(refusalOf(() => openRotation(nativeSuite, more, known))).toBe("unknown-key");
    expect(refusalOf(() => openRotation(nativeSuite, inner, known))).toBe("cose-type");
  });

  it.each(BAD_KEYS)("is refused to a new key that is %s, though it was committed to", async (_, key) => {
    const taken = await signedAs(key, "acceptance", payloadOf(inner, { 3: key }));
    const bytes = await forged(device, "rotation", new Map([[1, taken]]));
    const committed = { ...known, nextKeyHash: nativeSuite.sha256(key) };
    for (const [, suite] of suites)
      expect(refusalOf(() => openRotation(suite, bytes, committed))).toBe("key-invalid");
    const signers = { old: device, new: { publicKey: key, sign: () => new Uint8Array(64) } };
    await expect(signRotation(nativeSuite, signers, rotationTerms())).rejects.toMatchObject({
      code: "key-invalid",
    });
  });

  it("is not even signed with such terms", async () => {
    await expect(rotation({ lastSize: 0 })).rejects.toMatchObject({ code: "rotation-size" });
    await expect(rotation({ lastEpoch: 4 })).rejects.toMatchObject({ code: "rotation-log" });
    await expect(rotation({ nextKeyHash: hashOf(device) })).rejects.toMatchObject({
      code: "rotation-next-key",
    });
    const same = signRotation(nativeSuite, { old: device, new: device }, rotationTerms());
    await expect(same).rejects.toMatchObject({ code: "rotation-same-key" });
  });

  it("is refused with any single bit flipped, and with a bit of the acceptance that the old key signed", async () => {
    for (const flipped of flippedBits(honest))
      expect(refusalOf(() => openRotation(fast, flipped, known))).toBeDefined();
    for (const flipped of flippedBits(inner)) {
      const bytes = await forged(device, "rotation", new Map([[1, flipped]]));
      expect(refusalOf(() => openRotation(fast, bytes, known))).toBeDefined();
    }
  });
});

describe("a chain of rotations", async () => {
  const record = { statement: await statement(), countersignature: await countersigned() };
  const nodeKeys = [node.publicKey];
  const step = (
    [old, next, following]: readonly [Signer, Signer, Signer],
    changes: Partial<Rotation> = {},
  ): Promise<Uint8Array> =>
    signRotation(nativeSuite, { old, new: next }, { ...rotationTerms(old, following), ...changes });
  const second = await step([secondKey, thirdKey, fourthKey], { rotatedAtMs: EPOCH_MS + 2000, lastSize: 7 });
  const refused = (rotations: readonly Uint8Array[]): string | undefined =>
    refusalOf(() => enrolledKey(fast, { ...record, rotations }, nodeKeys));

  it.each(suites)("ends at the key that is trusted now, with the %s suite", (_, suite) => {
    const trusted = enrolledKey(suite, { ...record, rotations: [honest, second] }, nodeKeys);
    expect(trusted).toMatchObject({
      deviceKey: thirdKey.publicKey,
      nextKeyHash: hashOf(fourthKey),
      recoveryKey: recovery.publicKey,
      enrolment: { deviceKey: device.publicKey },
    });
    const places = rotationTerms();
    expect(trusted.formerKeys).toEqual([
      {
        deviceKey: device.publicKey,
        ...{ lastLogId: places.lastLogId, lastEpoch: 3, lastSize: 500, rotatedAtMs: EPOCH_MS + 1000 },
      },
      {
        deviceKey: secondKey.publicKey,
        ...{ lastLogId: logId(NETWORK, secondKey.publicKey, 3), lastEpoch: 3 },
        ...{ lastSize: 7, rotatedAtMs: EPOCH_MS + 2000 },
      },
    ]);
  });

  it("has no link left out, twice or in another order", () => {
    expect(refused([honest])).toBeUndefined();
    expect(refused([second])).toBe("cose-kid");
    expect(refused([second, honest])).toBe("cose-kid");
    expect(refused([honest, honest])).toBe("cose-kid");
  });

  it("commits at each link: the thief of one key cannot choose the key after the next", async () => {
    const stolen = await step([secondKey, stranger, fourthKey]);
    expect(refused([honest, stolen])).toBe("rotation-not-committed");
  });

  it("does not lead into another network", async () => {
    const network = "other-network";
    const lastLogId = logId(network, device.publicKey, 3);
    expect(refused([await rotation({ network, lastLogId })])).toBe("rotation-network");
  });

  it.each([
    ["the first key", device],
    ["the recovery key", recovery],
    ["the node's key", node],
  ])("does not commit to %s", async (_, used) => {
    expect(refused([honest, await step([secondKey, thirdKey, used])])).toBe("rotation-used-key");
  });

  it("does not lead to the node's key, though the statement committed to it", async () => {
    const committed = await statement({ nextKeyHash: hashOf(node) });
    const countersignature = await countersigned(committed);
    const rotations = [await step([device, node, thirdKey])];
    expect(
      refusalOf(() => enrolledKey(fast, { statement: committed, countersignature, rotations }, nodeKeys)),
    ).toBe("rotation-used-key");
  });

  it("does not go back in time, and may stand still", async () => {
    const earlier = await step([secondKey, thirdKey, fourthKey], { rotatedAtMs: EPOCH_MS + 999 });
    expect(refused([honest, earlier])).toBe("rotation-time");
    expect(refused([honest, await step([secondKey, thirdKey, fourthKey])])).toBeUndefined();
  });

  it("ends", async () => {
    const signers = Array.from({ length: MAX_ROTATIONS + 3 }, (_, i) => signerOf(100 + i));
    const links = signers.slice(0, -2).flatMap((_, i) => {
      const [a, b, c] = signers.slice(i, i + 3);
      return a && b && c ? [step([a, b, c])] : [];
    });
    const [first, next] = signers;
    if (first === undefined || next === undefined) throw new Error("there are two keys");
    const long = await statement({ nextKeyHash: hashOf(next) }, first);
    const countersignature = await countersigned(long);
    const rotations = await Promise.all(links);
    const through = (count: number): unknown =>
      enrolledKey(
        fast,
        { statement: long, countersignature, rotations: rotations.slice(0, count) },
        nodeKeys,
      );
    expect(rotations.length).toBe(MAX_ROTATIONS + 1);
    expect(through(MAX_ROTATIONS)).toMatchObject({ deviceKey: signers.at(MAX_ROTATIONS)?.publicKey });
    expect(refusalOf(() => through(MAX_ROTATIONS + 1))).toBe("rotation-count");
  });
});
