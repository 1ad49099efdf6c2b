import { encodeProof } from "../../../attest/proof.ts";
import { bad, type Draft } from "./draft.ts";
import { rotated, toSecond } from "./enrolled-keys.ts";
import { answerBytes, statementBytes } from "./enrolments.ts";
import { device, logIdOf, NETWORK, nodeA, registrar, secondKey, stranger, thirdKey } from "./keys.ts";
import { receiptOver } from "./logs.ts";
import { after, partOf, proofOf, trustDevice } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainEnergy, plainLog, plainProof, proof } from "./proofs.ts";
import { revocationBytes } from "./revocations.ts";
import type { Signing } from "./sealing.ts";

/** Proofs against what a verifier trusts: keys, enrolments, rotations, revocations, clocks. */
export function trustDrafts(): Draft[] {
  return [...keyFaults(), ...enrolledProofs(), ...revokedProofs(), ...clockProofs()];
}

const trustNode = { ...trustDevice, nodeKeys: [nodeA.publicKey] };
const nodesOnly = { deviceKeys: [], nodeKeys: [nodeA.publicKey], witnesses: 1 };

function keyFaults(): Draft[] {
  return [
    bad(plainProof, "wrong-network", {
      ...{ about: "The verifier means another network.", code: "wrong-network" },
      policy: { network: "other-grid" },
    }),
    bad(plainProof, "untrusted-key", {
      ...{ about: "The verifier trusts another device.", code: "untrusted-key" },
      policy: { deviceKeys: [stranger.publicKey] },
    }),
    bad(plainProof, "untrusted-no-enrolment", {
      ...{ about: "The verifier trusts a node, and no enrolment is shown.", code: "untrusted-key" },
      policy: { deviceKeys: [], nodeKeys: [nodeA.publicKey] },
    }),
  ];
}

/** The plain minute of one key, with how a node enrolled the device. */
function enrolledFile(by: typeof device, ...rotations: readonly Uint8Array[]): Uint8Array {
  const parts = [partOf(plainLog({ signer: by }), { leaves: [PLAIN_CLOSE] })];
  return encodeProof({ parts, enrolment: [statementBytes(), answerBytes(), ...rotations] });
}

function enrolledProofs(): Draft[] {
  const word = { trust: "enrolled", enrolledBy: nodeA.publicKey };
  const enrolled = proof("enrolled", {
    about: "A trusted node enrolled the device, whose key has not changed since.",
    ...{ proof: enrolledFile(device), policy: nodesOnly, expect: { ...plainEnergy, ...word } },
  });
  const afterRotation = proof("enrolled-rotated", {
    about: "A trusted node enrolled the device; one rotation leads to the key that signs.",
    ...{ proof: enrolledFile(secondKey, toSecond()), policy: nodesOnly },
    expect: { ...plainEnergy, ...word, deviceKey: secondKey.publicKey },
  });
  const former = proof("enrolled-former", {
    about: "A key that was left later stands for what it had signed before.",
    ...{ proof: enrolledFile(device, toSecond()), policy: nodesOnly },
    expect: { ...plainEnergy, ...word },
  });
  return [enrolled, afterRotation, former, ...enrolmentFaults(enrolled, former)];
}

function enrolmentFaults(enrolled: Draft, former: Draft): Draft[] {
  const parts = [partOf(plainLog(), { leaves: [PLAIN_CLOSE] })];
  const file = (...enrolment: readonly Uint8Array[]): object => ({
    proof: encodeProof({ parts, enrolment }),
  });
  const [statement, _answer] = [statementBytes(), answerBytes()];
  const short = rotated({ old: device, next: secondKey, following: thirdKey, at: 0, lastSize: 4 });
  const rows: readonly (readonly [string, string, string, object])[] = [
    [
      "enrolment-other",
      "proof-enrolment",
      "The enrolment of another device.",
      {
        proof: enrolledFile(secondKey),
      },
    ],
    ["enrolment-cut", "proof-enrolment", "A statement without an answer.", file(statement)],
  ];
  return [
    ...rows.map(([fault, code, about, input]) => bad(enrolled, fault, { about, code, input })),
    bad(former, "retired-key", {
      ...{ about: "A key that was left, beyond the size that its rotation names.", code: "retired-key" },
      input: { proof: enrolledFile(device, short) },
    }),
  ];
}

/** Of epoch 1, at 62.5 s after the start, up to a size. */
function revoked(cutSize: number, atMs: number, by: Signing = registrar): Uint8Array {
  const logId = logIdOf(NETWORK, device.publicKey, 1);
  return revocationBytes({ 3: logId, 4: 1, 5: cutSize, 6: atMs }, {}, by);
}

function revokedProofs(): Draft[] {
  const notAfterMs = after(62);
  const edges = [
    { edge: "opening", timeMs: after(0), notAfterMs },
    { edge: "closing", timeMs: after(60), notAfterMs },
  ];
  const policy = { ...trustNode, registrarKeys: [registrar.publicKey] };
  const size = plainLog().leaves.length;
  const later = proof("revoked-later", {
    about: "The key was revoked after a trusted node had witnessed this much of its log.",
    proof: proofOf(plainLog(), {
      ...{ leaves: [PLAIN_CLOSE], receipts: [receiptOver(plainLog(), nodeA, after(62))] },
    }),
    policy: { ...policy, revocations: [revoked(size, after(64))] },
    expect: { ...plainEnergy, standing: "witnessed", edges },
  });
  const rows: readonly (readonly [string, string, string, object])[] = [
    [
      "revoked-cut",
      "revoked-key",
      "Revoked, and the log is cut below this checkpoint.",
      {
        revocations: [revoked(size - 1, after(64))],
      },
    ],
    [
      "revoked-before",
      "revoked-key",
      "Revoked at the instant of the receipt.",
      {
        revocations: [revoked(size, after(62))],
      },
    ],
    [
      "revocation-signer",
      "revocation-signer",
      "A revocation by a stranger.",
      {
        revocations: [revoked(size, after(64), stranger)],
      },
    ],
  ];
  return [
    later,
    ...rows.map(([fault, code, about, changed]) => bad(later, fault, { about, code, policy: changed })),
  ];
}

function clockProofs(): Draft[] {
  const late = (seconds: number): Uint8Array =>
    proofOf(plainLog(), {
      leaves: [PLAIN_CLOSE],
      receipts: [receiptOver(plainLog(), nodeA, after(seconds))],
    });
  const policy = trustNode;
  const notAfterMs = after(-60);
  const tolerated = proof("clock-ahead", {
    about: "The device's clock is 120 s ahead of the node's, which is just tolerated.",
    ...{ proof: late(-60), policy },
    expect: {
      ...{ ...plainEnergy, standing: "witnessed" },
      edges: [
        { edge: "opening", timeMs: after(0), notAfterMs },
        { edge: "closing", timeMs: after(60), notAfterMs },
      ],
    },
  });
  return [
    tolerated,
    bad(tolerated, "clock", {
      about: "The device's clock is ahead of the node's by more than 120 s and the oldest reading.",
      ...{ code: "proof-time", input: { proof: late(-91) } },
    }),
    bad(tolerated, "clock-tolerance", {
      about: "The device's clock is ahead of the node's by more than the verifier tolerates.",
      ...{ code: "proof-time", policy: { clockToleranceMs: 89_999 } },
    }),
  ];
}
