import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { DECISIONS } from "../../attest/countersignature.ts";
import { encodeFault, type Fault, joinObjects } from "../../attest/fault.ts";
import { type FaultPolicy, type FaultVerdict, judgeFault } from "../../attest/fault-judge.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import { faultWords } from "../../attest/fault-words.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { falseLastLeaf, keyUse, lastOf, sampleFaults, shortLog, usedKey } from "./fault-forge.ts";
import { signerOf, suite } from "./fault-kit.ts";
import {
  countersigned,
  device,
  EPOCH_MS,
  logId,
  node,
  registrar,
  revocation,
  rotation,
  statement,
  stranger,
} from "./key-life-kit.ts";
import { refusalOf } from "./refusal.ts";

const NOBODY: FaultPolicy = { deviceKeys: [], nodeKeys: [] };
const BY_NODE: FaultPolicy = { deviceKeys: [], nodeKeys: [node.publicKey] };
const BY_HAND: FaultPolicy = { deviceKeys: [device.publicKey], nodeKeys: [] };

function judged(bytes: Uint8Array, policy: FaultPolicy): FaultVerdict {
  return judgeFault(suite, verifyFault(suite, bytes), policy);
}

/** A file about the use of a key, by what it is judged to show under a policy. */
async function ruleOf(
  file: Partial<Fault>,
  policy: FaultPolicy,
  size = 400,
  epoch = 3,
): Promise<string | undefined> {
  // What a test gives belongs to a file of this kind.
  const bytes = encodeFault({ ...(await keyUse(size, epoch)), ...file } as Fault);
  const code = refusalOf(() => judged(bytes, policy));
  return code ?? judged(bytes, policy).rule;
}

const enrolled = { statement: await statement(), countersignature: await countersigned() };
const rotated = { ...enrolled, rotations: joinObjects([await rotation()]) };

describe("the use of a key", () => {
  it("is of an unknown key where nobody whom the reader trusts vouches for it", async () => {
    expect(await ruleOf({}, NOBODY)).toBe("unknown-key");
    expect(await ruleOf(enrolled, NOBODY)).toBe("unknown-key");
    expect(await ruleOf(enrolled, { deviceKeys: [stranger.publicKey], nodeKeys: [stranger.publicKey] })).toBe(
      "unknown-key",
    );
  });

  it("shows nothing where the key is vouched for, and nothing retires or revokes it", async () => {
    expect(await ruleOf({}, BY_HAND)).toBe("fault-nothing");
    expect(await ruleOf(enrolled, BY_NODE)).toBe("fault-nothing");
    expect(await ruleOf(rotated, BY_NODE, 500)).toBe("fault-nothing");
    expect(await ruleOf(rotated, BY_NODE, 9999, 2)).toBe("fault-nothing");
  });

  it("is of the wrong network where another one is meant", async () => {
    expect(await ruleOf({}, { ...BY_HAND, network: "other" })).toBe("wrong-network");
    expect(await ruleOf(rotated, { ...BY_HAND, network: "other" }, 501)).toBe("wrong-network");
    expect(await ruleOf({}, { ...BY_HAND, network: "test-network" })).toBe("fault-nothing");
  });

  it("is of a retired key beyond its rotation, and accuses whoever holds it, trusted or not", async () => {
    for (const policy of [BY_NODE, BY_HAND, NOBODY]) {
      expect(await ruleOf(rotated, policy, 501)).toBe("retired-key");
      expect(await ruleOf(rotated, policy, 1, 4)).toBe("retired-key");
    }
    const { guilty, trust, finding } = judged(await usedKey(501), NOBODY);
    expect([guilty, trust]).toEqual(["holder of the retired key", "none"]);
    expect(finding).toEqual({
      ...{ rule: "retired-key", size: 501, lastEpoch: 3, lastSize: 500, rotatedAtMs: EPOCH_MS + 1000 },
    });
  });

  it("is not of a retired key where it is the one that the device has now", async () => {
    const bytes = encodeFault({ ...(await keyUse(501, 3, { signer: signerOf(5) })), ...rotated });
    expect(verifyFault(suite, bytes)).toMatchObject({
      key: { enrolled: { enrolled: { formerKeys: [{}] } } },
    });
    expect(refusalOf(() => judged(bytes, BY_NODE))).toBe("fault-nothing");
    expect(judged(bytes, NOBODY)).toMatchObject({ rule: "unknown-key", guilty: "nobody" });
  });

  it("is of a revoked key above the cut, by the recovery key or a trusted registrar only", async () => {
    const byRecovery = { ...enrolled, revocations: [await revocation()] };
    const byRegistrar = { revocations: [await revocation({}, registrar)] };
    expect(await ruleOf(byRecovery, BY_NODE, 501)).toBe("revoked-key");
    expect(await ruleOf(byRecovery, BY_NODE, 1, 4)).toBe("revoked-key");
    expect(await ruleOf(byRecovery, BY_NODE, 500)).toBe("fault-nothing");
    expect(await ruleOf(byRecovery, BY_NODE, 9999, 2)).toBe("fault-nothing");
    expect(await ruleOf(byRecovery, NOBODY, 501)).toBe("unknown-key");
    expect(await ruleOf(byRegistrar, BY_HAND, 501)).toBe("fault-nothing");
    const trusting = { ...BY_HAND, registrarKeys: [registrar.publicKey] };
    expect(await ruleOf(byRegistrar, trusting, 501)).toBe("revoked-key");
    // The device's owner would have to have named the key: without the enrolment nobody knows that he did.
    expect(await ruleOf({ revocations: [await revocation()] }, trusting, 501)).toBe("fault-nothing");
  });

  it("is not told by records of another key, another network or half a record", async () => {
    const of = async (file: Partial<Fault>): Promise<string | undefined> => ruleOf(file, BY_NODE, 501);
    const { countersignature, statement: said } = enrolled;
    expect(await of({ statement: said })).toBe("fault-format");
    expect(await of({ countersignature })).toBe("fault-format");
    expect(await of({ rotations: rotated.rotations })).toBe("fault-format");
    expect(
      await of({
        revocations: [await revocation({ network: "other", logId: logId("other", device.publicKey, 3) })],
      }),
    ).toMatch(/^revocation-/);
    const refused = { statement: said, countersignature: await countersigned(said, DECISIONS.refused) };
    expect(await of(refused)).toBe("enrolled-refused");
    const elsewhere = encodeFault({ ...(await keyUse(5, 3, { network: "other-network" })), ...enrolled });
    expect(refusalOf(() => verifyFault(suite, elsewhere))).toBe("fault-record");
    const uncommitted = joinObjects([await rotation({ network: "test-network" }), await rotation()]);
    expect(await of({ ...enrolled, rotations: uncommitted })).toMatch(/^(?:cose|rotation)-/);
  });
});

