import { beforeAll, describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { DECISIONS } from "../../attest/countersignature.ts";
import { nativeSuite } from "../../attest/native.ts";
import { decodeProof, encodeProof } from "../../attest/proof.ts";
import { buildProofAcross } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import type { Revocation } from "../../attest/revocation.ts";
import type { Rotation } from "../../attest/rotation.ts";
import type { Signer } from "../../attest/signature.ts";
import type { TrustPolicy } from "../../attest/trust-policy.ts";
import type { LogBuilder, LogBuilderOptions } from "../kit/log-builder.ts";
import {
  countersigned,
  device,
  logId,
  NETWORK,
  node,
  recovery,
  registrar,
  revocation,
  rotation,
  secondKey,
  statement,
  stranger,
} from "./key-life-kit.ts";
import {
  energyVerdict,
  keysOf,
  nextEpoch,
  nodeA,
  nodeB,
  openedLog,
  patientSuite,
  proofOf,
  quarter,
  quickSigner,
  witnessQuarters,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const NOBODY: TrustPolicy = { deviceKeys: [], nodeKeys: [], witnesses: 1 };
const byNode: TrustPolicy = { ...NOBODY, nodeKeys: keysOf(node, nodeA) };

function code(bytes: Uint8Array, policy: TrustPolicy): string | undefined {
  return refusalOf(() => energyVerdict(bytes, policy));
}

/** One quarter of an hour under a key, receipted by node A; the file and how many leaves its checkpoint covers. */
async function proven(
  options: LogBuilderOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly size: number }> {
  const log = await witnessQuarters(openedLog(options), 1, [nodeA]);
  return { bytes: proofOf(log, 0, 1), size: log.checkpoints[0]?.checkpoint.size ?? 0 };
}

function enrolledBy(bytes: Uint8Array, ...enrolment: readonly Uint8Array[]): Uint8Array {
  return encodeProof({ parts: decodeProof(bytes).parts, enrolment });
}

describe("trust in a device that a node has enrolled", () => {
  let bytes = new Uint8Array(0) as Uint8Array;
  let record: readonly [Uint8Array, Uint8Array];
  beforeAll(async () => {
    bytes = (await proven()).bytes;
    record = [await statement(), await countersigned()];
  });

  it("comes from the node's key and no other", () => {
    const file = enrolledBy(bytes, ...record);
    const verdict = energyVerdict(file, byNode);
    expect(verdict).toMatchObject({
      trust: "enrolled",
      enrolledBy: toHex(node.publicKey),
      standing: "witnessed",
    });
    expect(code(bytes, byNode)).toBe("untrusted-key");
    expect(code(file, { ...NOBODY, nodeKeys: keysOf(nodeA, stranger) })).toBe("untrusted-key");
    expect(code(file, { ...NOBODY, deviceKeys: keysOf(stranger) })).toBe("untrusted-key");
    expect(code(file, { ...byNode, deviceKeys: keysOf(stranger) })).toBeUndefined();
    expect(energyVerdict(file, { ...NOBODY, deviceKeys: keysOf(device) }).trust).toBe("device");
    expect(energyVerdict(file, NOBODY)).toMatchObject({ trust: "none", standing: "device-asserted" });
    expect(energyVerdict(file, NOBODY)).not.toHaveProperty("enrolledBy");
  });

  it("is refused for another device's record, another network's, or half of one", async () => {
    const [own, answer] = record;
    expect(code(enrolledBy((await proven({ signer: quickSigner(9) })).bytes, own, answer), NOBODY)).toBe(
      "proof-enrolment",
    );
    const elsewhere = await statement({ network: "elsewhere" });
    expect(code(enrolledBy(bytes, elsewhere, await countersigned(elsewhere)), NOBODY)).toBe(
      "proof-enrolment",
    );
    expect(code(enrolledBy(bytes, own), NOBODY)).toBe("proof-enrolment");
    expect(code(enrolledBy(bytes, answer, own), NOBODY)).toBe("cose-type");
    const other = await statement({ softwareVersion: "other" });
    expect(code(enrolledBy(bytes, other, answer), NOBODY)).toBe("countersignature-statement");
    const refused = await countersigned(own, DECISIONS.refused);
    expect(code(enrolledBy(bytes, own, refused), NOBODY)).toBe("enrolled-refused");
  });

  it("goes no further than the tier with which the node has enrolled it", async () => {
    const tierOf = async (inLog: number, enrolled: number, policy: TrustPolicy): Promise<number> => {
      const log = (await proven({ manifest: { assuranceTier: inLog } })).bytes;
      const said = await statement({ assuranceTier: enrolled });
      return energyVerdict(enrolledBy(log, said, await countersigned(said)), policy).tier;
    };
    expect(await tierOf(3, 1, byNode)).toBe(1);
    expect(await tierOf(1, 3, byNode)).toBe(1);
    expect(await tierOf(3, 1, { ...NOBODY, deviceKeys: keysOf(device) })).toBe(3);
  });
});

describe("a key that was rotated", () => {
  let size = 0;
  let bytes = new Uint8Array(0) as Uint8Array;
  beforeAll(async () => {
    ({ bytes, size } = await proven());
  });

  const file = async (proof: Uint8Array, ...changes: readonly Partial<Rotation>[]): Promise<Uint8Array> => {
    const rotations = await Promise.all(changes.map((change) => rotation(change)));
    return enrolledBy(proof, await statement(), await countersigned(), ...rotations);
  };
  const last = (lastEpoch: number, lastSize: number): Partial<Rotation> => ({
    ...{ lastEpoch, lastSize, lastLogId: logId(NETWORK, device.publicKey, lastEpoch) },
  });

  it("hands on the node's trust to the next one", async () => {
    const next = (await proven({ signer: quickSigner(5) })).bytes;
    expect(energyVerdict(await file(next, {}), byNode)).toMatchObject({
      ...{ trust: "enrolled", deviceKey: toHex(secondKey.publicKey) },
    });
    expect(code(await file(next), byNode)).toBe("proof-enrolment");
    expect(code(await file(next, {}, {}), NOBODY)).toBe("cose-kid");
  });

  it("stands for what it had signed by then and nothing after", async () => {
    expect(code(await file(bytes, last(1, size)), byNode)).toBeUndefined();
    expect(code(await file(bytes, last(1, size - 1)), byNode)).toBe("retired-key");
    expect(code(await file(bytes, last(2, 1)), byNode)).toBeUndefined();
    const later = (await proven({ epoch: 2 })).bytes;
    expect(code(await file(later, last(1, 500)), byNode)).toBe("retired-key");
  });

  it("is retired also for whoever trusts it directly, if the node that says so is trusted", async () => {
    const retired = await file(bytes, last(1, size - 1));
    expect(code(retired, { ...byNode, deviceKeys: keysOf(device) })).toBe("retired-key");
    expect(code(retired, { ...NOBODY, deviceKeys: keysOf(device) })).toBeUndefined();
    expect(code(retired, NOBODY)).toBeUndefined();
  });

  it("is refused with a rotation to a key that was not committed to", async () => {
    const nextKeyHash = nativeSuite.sha256(stranger.publicKey);
    const said = await statement({ nextKeyHash });
    const changed = enrolledBy(bytes, said, await countersigned(said), await rotation());
    expect(code(changed, NOBODY)).toBe("rotation-not-committed");
  });
});

describe("a key that was revoked", () => {
  const receivedMs = quarter(1);
  let size = 0;
  let bytes = new Uint8Array(0) as Uint8Array;
  let enrolled = new Uint8Array(0) as Uint8Array;
  beforeAll(async () => {
    ({ bytes, size } = await proven());
    enrolled = enrolledBy(bytes, await statement(), await countersigned());
  });

  const revoked = (changes: Partial<Revocation> = {}, signer: Signer = recovery): Promise<Uint8Array> => {
    const epoch = changes.epoch ?? 1;
    const terms = { epoch, logId: logId(changes.network ?? NETWORK, device.publicKey, epoch) };
    return revocation({ ...terms, cutSize: size, revokedAtMs: receivedMs + 1, ...changes }, signer);
  };
  const codeUnder = async (
    revocations: readonly Promise<Uint8Array>[],
    policy: Partial<TrustPolicy> = {},
    file = enrolled,
  ): Promise<string | undefined> =>
    code(file, { ...byNode, ...policy, revocations: await Promise.all(revocations) });

  it("keeps what lies below the cut and was receipted before", async () => {
    expect(await codeUnder([revoked()])).toBeUndefined();
    expect(await codeUnder([revoked({ cutSize: size - 1 })])).toBe("revoked-key");
    expect(await codeUnder([revoked({ revokedAtMs: receivedMs })])).toBe("revoked-key");
    expect(await codeUnder([revoked({ epoch: 2, cutSize: 0 })])).toBeUndefined();
    expect(await codeUnder([revoked(), revoked({ cutSize: 0 })])).toBe("revoked-key");
    const message = await codeMessage(await revoked({ cutSize: 0, reason: "gateway stolen" }));
    expect(message).toContain("gateway stolen");
  });

  async function codeMessage(bytesOf: Uint8Array): Promise<string> {
    try {
      energyVerdict(enrolled, { ...byNode, revocations: [bytesOf] });
    } catch (thrown) {
      if (thrown instanceof Error) return thrown.message;
    }
    return "";
  }

  it("keeps it only by as many trusted nodes as are asked for", async () => {
    expect(await codeUnder([revoked()], { witnesses: 2 })).toBe("revoked-key");
    expect(await codeUnder([revoked()], { nodeKeys: keysOf(node) })).toBe("revoked-key");
    const both = await witnessQuarters(openedLog(), 1, [nodeA, nodeB]);
    const file = enrolledBy(proofOf(both, 0, 1), await statement(), await countersigned());
    expect(
      await codeUnder([revoked()], { witnesses: 2, nodeKeys: keysOf(node, nodeA, nodeB) }, file),
    ).toBeUndefined();
  });

  it("is revoked by the recovery key of a trusted enrolment or by a registrar, and by nobody else", async () => {
    const registrarKeys = keysOf(registrar);
    const cutSize = 0;
    expect(await codeUnder([revoked({ cutSize }, registrar)], { registrarKeys })).toBe("revoked-key");
    expect(await codeUnder([revoked({ cutSize }, registrar)])).toBe("revocation-signer");
    expect(await codeUnder([revoked({ cutSize }, stranger)], { registrarKeys })).toBe("revocation-signer");
    const direct = { deviceKeys: keysOf(device), registrarKeys };
    expect(await codeUnder([revoked({ cutSize }, registrar)], direct, bytes)).toBe("revoked-key");
    // Without the enrolment nobody can tell whose recovery key that is: rather no verdict than a good one.
    expect(await codeUnder([revoked({ cutSize })], direct, bytes)).toBe("revocation-signer");
    expect(await codeUnder([revoked({ cutSize })], { ...direct, nodeKeys: keysOf(nodeA) })).toBe(
      "revocation-signer",
    );
  });

  it("is not touched by what was said of another device, or of the key in another network", async () => {
    const other = { deviceKey: stranger.publicKey, logId: logId(NETWORK, stranger.publicKey, 1) };
    expect(await codeUnder([revoked({ ...other, cutSize: 0 })])).toBeUndefined();
    expect(await codeUnder([revoked({ network: "elsewhere", cutSize: 0 })])).toBeUndefined();
    expect(await codeUnder([Promise.resolve(Uint8Array.of(1, 2, 3))])).toBe("cose-shape");
    const file = enrolledBy(bytes, await statement(), await countersigned());
    expect(await codeUnder([statement()], {}, file)).toBe("cose-type");
  });

  it("loses every epoch of a proof when it loses one", async () => {
    const first = await witnessQuarters(openedLog(), 1, [nodeA]);
    const second = await witnessQuarters(nextEpoch(first), 1, [nodeA]);
    const span = (log: LogBuilder, from: number): Parameters<typeof buildProofAcross>[0][number] => ({
      ...{ source: log.proofSource(), channel: 1, fromMs: quarter(from), toMs: quarter(from + 1) },
    });
    const record = [await statement(), await countersigned()];
    const file = buildProofAcross([span(first, 0), span(second, 2)], record);
    const late = { revokedAtMs: quarter(9), cutSize: 1000 };
    expect(code(file, byNode)).toBeUndefined();
    expect(await codeUnder([revoked({ ...late, epoch: 2 })], {}, file)).toBeUndefined();
    expect(await codeUnder([revoked({ ...late, epoch: 2, cutSize: 5 })], {}, file)).toBe("revoked-key");
    expect(await codeUnder([revoked({ ...late, epoch: 1 })], {}, file)).toBe("revoked-key");
  });
});

describe("the verifier's network", () => {
  it("is compared with the one in the log's name", async () => {
    const { bytes } = await proven();
    expect(verifyProof(patientSuite, bytes).network).toBe(NETWORK);
    expect(code(bytes, { ...NOBODY, network: NETWORK })).toBeUndefined();
    expect(code(bytes, { ...NOBODY, network: "here" })).toBe("wrong-network");
  });
});
