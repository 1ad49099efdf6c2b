import { concatBytes } from "../../../attest/bytes.ts";
import { type CborValue, decodeCborMap, encodeCbor } from "../../../attest/cbor.ts";
import { decodeProof, encodeProof, type ProofPart } from "../../../attest/proof.ts";
import { bad, type Draft } from "./draft.ts";
import { device, logIdOf, NETWORK, someHash } from "./keys.ts";
import { checkpointOver, meteredLog, newLog, readOn } from "./logs.ts";
import { orderTwo } from "./order-two.ts";
import { alter, partOf, proofOf, seqsOf } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainLog, plainProof, proof } from "./proofs.ts";
import { changed, flipped } from "./sealing.ts";

/** Bad proofs: one fault in the file, the manifests, the checkpoint, the receipts or the tree. */
export function proofFaultDrafts(): Draft[] {
  return [...fileFaults(), ...manifestFaults(), ...checkpointFaults(), ...treeFaults()];
}

export type Row = readonly [fault: string, code: string, about: string, proof: Uint8Array];

export function refusedProofs(from: Draft, rows: readonly Row[]): Draft[] {
  return rows.map(([fault, code, about, bytes]) =>
    bad(from, fault, { about, code, input: { proof: bytes } }),
  );
}

const LIMITS = { maxDepth: 2, maxLength: 1_048_576 };
const plain = proofOf(plainLog(), { leaves: [PLAIN_CLOSE] });

/** The file with other values under some keys. */
function file(changes: Readonly<Record<number, CborValue | undefined>>): Uint8Array {
  return encodeCbor(changed(decodeCborMap(plain, LIMITS), changes));
}

/** The file with other values under some keys of its only part. */
function withPart(changes: Readonly<Record<number, CborValue | undefined>>): Uint8Array {
  const parts = decodeCborMap(plain, LIMITS).get(1);
  const [part] = Array.isArray(parts) ? parts : [];
  if (!(part instanceof Uint8Array)) throw new Error("one part");
  return file({ 1: [encodeCbor(changed(decodeCborMap(part, LIMITS), changes))] });
}

/** The file with its only part changed as a record. */
export function repartitioned(bytes: Uint8Array, changes: Partial<ProofPart>): Uint8Array {
  const { parts, ...rest } = decodeProof(bytes);
  return encodeProof({ ...rest, parts: parts.map((part) => ({ ...part, ...changes })) });
}

function fileFaults(): Draft[] {
  const { hashes = new Uint8Array(0) } = decodeProof(plain).parts[0] ?? {};
  return refusedProofs(plainProof, [
    ["empty", "proof-format", "No byte at all.", new Uint8Array(0)],
    ["truncated", "proof-format", "The last byte is missing.", plain.slice(0, -1)],
    ["format", "proof-format", "The format of another version.", file({ 0: "kilowitness/2 proof" })],
    ["hash-cut", "proof-format", "The hashes end within a hash.", withPart({ 4: hashes.slice(0, -1) })],
    ["unknown-key", "unknown-key", "A proof has no key 3.", file({ 3: 1 })],
    [
      "second-signature",
      "unknown-key",
      "The reserved place of a second signature.",
      withPart({ 7: [someHash("2")] }),
    ],
    ["no-part", "field", "A proof without a part.", file({ 1: [] })],
  ]);
}

function shownWith(manifests: readonly number[]): Uint8Array {
  return proofOf(plainLog(), { leaves: [PLAIN_CLOSE], manifests });
}

function manifestFaults(): Draft[] {
  const log = plainLog();
  const [own, channel] = [log.leaves[0]?.bytes, log.leaves[1]?.bytes];
  const older = newLog({ manifest: { agentVersion: "0.9.0" } }).leaves[0]?.bytes;
  const renamed = alter(plainLog(), 1, { serial: "4712" }).leaves[1]?.bytes;
  if (!own || !channel || !older || !renamed) throw new Error("four manifests");
  const two = plainLog();
  two.manifest({ channel: 2, name: "roof" });
  const bare = proofOf(two, { leaves: [PLAIN_CLOSE], manifests: [0, 1, 5] });
  return [
    ...refusedProofs(plainProof, [
      ["no-manifest", "proof-manifest", "There is no manifest at all.", shownWith([])],
      ["no-log-manifest", "proof-manifest", "The log's manifest is left out.", shownWith([1])],
      ["no-channel-manifest", "proof-manifest", "The channel's manifest is left out.", shownWith([0])],
      ["manifest-surplus", "proof-leaf", "The manifest of a channel that nothing is claimed of.", bare],
      [
        "manifest-log",
        "proof-manifest",
        "A log manifest that the checkpoint does not sign.",
        repartitioned(plain, {
          manifests: concatBytes(older, channel),
        }),
      ],
      [
        "manifest-channel",
        "proof-manifest",
        "A channel manifest that the close does not name.",
        repartitioned(plain, {
          manifests: concatBytes(own, renamed),
        }),
      ],
    ]),
    ...identityFaults(),
  ];
}

