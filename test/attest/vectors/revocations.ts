import type { CborMap, CborValue } from "../../../attest/cbor.ts";
import { bad, type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK, recovery, registrar, START_MS, secondKey, stranger } from "./keys.ts";
import { orderTwo } from "./order-two.ts";
import { changed, flipped, type Sealing, type Signing, sealed, TYPES } from "./sealing.ts";

type Changes = Readonly<Record<number, CborValue | undefined>>;
type Row = readonly [fault: string, code: string, about: string, input: object];

const revoked = {
  ...{ network: NETWORK, deviceKey: device.publicKey, logId: logIdOf(NETWORK, device.publicKey, 3) },
  ...{ epoch: 3, cutSize: 500, revokedAtMs: START_MS + 5000, reason: "gateway stolen" },
};
const revocationPayload: CborMap = new Map(Object.values(revoked).map((value, at) => [at + 1, value]));

/** A revocation of the device's key, with other values under some keys. */
export function revocationBytes(
  changes: Changes = {},
  rest: Partial<Sealing> = {},
  by: Signing = recovery,
): Uint8Array {
  return sealed(by, { type: TYPES.revocation, payload: changed(revocationPayload, changes), ...rest });
}

/** How a device's key is revoked. */
export function revocationDrafts(): Draft[] {
  const input = {
    ...{ network: NETWORK, deviceKey: device.publicKey, recoveryKey: recovery.publicKey },
    revocation: revocationBytes(),
  };
  const policy = { registrarKeys: [registrar.publicKey] };
  const byOwner = good("revocation", "", {
    ...{ about: "The owner's recovery key revokes the device's key.", input, policy, expect: revoked },
  });
  const byRegistrar = good("revocation", "registrar", {
    about: "A registrar of the network revokes the device's key, whose owner nobody knows.",
    input: {
      ...{ network: NETWORK, deviceKey: device.publicKey },
      revocation: revocationBytes({}, {}, registrar),
    },
    ...{ policy, expect: revoked },
  });
  return [
    byOwner,
    byRegistrar,
    ...[...termFaults(), ...signerFaults()].map(([fault, code, about, change]) =>
      bad(byOwner, fault, { about, code, input: change }),
    ),
    bad(byRegistrar, "registrar", {
      ...{ about: "By a registrar whom the verifier does not trust.", code: "revocation-signer" },
      policy: { registrarKeys: [stranger.publicKey] },
    }),
  ];
}

function termFaults(): Row[] {
  const said = (changes: Changes): object => ({ revocation: revocationBytes(changes) });
  return [
    [
      "network",
      "revocation-network",
      "Another network.",
      said({
        ...{ 1: "other-grid", 3: logIdOf("other-grid", device.publicKey, 3) },
      }),
    ],
    [
      "device-key",
      "revocation-device-key",
      "Another device.",
      said({
        ...{ 2: secondKey.publicKey, 3: logIdOf(NETWORK, secondKey.publicKey, 3) },
      }),
    ],
    [
      "log",
      "revocation-log",
      "The log of another epoch.",
      said({ 3: logIdOf(NETWORK, device.publicKey, 2) }),
    ],
    [
      "epoch-zero",
      "revocation-log",
      "There is no epoch 0.",
      said({
        ...{ 3: logIdOf(NETWORK, device.publicKey, 0), 4: 0 },
      }),
    ],
    ["epoch-large", "bytes-integer", "An epoch of 2^32.", said({ 4: 2 ** 32 })],
  ];
}

function signerFaults(): Row[] {
  return [
    ["signer", "revocation-signer", "By a stranger.", { revocation: revocationBytes({}, {}, stranger) }],
    [
      "own",
      "revocation-own",
      "A key that revokes itself, though it is the recovery key, too.",
      {
        ...{ recoveryKey: device.publicKey, revocation: revocationBytes({}, {}, device) },
      },
    ],
    [
      "key",
      "key-invalid",
      "A recovery key of order 2.",
      {
        ...{ recoveryKey: orderTwo.publicKey, revocation: revocationBytes({}, {}, orderTwo) },
      },
    ],
    [
      "signature",
      "cose-signature",
      "One bit of the signature is another one.",
      {
        revocation: flipped(revocationBytes(), -1),
      },
    ],
  ];
}