describe("a verdict on a fault", () => {
  const samples = sampleFaults();

  it("is plain data that survives being written down", async () => {
    for (const [name, bytes] of await samples) {
      const verdict = judged(bytes, BY_HAND);
      expect([name, JSON.parse(JSON.stringify(verdict))]).toEqual([name, verdict]);
    }
  });

  it("accuses the device key, trusted or not, and says whether it is", async () => {
    for (const [name, bytes] of await samples) {
      if (name === "key") continue;
      for (const [policy, trust] of [
        [BY_HAND, "device"],
        [NOBODY, "none"],
      ] as const) {
        const expected = {
          guilty: "device key",
          trust,
          deviceKey: toHex(device.publicKey),
          networkMeant: true,
        };
        expect([name, judged(bytes, policy)]).toMatchObject([name, expected]);
      }
      expect(judged(bytes, { ...BY_HAND, network: "other" })).toMatchObject({ networkMeant: false });
    }
  });

  it("is said in words: what it shows, who is guilty, and what it does not show", async () => {
    for (const [name, bytes] of await samples) {
      const words = faultWords(judged(bytes, NOBODY)).join("\n");
      expect(words).toContain(name === "key" ? "whoever holds the retired key" : "guilty    the device key");
      expect(words).toContain("Not shown by this file:");
      expect(words).toContain("whose key this is");
      expect(words).toContain(name === "key" ? "a thief" : "a stolen key, a copied device, a disk put back");
      expect(words).not.toMatch(/undefined|NaN|\[object/);
    }
  });

  it("accuses nobody for a key that is unknown, revoked or of another network", async () => {
    const trusting: FaultPolicy = { ...BY_HAND, registrarKeys: [registrar.publicKey] };
    const revoked = encodeFault({
      ...(await keyUse(501, 3)),
      revocations: [await revocation({}, registrar)],
    });
    const plain = encodeFault(await keyUse(501, 3));
    for (const [bytes, policy] of [
      [revoked, trusting],
      [plain, NOBODY],
      [plain, { ...BY_HAND, network: "other" }],
    ] as const) {
      const verdict = judged(bytes, policy);
      expect(verdict.guilty).toBe("nobody");
      expect(faultWords(verdict).join("\n")).toContain("that anyone did wrong");
    }
    expect(faultWords(judged(revoked, trusting)).join("\n")).toContain("reason: gateway stolen");
  });

  it("shows control characters in a device's texts as what they are", async () => {
    const log = shortLog();
    const manifest = { ...lastOf(log, "logManifest"), network: "\u001b[2Jgrid\n\u202e" };
    const lines = faultWords(judged(await falseLastLeaf(log, [encodeLeaf(manifest)]), NOBODY));
    expect(lines.join("\n")).toContain("\\u{1b}[2Jgrid\\u{a}\\u{202e}");
    for (const line of lines) expect(line).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]*$/u);
  });
});
