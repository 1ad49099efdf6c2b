import { concatBytes, fromHex, toHex } from "../../../attest/bytes.ts";
import { type CborMap, type CborValue, encodeCbor } from "../../../attest/cbor.ts";
import { parseObject } from "../../../attest/cose.ts";
import { bad, type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK, START_MS, secondKey, someHash } from "./keys.ts";
import { assembled, changed, flipped, type Sealing, sealed, TYPES, usualHeader } from "./sealing.ts";

/** Checkpoints, and all that can be wrong with a signed object of whatever type. */
const logId = logIdOf(NETWORK, device.publicKey, 1);
const input = { network: NETWORK, deviceKey: device.publicKey, epoch: 1 };
const payload: CborMap = new Map<number, CborValue>([
  [1, 8],
  [2, someHash("root")],
  [3, START_MS],
  [4, START_MS + 350],
  [5, 3],
  [6, 7],
  [7, someHash("manifest")],
]);
const fields = {
  ...{ size: 8, root: someHash("root"), lastLeafMs: START_MS, issuedAtMs: START_MS + 350 },
  ...{ timeQuality: 3, bootCount: 7, manifestHash: someHash("manifest") },
};

export const checkpoint: Draft = good("checkpoint", "", {
  ...{ about: "A device's signed size and root.", expect: fields },
  input: { ...input, checkpoint: seal({}) },
});

export function checkpointDrafts(): Draft[] {
  const largest = Number.MAX_SAFE_INTEGER;
  return [
    checkpoint,
    good("checkpoint", "large", {
      about: "The largest size there is, in the last epoch.",
      input: {
        ...{ ...input, epoch: 2 ** 32 - 1 },
        checkpoint: seal({
          kid: logIdOf(NETWORK, device.publicKey, 2 ** 32 - 1),
          payload: changed(payload, { 1: largest }),
        }),
      },
      expect: { ...fields, size: largest },
    }),
    ...shapeFaults(),
    ...headerFaults(),
    ...payloadFaults(),
    ...signatureFaults(),
  ];
}

function seal(sealing: Partial<Sealing>): Uint8Array {
  return sealed(device, { type: TYPES.checkpoint, kid: logId, payload, ...sealing });
}

type Row = readonly [fault: string, code: string, about: string, checkpoint: Uint8Array];

function refused(rows: readonly Row[]): Draft[] {
  return rows.map(([fault, code, about, bytes]) =>
    bad(checkpoint, fault, { about, code, input: { checkpoint: bytes } }),
  );
}

function shapeFaults(): Draft[] {
  const whole = seal({});
  const { signature } = parseObject(whole);
  const [header, body] = [encodeCbor(usualHeader(TYPES.checkpoint, logId)), encodeCbor(payload)];
  const unprotected = concatBytes(encodeCbor(header), fromHex("a10401", "{4: 1}"), encodeCbor(body));
  return refused([
    ["tag", "cose-shape", "Tag 17 instead of 18.", concatBytes(Uint8Array.of(0xd1), whole.slice(1))],
    [
      "unprotected",
      "cose-shape",
      "An unprotected header that is not empty.",
      concatBytes(fromHex("d284", "d284"), unprotected, encodeCbor(signature)),
    ],
    [
      "payload-integer",
      "cose-shape",
      "An integer where the payload belongs.",
      concatBytes(
        ...[
          fromHex("d284", "d284"),
          encodeCbor(header),
          fromHex("a0", "a0"),
          encodeCbor(0),
          encodeCbor(signature),
        ],
      ),
    ],
    ["trailing", "cose-shape", "One byte too many.", concatBytes(whole, Uint8Array.of(0))],
    [
      "signature-short",
      "cose-shape",
      "A signature of 63 bytes.",
      assembled(header, body, signature.slice(1)),
    ],
    ["truncated", "cbor-truncated", "The last byte is missing.", whole.slice(0, -1)],
  ]);
}

function headerFaults(): Draft[] {
  const header = (changes: Readonly<Record<number, CborValue | undefined>>): Uint8Array =>
    seal({ header: usualHeader(TYPES.checkpoint, logId, changes) });
  const inOrder = toHex(encodeCbor(usualHeader(TYPES.checkpoint, logId)));
  const outOfOrder = `a3${inOrder.slice(6, 6 + 70)}${inOrder.slice(2, 6)}${inOrder.slice(76)}`;
  const other = (network: string, key: Uint8Array, epoch: number): Uint8Array =>
    seal({ kid: logIdOf(network, key, epoch) });
  return refused([
    ["algorithm-eddsa", "cose-algorithm", "-8, EdDSA, names no curve.", header({ 1: -8 })],
    ["header-key", "cose-header", "A fourth key in the protected header.", header({ 3: "cbor" })],
    ["kid-short", "cose-kid", "A kid of 31 bytes.", header({ 4: logId.slice(1) })],
    ["kid-epoch", "cose-kid", "The log of another epoch.", other(NETWORK, device.publicKey, 2)],
    ["type", "cose-type", "The type of a receipt.", seal({ type: TYPES.receipt })],
    [
      "type-second",
      "cose-type",
      "The reserved second signature.",
      seal({ type: "kilowitness/1 second-signature" }),
    ],
    ["no-type", "cose-type", "The protected header has no type.", header({ 16: undefined })],
    [
      "header-order",
      "cbor-key-order",
      "The kid before the algorithm.",
      seal({ header: fromHex(outOfOrder, "header") }),
    ],
  ]);
}

function payloadFaults(): Draft[] {
  const said = (changes: Readonly<Record<number, CborValue | undefined>>): Uint8Array =>
    seal({ payload: changed(payload, changes) });
  const bytes = toHex(encodeCbor(payload));
  const raw = (hex: string): Uint8Array => seal({ payload: fromHex(hex, "payload") });
  return refused([
    ["empty", "checkpoint-empty", "A checkpoint over no leaf.", said({ 1: 0 })],
    ["no-size", "field", "The checkpoint does not say its size.", said({ 1: undefined })],
    ["root-short", "field", "A root of 31 bytes.", said({ 2: someHash("root").slice(1) })],
    ["unknown-key", "unknown-key", "A checkpoint has no key 8.", said({ 8: 1 })],
    ["payload-array", "cbor-type", "A payload that is an array.", seal({ payload: encodeCbor([8]) })],
    ["payload-trailing", "cbor-trailing", "A byte after the map of the payload.", raw(`${bytes}00`)],
    [
      "payload-not-shortest",
      "cbor-not-shortest",
      "The size in two bytes.",
      raw(bytes.replace("a70108", "a7011808")),
    ],
    ["integer", "cbor-integer", "A size of 2^53.", raw(bytes.replace("a70108", "a7011b0020000000000000"))],
  ]);
}

function signatureFaults(): Draft[] {
  const whole = seal({});
  const inPayload = whole.length - 67;
  return [
    ...refused([
      ["signature", "cose-signature", "One bit of the signature is another one.", flipped(whole, -1)],
      ["payload", "cose-signature", "One bit of what was signed is another one.", flipped(whole, inPayload)],
      [
        "signer",
        "cose-signature",
        "Another key has signed.",
        sealed(secondKey, {
          ...{ type: TYPES.checkpoint, kid: logId, payload },
        }),
      ],
    ]),
    bad(checkpoint, "network", {
      ...{ about: "A network with a space in its name.", code: "network-name" },
      input: { network: "example grid" },
    }),
    bad(checkpoint, "epoch", {
      ...{ about: "An epoch of 2^32.", code: "bytes-integer", input: { epoch: 2 ** 32 } },
    }),
  ];
}
