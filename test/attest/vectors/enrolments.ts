import type { CborMap, CborValue } from "../../../attest/cbor.ts";
import { bad, type Draft, good } from "./draft.ts";
import {
  device,
  NETWORK,
  nodeA,
  nodeB,
  recovery,
  START_MS,
  secondKey,
  sha256,
  someHash,
  stranger,
} from "./keys.ts";
import { orderTwo } from "./order-two.ts";
import { changed, flipped, type Sealing, type Signing, sealed, TYPES } from "./sealing.ts";

/** How a node enrols a device: the device's statement, and what the node answers. */
export function enrolmentDrafts(): Draft[] {
  return [...statements(), ...countersignatures()];
}

type Changes = Readonly<Record<number, CborValue | undefined>>;

const fields = {
  ...{ network: NETWORK, deviceKey: device.publicKey, nodeKey: nodeA.publicKey },
  ...{ nodeNonce: someHash("nonce"), manifestHash: someHash("manifest"), assuranceTier: 2 },
  ...{ softwareVersion: "1.0.0", nextKeyHash: sha256(secondKey.publicKey) },
  recoveryKey: recovery.publicKey,
};
const statementPayload: CborMap = new Map(Object.values(fields).map((value, at) => [at + 1, value]));

/** A statement of the device, with other values under some keys. */
export function statementBytes(
  changes: Changes = {},
  rest: Partial<Sealing> = {},
  by: Signing = device,
): Uint8Array {
  return sealed(by, { type: TYPES.enrolment, payload: changed(statementPayload, changes), ...rest });
}

type Row = readonly [fault: string, code: string, about: string, input: object];

function statements(): Draft[] {
  const { network, deviceKey, nodeKey, nodeNonce, manifestHash } = fields;
  const enrolment = good("enrolment", "", {
    about: "What a device says of itself, as any reader checks it.",
    input: { statement: statementBytes() },
    expect: fields,
  });
  const asked = good("enrolment", "asked", {
    about: "The same statement, as the node checks it that asked for it.",
    input: { statement: statementBytes(), network, deviceKey, nodeKey, nodeNonce, manifestHash },
    expect: fields,
  });
  return [
    enrolment,
    asked,
    ...statementFaults().map(([fault, code, about, input]) => bad(enrolment, fault, { about, code, input })),
    ...termFaults().map(([fault, code, about, input]) => bad(asked, fault, { about, code, input })),
  ];
}

function statementFaults(): Row[] {
  const said = (changes: Changes, rest: Partial<Sealing> = {}): object => ({
    statement: statementBytes(changes, rest),
  });
  return [
    [
      "key",
      "key-invalid",
      "A device key of order 2; the equation holds.",
      { statement: statementBytes({ 2: orderTwo.publicKey }, {}, orderTwo) },
    ],
    ["recovery-key-order", "key-invalid", "A recovery key of order 2.", said({ 9: orderTwo.publicKey })],
    ["network-name", "network-name", "A network with a space in its name.", said({ 1: "example grid" })],
    [
      "device-key",
      "enrolment-device-key",
      "Another device key than the signer's.",
      said({ 2: stranger.publicKey }),
    ],
    ["own", "enrolment-own", "A device that is its own node.", said({ 3: device.publicKey })],
    ["tier", "enrolment-tier", "There is no tier 4.", said({ 6: 4 })],
    [
      "recovery-key",
      "enrolment-recovery-key",
      "The device key as recovery key.",
      said({ 9: device.publicKey }),
    ],
    [
      "next-key",
      "enrolment-next-key",
      "The device key as the next key.",
      said({ 8: sha256(device.publicKey) }),
    ],
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      {
        statement: flipped(statementBytes(), -1),
      },
    ],
  ];
}

/** A statement that is sound, and made for another occasion than the node's. */
function termFaults(): Row[] {
  return [
    ["other-network", "enrolment-network", "Made for another network.", { network: "other-grid" }],
    ["other-device", "enrolment-device-key", "Made by another device.", { deviceKey: stranger.publicKey }],
    ["other-node", "enrolment-node-key", "Made for another node.", { nodeKey: nodeB.publicKey }],
    ["other-nonce", "enrolment-nonce", "Made for another nonce.", { nodeNonce: someHash("another nonce") }],
    ["other-manifest", "enrolment-manifest", "Another log manifest.", { manifestHash: someHash("another") }],
  ];
}

const answer = {
  ...{ statementHash: sha256(statementBytes()), network: NETWORK, deviceKey: device.publicKey },
  ...{ decidedAtMs: START_MS, decision: 1 },
};
const answerPayload: CborMap = new Map(Object.values(answer).map((value, at) => [at + 1, value]));

/** Node A's answer to the statement, with other values under some keys. */
export function answerBytes(
  changes: Changes = {},
  rest: Partial<Sealing> = {},
  by: Signing = nodeA,
): Uint8Array {
  return sealed(by, { type: TYPES.countersignature, payload: changed(answerPayload, changes), ...rest });
}

function countersignatures(): Draft[] {
  const input = { statement: statementBytes(), nodeKey: nodeA.publicKey, countersignature: answerBytes() };
  const accepted = good("countersignature", "", {
    ...{ about: "A node that accepts a device.", input, expect: answer },
  });
  const refused = good("countersignature", "refused", {
    about: "A node that refuses a device: sound, and no enrolment.",
    input: { ...input, countersignature: answerBytes({ 5: 2 }) },
    expect: { ...answer, decision: 2 },
  });
  return [
    accepted,
    refused,
    ...answerFaults().map(([fault, code, about, change]) =>
      bad(accepted, fault, { about, code, input: change }),
    ),
  ];
}

function answerFaults(): Row[] {
  const said = (changes: Changes, rest: Partial<Sealing> = {}): object => ({
    countersignature: answerBytes(changes, rest),
  });
  return [
    [
      "statement",
      "countersignature-statement",
      "An answer to another statement.",
      said({ 1: someHash("another") }),
    ],
    [
      "network",
      "countersignature-network",
      "Another network than the statement's.",
      said({ 2: "other-grid" }),
    ],
    [
      "device-key",
      "countersignature-device-key",
      "Another device than the statement's.",
      said({
        3: stranger.publicKey,
      }),
    ],
    [
      "node-key",
      "countersignature-node-key",
      "An answer by a node that was not asked.",
      {
        ...{ nodeKey: nodeB.publicKey, countersignature: answerBytes({}, {}, nodeB) },
      },
    ],
    ["decision", "countersignature-decision", "There is no decision 3.", said({ 5: 3 })],
    ["key", "key-invalid", "A node key of order 2; the equation holds.", byOrderTwo()],
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      {
        countersignature: flipped(answerBytes(), -1),
      },
    ],
    ["of-flipped", "cose-signature", "The statement's own signature is not valid.", ofFlipped()],
  ];
}

/** The answer names the hash of the statement as it is, so that only the statement's signature is wrong. */
function ofFlipped(): object {
  const statement = flipped(statementBytes(), -1);
  return { statement, countersignature: answerBytes({ 1: sha256(statement) }) };
}

function byOrderTwo(): object {
  const nodeKey = orderTwo.publicKey;
  const statement = statementBytes({ 3: nodeKey });
  return { statement, nodeKey, countersignature: answerBytes({ 1: sha256(statement) }, {}, orderTwo) };
}