/** The plain log as one of another network, key or epoch, which cannot be. */
function identityFaults(): Draft[] {
  const said = (changes: Readonly<Record<string, unknown>>, kid: Uint8Array): Uint8Array => {
    const log = alter(plainLog(), 0, changes);
    return proofOf(log, { leaves: [PLAIN_CLOSE], checkpoint: checkpointOver(log, undefined, {}, { kid }) });
  };
  const small = alter(plainLog(), 0, { deviceKey: orderTwo.publicKey });
  const kid = logIdOf(NETWORK, orderTwo.publicKey, 1);
  return refusedProofs(plainProof, [
    [
      "network-name",
      "network-name",
      "A network with a space in its name.",
      said({ network: "example grid" }, logIdOf("example grid", device.publicKey, 1)),
    ],
    [
      "epoch-large",
      "bytes-integer",
      "An epoch of 2^32.",
      said({ epoch: 2 ** 32 }, logIdOf(NETWORK, device.publicKey, 1)),
    ],
    [
      "device-key",
      "key-invalid",
      "A device key of order 2; the equation holds.",
      proofOf(small, {
        leaves: [PLAIN_CLOSE],
        checkpoint: checkpointOver(small, undefined, {}, { kid, signer: orderTwo }),
      }),
    ],
  ]);
}

function checkpointFaults(): Draft[] {
  const log = plainLog();
  const over = (...rest: [object?, { kid?: Uint8Array; signer?: typeof device }?]): Uint8Array =>
    proofOf(log, {
      leaves: [PLAIN_CLOSE],
      checkpoint: checkpointOver(log, undefined, { ...rest[0] }, rest[1]),
    });
  return refusedProofs(plainProof, [
    [
      "checkpoint-signature",
      "cose-signature",
      "One bit of the checkpoint's signature is another one.",
      proofOf(log, {
        ...{ leaves: [PLAIN_CLOSE], checkpoint: flipped(checkpointOver(log), -1) },
      }),
    ],
    ["checkpoint-empty", "checkpoint-empty", "A checkpoint of size 0.", over({ 1: 0 })],
    [
      "checkpoint-manifest",
      "proof-manifest",
      "The checkpoint signs another log manifest.",
      over({
        7: someHash("another manifest"),
      }),
    ],
    [
      "checkpoint-root",
      "proof-root",
      "The checkpoint signs another root.",
      over({ 2: someHash("another root") }),
    ],
  ]);
}

function treeFaults(): Draft[] {
  const log = plainLog();
  const part = partOf(log, { leaves: [PLAIN_CLOSE] });
  const close = log.leaves[PLAIN_CLOSE]?.bytes ?? new Uint8Array(0);
  const more = alter(plainLog(), PLAIN_CLOSE, { closingImportMwh: 1_004_100 });
  const moreBytes = more.leaves[PLAIN_CLOSE]?.bytes ?? close;
  return [
    ...refusedProofs(plainProof, [
      [
        "hash-missing",
        "proof-shape",
        "One hash is missing.",
        repartitioned(plain, { hashes: part.hashes.slice(32) }),
      ],
      [
        "hash-surplus",
        "proof-shape",
        "One hash too many.",
        repartitioned(plain, {
          hashes: concatBytes(part.hashes, someHash("more")),
        }),
      ],
      [
        "hash",
        "proof-root",
        "One bit of a hash is another one.",
        repartitioned(plain, {
          hashes: flipped(part.hashes, 0),
        }),
      ],
      [
        "no-leaf",
        "proof-shape",
        "There is no leaf at all.",
        repartitioned(plain, { leaves: new Uint8Array(0) }),
      ],
      [
        "leaf-changed",
        "proof-root",
        "A close that says 1 Wh more than the one in the log.",
        repartitioned(plain, {
          leaves: moreBytes,
        }),
      ],
      [
        "leaf-truncated",
        "cbor-truncated",
        "The close is cut short.",
        repartitioned(plain, {
          leaves: close.slice(0, -1),
        }),
      ],
    ]),
    leafOrder(),
  ];
}

function leafOrder(): Draft {
  const several = readOn(meteredLog(), 0, 200);
  const [first = 0, , third = 0] = seqsOf(several, "intervalClose");
  const ordered = partOf(several, { leaves: [first, third] });
  const reversed = concatBytes(
    several.leaves[third]?.bytes ?? new Uint8Array(0),
    several.leaves[first]?.bytes ?? new Uint8Array(0),
  );
  const from = proof("ordered", { about: "", proof: encodeProof({ parts: [ordered] }), expect: {} });
  return bad(from, "leaf-order", {
    ...{ about: "The later close first.", code: "proof-shape" },
    input: { proof: repartitioned(encodeProof({ parts: [ordered] }), { leaves: reversed }) },
  });
}
