import { concatBytes } from "../../../attest/bytes.ts";
import { type CborValue, decodeCbor, encodeCbor } from "../../../attest/cbor.ts";
import { assembleObject, parseObject } from "../../../attest/cose.ts";
import { decodeFault, encodeFault, joinObjects, splitObjects } from "../../../attest/fault.ts";
import { fromJson, toJson } from "../../../attest/json.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf, decodeLeafAt, encodeLeaf } from "../../../attest/leaf-codec.ts";
import { decodeMessage, encodeMessage } from "../../../attest/messages.ts";
import { sealedFromJson, sealedToJson } from "../../../attest/pretty.ts";
import { decodeProof, encodeProof, joinHashes, splitHashes } from "../../../attest/proof.ts";
import { Frontier } from "../../../attest/tree.ts";
import type { Evidence } from "./evidence.ts";
import { anyLeaves } from "./leaves.ts";
import { acceptanceIn } from "./objects.ts";
import { hollow } from "./suites.ts";
import { leafBytes } from "./world.ts";

/** Whatever reads bytes of a stranger, and what it reads. */
export interface Decoder {
  readonly name: string;
  /** What changes begin from. */
  readonly samples: readonly Uint8Array[];
  /** The codes that its description allows. */
  readonly codes: RegExp;
  /** Throws a Problem, or gives how what was read is written again. */
  readonly read: (bytes: Uint8Array) => () => Uint8Array;
  /** Whether the samples are JSON, of which values can be exchanged. */
  readonly isJson?: boolean;
  /** How bytes of the same meaning are written, where there is more than one way. */
  readonly normal?: (bytes: Uint8Array) => Uint8Array;
  /** The format's limit. */
  readonly mostBytes?: number;
}

const VALUES: readonly CborValue[] = [
  ...[0, -1, 23, 24, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, "", "é\u0000"],
  ...[new Uint8Array(40), [1, [2, [3, [4]]]]],
  new Map<number, CborValue>([
    [0, 1],
    [24, new Map([[256, "x"]])],
    [2 ** 53 - 1, [new Uint8Array(3)]],
  ]),
];

export function decodersOf(evidence: Evidence): readonly Decoder[] {
  return [
    ...leafDecoders(evidence),
    ...objectDecoders(evidence),
    ...fileDecoders(evidence),
    ...textDecoders(evidence),
  ];
}

/** Reads now, writes later: a value that cannot be written is no refusal of its bytes. */
function both<T>(decode: (bytes: Uint8Array) => T, encode: (value: T) => Uint8Array): Decoder["read"] {
  return (bytes) => {
    const value = decode(bytes);
    return () => encode(value);
  };
}

function leafDecoders({ world }: Evidence): readonly Decoder[] {
  const { first, second } = world;
  const seqs = first.leaves.map(({ leaf }) => leaf.seq);
  const several = [leafBytes(first, seqs), leafBytes(second, [0, 1, 2, 3]), leafBytes(first, [3, 4])];
  const codes = /^(cbor-|leaf-|field$)/;
  return [
    { name: "CBOR", samples: VALUES.map(encodeCbor), codes: /^cbor-/, read: both(decodeCbor, encodeCbor) },
    {
      ...{ name: "a leaf", samples: [...anyLeaves(), ...first.leaves.map(({ bytes }) => bytes)] },
      ...{ codes, read: both(decodeLeaf, encodeLeaf), mostBytes: 4096 },
    },
    { name: "leaves back to back", samples: several, codes, read: both(decodeLeaves, encodeLeaves) },
  ];
}

function objectDecoders({ world, life, hellos, messages }: Evidence): readonly Decoder[] {
  const rotation = life.rotations[0];
  const signed = [
    ...world.first.checkpoints.flatMap(({ bytes, receipts }) => [bytes, ...receipts]),
    ...[hellos.device, life.statement, life.countersignature, rotation, acceptanceIn(rotation)],
    ...[life.byRegistrar, largeObject(rotation)],
  ];
  return [
    {
      ...{ name: "a signed object", samples: signed, codes: /^(cose-|cbor-)/, mostBytes: 8192 },
      read: both(parseObject, assembleObject),
    },
    {
      ...{ name: "a message", samples: messages, codes: /^(message-|cbor-|field$|unknown-key$)/ },
      read: both(decodeMessage, encodeMessage),
    },
  ];
}

