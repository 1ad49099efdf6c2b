import type { CborValue } from "../../../attest/cbor.ts";
import { bad, type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK, START_MS, secondKey, sha256, stranger, thirdKey } from "./keys.ts";
import { orderTwo } from "./order-two.ts";
import { changed, flipped, type Sealing, type Signing, sealed, TYPES } from "./sealing.ts";

type Changes = Readonly<Record<number, CborValue | undefined>>;
type Row = readonly [fault: string, code: string, about: string, input: object];

const terms = {
  ...{ network: NETWORK, oldKey: device.publicKey, newKey: secondKey.publicKey },
  ...{ nextKeyHash: sha256(thirdKey.publicKey), rotatedAtMs: START_MS + 1000 },
  ...{ lastLogId: logIdOf(NETWORK, device.publicKey, 3), lastEpoch: 3, lastSize: 500 },
};

/** What is unusual about a rotation. */
export interface RotationParts {
  readonly terms?: Changes;
  readonly old?: Signing;
  readonly next?: Signing;
  readonly acceptance?: Partial<Sealing>;
  readonly outer?: Partial<Sealing>;
}

/** A rotation from the device's first key to its second, the new key's acceptance inside. */
export function rotationBytes(parts: RotationParts = {}): Uint8Array {
  const payload = changed(
    new Map(Object.values(terms).map((value, at) => [at + 1, value])),
    parts.terms ?? {},
  );
  const acceptance = sealed(parts.next ?? secondKey, {
    type: TYPES.acceptance,
    payload,
    ...parts.acceptance,
  });
  return sealed(parts.old ?? device, {
    type: TYPES.rotation,
    payload: new Map([[1, acceptance]]),
    ...parts.outer,
  });
}

/** How a device goes on under another key. */
export function rotationDrafts(): Draft[] {
  const rotation = good("rotation", "", {
    about: "From one key to the one whose hash was signed before, under both signatures.",
    input: {
      ...{ network: NETWORK, oldKey: device.publicKey, nextKeyHash: sha256(secondKey.publicKey) },
      rotation: rotationBytes(),
    },
    expect: terms,
  });
  const faults = [...termFaults(), ...signatureFaults()];
  return [
    rotation,
    ...faults.map(([fault, code, about, input]) => bad(rotation, fault, { about, code, input })),
  ];
}

function termFaults(): Row[] {
  const said = (changes: Changes): object => ({ rotation: rotationBytes({ terms: changes }) });
  const same = rotationBytes({ terms: { 3: device.publicKey }, next: device });
  return [
    [
      "network",
      "rotation-network",
      "Another network.",
      said({
        ...{ 1: "other-grid", 6: logIdOf("other-grid", device.publicKey, 3) },
      }),
    ],
    [
      "old-key",
      "rotation-old-key",
      "Another old key than the signer's.",
      said({
        ...{ 2: stranger.publicKey, 6: logIdOf(NETWORK, stranger.publicKey, 3) },
      }),
    ],
    [
      "new-key",
      "rotation-new-key",
      "Another new key than the one that accepts.",
      said({ 3: stranger.publicKey }),
    ],
    [
      "same-key",
      "rotation-same-key",
      "The new key is the old key.",
      {
        ...{ rotation: same, nextKeyHash: sha256(device.publicKey) },
      },
    ],
    ["next-old", "rotation-next-key", "The next key is the old key.", said({ 4: sha256(device.publicKey) })],
    [
      "not-committed",
      "rotation-not-committed",
      "A new key that was never committed to.",
      {
        rotation: rotationBytes({ terms: { 3: stranger.publicKey }, next: stranger }),
      },
    ],
    ["log", "rotation-log", "The log of another epoch.", said({ 6: logIdOf(NETWORK, device.publicKey, 2) })],
    ["epoch-large", "bytes-integer", "An epoch of 2^32.", said({ 7: 2 ** 32 })],
    ["size", "rotation-size", "A last log without a leaf.", said({ 8: 0 })],
    ["no-time", "field", "The acceptance does not say its time.", said({ 5: undefined })],
  ];
}

function signatureFaults(): Row[] {
  const made = (parts: RotationParts): object => ({ rotation: rotationBytes(parts) });
  const wrongAcceptance = sealed(stranger, {
    ...{ type: TYPES.acceptance, kid: secondKey.publicKey },
    payload: new Map<number, CborValue>(Object.values(terms).map((value, at) => [at + 1, value])),
  });
  return [
    [
      "acceptance-signature",
      "cose-signature",
      "The new key did not sign its acceptance.",
      made({
        outer: { payload: new Map([[1, wrongAcceptance]]) },
      }),
    ],
    [
      "signature",
      "cose-signature",
      "One bit of the old key's signature is another one.",
      {
        rotation: flipped(rotationBytes(), -1),
      },
    ],
    ["kid", "cose-kid", "By another key than the known one.", made({ old: stranger })],
    [
      "key",
      "key-invalid",
      "A new key of order 2.",
      {
        ...made({ terms: { 3: orderTwo.publicKey }, next: orderTwo }),
        nextKeyHash: sha256(orderTwo.publicKey),
      },
    ],
  ];
}
