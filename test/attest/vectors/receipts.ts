import type { CborMap, CborValue } from "../../../attest/cbor.ts";
import { bad, type Draft, good } from "./draft.ts";
import { device, NETWORK, nodeA, nodeB, START_MS, someHash } from "./keys.ts";
import { orderTwo } from "./order-two.ts";
import { changed, flipped, type Sealing, type Signing, sealed, TYPES, usualHeader } from "./sealing.ts";

/** Receipts of nodes, and the hellos of both sides of a connection. */
export function receiptDrafts(): Draft[] {
  return [receipt, ...receiptFaults(), ...helloDrafts()];
}

const fields = {
  ...{ manifestHash: someHash("manifest"), size: 8, root: someHash("root") },
  ...{ receivedAtMs: START_MS + 700, ruleVersion: 1 },
};
const receiptPayload: CborMap = new Map<number, CborValue>([
  [1, fields.manifestHash],
  [2, fields.size],
  [3, fields.root],
  [4, fields.receivedAtMs],
  [5, fields.ruleVersion],
]);

function sealReceipt(
  changes: Readonly<Record<number, CborValue | undefined>>,
  rest: Partial<Sealing> = {},
): Uint8Array {
  return sealed(nodeA, { type: TYPES.receipt, payload: changed(receiptPayload, changes), ...rest });
}

const receipt: Draft = good("receipt", "", {
  about: "A node's signed word that it holds a log up to a size.",
  input: { nodeKey: nodeA.publicKey, receipt: sealReceipt({}) },
  expect: fields,
});

function receiptFaults(): Draft[] {
  const header = usualHeader(TYPES.receipt, nodeA.publicKey, { 1: -8 });
  const rows: readonly (readonly [string, string, string, object])[] = [
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      {
        receipt: flipped(sealReceipt({}), -1),
      },
    ],
    ["node", "cose-kid", "The receipt of another node.", { nodeKey: nodeB.publicKey }],
    [
      "type",
      "cose-type",
      "The type of a checkpoint.",
      { receipt: sealReceipt({}, { type: TYPES.checkpoint }) },
    ],
    ["algorithm", "cose-algorithm", "-8, EdDSA, names no curve.", { receipt: sealReceipt({}, { header }) }],
    ["empty", "receipt-empty", "A receipt over no leaf.", { receipt: sealReceipt({ 2: 0 }) }],
    [
      "manifest-short",
      "field",
      "A hash of 31 bytes.",
      { receipt: sealReceipt({ 1: fields.manifestHash.slice(1) }) },
    ],
    ["no-version", "field", "No rule version.", { receipt: sealReceipt({ 5: undefined }) }],
    ["unknown-key", "unknown-key", "A receipt has no key 6.", { receipt: sealReceipt({ 6: 1 }) }],
    [
      "signer",
      "cose-signature",
      "Another node has signed in this one's name.",
      {
        receipt: sealed(nodeB, { type: TYPES.receipt, kid: nodeA.publicKey, payload: receiptPayload }),
      },
    ],
    [
      "key",
      "key-invalid",
      "A node key of order 2; the equation holds.",
      {
        nodeKey: orderTwo.publicKey,
        receipt: sealed(orderTwo, { type: TYPES.receipt, payload: receiptPayload }),
      },
    ],
  ];
  return rows.map(([fault, code, about, input]) => bad(receipt, fault, { about, code, input }));
}

const terms = {
  ...{ network: NETWORK, deviceKey: device.publicKey, nodeKey: nodeA.publicKey },
  ...{ deviceNonce: someHash("device nonce"), nodeNonce: someHash("node nonce") },
};
const helloPayload: CborMap = new Map<number, CborValue>([
  [1, 2],
  [2, terms.network],
  [3, terms.deviceKey],
  [4, terms.nodeKey],
  [5, terms.deviceNonce],
  [6, terms.nodeNonce],
  [7, 1],
]);

function sealHello(
  signer: Signing,
  changes: Readonly<Record<number, CborValue | undefined>>,
  rest: Partial<Sealing> = {},
): Uint8Array {
  return sealed(signer, { type: TYPES.hello, payload: changed(helloPayload, changes), ...rest });
}

function helloDrafts(): Draft[] {
  const ofNode = good("hello", "node", {
    about: "A node's hello: fresh by both nonces, over both keys.",
    input: { role: "node", ...terms, hello: sealHello(nodeA, {}) },
    expect: {},
  });
  const ofDevice = good("hello", "device", {
    about: "The device's answer, over the same terms.",
    input: { role: "device", ...terms, hello: sealHello(device, { 1: 1 }) },
    expect: {},
  });
  const rows: readonly (readonly [string, string, string, Uint8Array])[] = [
    ["role", "hello-mismatch", "A node that says it is the device.", sealHello(nodeA, { 1: 1 })],
    ["network", "hello-mismatch", "Another network.", sealHello(nodeA, { 2: "other-grid" })],
    ["device-key", "hello-mismatch", "Another device.", sealHello(nodeA, { 3: nodeB.publicKey })],
    ["node-key", "hello-mismatch", "Another node than the signer.", sealHello(nodeA, { 4: nodeB.publicKey })],
    [
      "device-nonce",
      "hello-mismatch",
      "An old nonce of the device.",
      sealHello(nodeA, { 5: someHash("old") }),
    ],
    ["node-nonce", "hello-mismatch", "An old nonce of the node.", sealHello(nodeA, { 6: someHash("old") })],
    ["version", "hello-mismatch", "Version 2 of the stream.", sealHello(nodeA, { 7: 2 })],
    ["reflected", "cose-kid", "The device's own hello, sent back.", sealHello(device, { 1: 1 })],
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      flipped(sealHello(nodeA, {}), -1),
    ],
  ];
  return [
    ofNode,
    ofDevice,
    ...rows.map(([fault, code, about, hello]) => bad(ofNode, fault, { about, code, input: { hello } })),
  ];
}