/** Not far from the limit. */
function largeObject(like: Uint8Array): Uint8Array {
  const payload = new Map([1, 2, 3].map((key) => [key, new Uint8Array(2660)]));
  return assembleObject({ ...parseObject(like), payload });
}

function fileDecoders({ world, life, proofs, faults }: Evidence): readonly Decoder[] {
  const { device, nodeA } = world.people;
  return [
    {
      ...{
        name: "a proof file",
        samples: Object.values(proofs),
        codes: /^(proof-format|field|unknown-key)$/,
      },
      read: both(decodeProof, encodeProof),
    },
    {
      ...{
        name: "a fault file",
        samples: Object.values(faults),
        codes: /^(fault-format|field|unknown-key)$/,
      },
      read: both(decodeFault, encodeFault),
    },
    {
      ...{ name: "objects of a fault file", samples: [joinObjects(life.rotations)], codes: /^fault-format$/ },
      read: both(splitObjects, joinObjects),
    },
    {
      ...{ name: "hashes", samples: [concatBytes(device.publicKey, nodeA.publicKey)] },
      ...{ codes: /^proof-format$/, read: both(splitHashes, joinHashes) },
    },
    {
      ...{
        name: "a frontier",
        samples: [5, 0, 64].map(frontierOf),
        codes: /^(tree-frontier|bytes-short|bytes-integer)$/,
      },
      read: both(
        (bytes) => Frontier.fromBytes(hollow.suite, bytes),
        (frontier) => frontier.toBytes(),
      ),
    },
  ];
}

function textDecoders({ world, life, hellos, proofs, faults }: Evidence): readonly Decoder[] {
  const { first, second } = world;
  const sealed = [
    ...[...first.leaves.map(({ bytes }) => bytes), ...life.rotations, hellos.node],
    ...[leafBytes(second, [1, 3]), proofs.interval, proofs.epochs, ...Object.values(faults)],
  ];
  return [
    {
      ...{ name: "JSON of what is sealed", samples: sealed.map(sealedToJson).map(utf8), isJson: true },
      codes: /^(json-|cbor-|leaf-|cose-|proof-format|fault-format|field$|unknown-key$)/,
      read: both(
        (bytes) => sealedFromJson(textOf(bytes)),
        (made) => utf8(withoutSpace(sealedToJson(made))),
      ),
      normal: (bytes) => utf8(withoutSpace(textOf(bytes))),
    },
    {
      ...{ name: "JSON of plain data", samples: [utf8(first.rules.toText())], codes: /^json$/, isJson: true },
      read: both(plainOf, (plain) => utf8(toJson(plain))),
      // It has many spellings and is read by who wrote it; what was read once is read again as the same.
      normal: (bytes) => utf8(toJson(fromJson(toJson(plainOf(bytes))))),
    },
  ];
}

function plainOf(bytes: Uint8Array): unknown {
  return fromJson(textOf(bytes));
}

function decodeLeaves(bytes: Uint8Array): readonly Leaf[] {
  const leaves: Leaf[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    leaves.push(leaf);
    at = end;
  }
  return leaves;
}

function encodeLeaves(leaves: readonly Leaf[]): Uint8Array {
  return concatBytes(...leaves.map(encodeLeaf));
}

function frontierOf(size: number): Uint8Array {
  const frontier = new Frontier(hollow.suite);
  for (let at = 0; at < size; at++) frontier.append(new Uint8Array(32).fill(at));
  return frontier.toBytes();
}

/** White space between tokens is free, and nothing else of the text is. */
function withoutSpace(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|[ \t\n\r]+/g, (_, quoted: string | undefined) => quoted ?? "");
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
