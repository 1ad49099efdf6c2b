import { beforeAll, describe, expect, it } from "vitest";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";
import { type CborValue, decodeCborMap, encodeCbor } from "../../attest/cbor.ts";
import type { LogManifest } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { portableSuite } from "../../attest/portable.ts";
import { decodeProof, encodeProof, MAX_PROOF_BYTES, type ProofPart } from "../../attest/proof.ts";
import { buildProof, buildProofAcross } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { EPOCH_MS, type LogBuilder, type LogBuilderOptions } from "../kit/log-builder.ts";
import { countersigned, rotation, secondKey, statement } from "./key-life-kit.ts";
import {
  leafBytes,
  leafOf,
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
import { flippedBits, refusalOf } from "./refusal.ts";

/** Thousands of verifications take a while on a small machine; nothing is said about speed. */
const SLOW_MS = 180_000;

/** Four quarters, each receipted by two nodes and anchored: of the last two, both ends lie between receipts. */
function witnessedLog(options: LogBuilderOptions = {}): Promise<LogBuilder> {
  return witnessQuarters(openedLog(options), 4, [nodeA, nodeB]);
}

/** All that a file may hold: two epochs, receipts of two nodes and anchors at both edges, an enrolment with a rotation. */
async function fullFile(): Promise<Uint8Array> {
  const first = await witnessedLog({ signer: quickSigner(5) });
  expect(first.signer.publicKey).toEqual(secondKey.publicKey);
  const second = await witnessQuarters(nextEpoch(first), 2, [nodeA, nodeB]);
  const record = [await statement(), await countersigned(), await rotation()];
  return buildProofAcross(
    [
      { source: first.proofSource(), channel: 1, fromMs: quarter(2), toMs: quarter(4) },
      { source: second.proofSource(), channel: 1, fromMs: quarter(5), toMs: quarter(7) },
    ],
    record,
  );
}

describe("a proof file, changed", () => {
  let log: LogBuilder;
  let bytes = new Uint8Array(0) as Uint8Array;
  let part: ProofPart;

  beforeAll(async () => {
    log = await witnessedLog();
    bytes = proofOf(log, 2, 4);
    part = decodeProof(bytes).parts[0] ?? part;
  });

  const codeOf = (other: Uint8Array): string | undefined => refusalOf(() => verifyProof(patientSuite, other));
  const code = (changes: Partial<ProofPart>): string | undefined =>
    codeOf(encodeProof({ parts: [{ ...part, ...changes }] }));

  it(
    "is refused with any single bit flipped, by either suite at random and by one everywhere",
    () => {
      expect(part.receipts).toHaveLength(4);
      expect(part.anchoredReceipts).toHaveLength(2);
      expect(codeOf(bytes)).toBeUndefined();
      let at = 0;
      for (const flipped of flippedBits(bytes)) {
        if (codeOf(flipped) === undefined) expect(`bit ${at}`).toBe("refused");
        if (at % 797 === 0) expect(refusalOf(() => verifyProof(portableSuite, flipped))).toBeDefined();
        at += 1;
      }
      expect(at).toBe(8 * bytes.length);
      console.log(`proof of one interval, ${bytes.length} bytes: ${at} flipped bits refused`);
    },
    SLOW_MS,
  );

  it(
    "is refused with a bit of any byte flipped when it holds all that a file may hold",
    async () => {
      const full = await fullFile();
      const { parts, enrolment } = decodeProof(full);
      expect(parts.map(({ receipts }) => receipts?.length)).toEqual([4, 4]);
      expect(enrolment).toHaveLength(3);
      expect(codeOf(full)).toBeUndefined();
      for (const at of full.keys()) {
        const flipped = full.slice();
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
        if (codeOf(flipped) === undefined) expect(`byte ${at}`).toBe("refused");
      }
      console.log(`proof over two epochs, ${full.length} bytes: as many flipped bits refused`);
    },
    SLOW_MS,
  );

  it("is refused with a byte left out or put in, anywhere", () => {
    for (let at = 0; at <= bytes.length; at++) {
      const rest = bytes.subarray(at);
      const added = concatBytes(bytes.subarray(0, at), Uint8Array.of(at & 255), rest);
      const dropped = concatBytes(bytes.subarray(0, at), rest.subarray(1));
      expect(codeOf(added)).toBeDefined();
      if (rest.length > 0) expect(codeOf(dropped)).toBeDefined();
    }
  });

  it("is taken without the receipts over its checkpoint, and without others only if their hashes go, too", () => {
    const [early1, early2, ...late] = part.receipts ?? [];
    if (early1 === undefined || early2 === undefined) throw new Error("no receipts");
    expect(code({ receipts: [early1, early2] })).toBeUndefined();
    expect(code({ receipts: [early1, ...late] })).toBeUndefined();
    expect(code({ receipts: late })).toBe("proof-shape");
    const { receipts: _, ...without } = part;
    expect(codeOf(encodeProof({ parts: [without] }))).toBe("proof-shape");
  });

  it("is refused with leaves left out, exchanged, or hashes cut", () => {
    expect(code({ hashes: part.hashes.slice(32) })).toBe("proof-shape");
    expect(code({ hashes: part.hashes.slice(1) })).toBe("proof-format");
    expect(code({ hashes: concatBytes(part.hashes, new Uint8Array(32)) })).toBe("proof-shape");
    const anchors = [0, 2].map((at) => leafOf(log, "anchor", at).seq);
    const closes = [2, 3].map((at) => leafOf(log, "intervalClose", at).seq);
    const seqs = [...anchors, ...closes].sort((a, b) => a - b);
    expect(leafBytes(log, seqs)).toEqual(part.leaves);
    for (const at of seqs.keys())
      expect(["proof-root", "proof-shape"]).toContain(
        code({ leaves: leafBytes(log, seqs.toSpliced(at, 1)) }),
      );
    expect(code({ leaves: leafBytes(log, seqs.toReversed()) })).toBe("proof-shape");
    expect(code({ leaves: new Uint8Array(0) })).toBe("proof-shape");
  });

  it("is refused with manifests left out, doubled, exchanged, or of another channel", async () => {
    expect(leafBytes(log, [0, 1])).toEqual(part.manifests);
    const showing = (seqs: readonly number[]): string | undefined =>
      code({ manifests: leafBytes(log, seqs) });
    for (const seqs of [[], [0], [1], [1, 0]]) expect(showing(seqs)).toBe("proof-manifest");
    for (const seqs of [
      [0, 1, 1],
      [0, 0, 1],
      [0, 1, 2],
    ])
      expect(["proof-leaf", "proof-manifest"]).toContain(showing(seqs));
    const more = await witnessedLog();
    more.manifest({ channel: 2, name: "another" });
    const stranger = leafBytes(more, [more.leaves.length - 1]);
    const own = leafBytes(log, [0]);
    expect(code({ manifests: concatBytes(own, stranger) })).toBe("proof-manifest");
    expect(code({ manifests: concatBytes(part.manifests, stranger) })).toBe("proof-leaf");
  });

  it("is refused under a log manifest of another network, device or epoch, or any other one", () => {
    const [placed] = log.leaves;
    if (placed?.leaf.kind !== "logManifest") throw new Error("no log manifest");
    const own: LogManifest = placed.leaf;
    const under = (changes: Partial<LogManifest>): string | undefined =>
      code({ manifests: concatBytes(encodeLeaf({ ...own, ...changes }), leafBytes(log, [1])) });
    expect(under({})).toBeUndefined();
    expect(under({ network: "other" })).toBe("cose-kid");
    expect(under({ epoch: 2 })).toBe("cose-kid");
    expect(under({ deviceKey: quickSigner(2).publicKey })).toBe("cose-kid");
    expect(under({ deviceKey: new Uint8Array(32) })).toBe("key-invalid");
    expect(under({ network: "a b" })).toBe("network-name");
    expect(under({ epoch: 2 ** 32 })).toBe("bytes-integer");
    expect(under({ seq: 1 })).toBe("proof-manifest");
    expect(under({ assuranceTier: 3 })).toBe("proof-manifest");
    expect(under({ intervalMs: 1000 })).toBe("proof-manifest");
  });

  it("is refused with any of its pieces out of another proof", async () => {
    const second = await witnessedLog();
    second.manifest({ channel: 2 });
    for (let at = 0; at < 3; at++) {
      if (at > 0) second.timeMs += 450_000;
      second.read({ importMwh: 5000 + at }, 2);
    }
    second.timeMs += 5000;
    second.closeDue(2);
    await second.checkpoint();
    await second.receive(nodeA, second.timeMs);
    const span = { channel: 2, fromMs: quarter(4), toMs: quarter(5) };
    const others: Record<string, Uint8Array> = {
      interval: proofOf(log, 1, 2),
      channel: buildProof(second.proofSource(), span),
      device: proofOf(await witnessedLog({ signer: quickSigner(2) }), 2, 4),
      network: proofOf(await witnessedLog({ network: "other" }), 2, 4),
      epoch: proofOf(await witnessedLog({ epoch: 2 }), 2, 4),
    };
    for (const [name, other] of Object.entries(others)) {
      expect(codeOf(other)).toBeUndefined();
      for (const mixed of mixtures(part, decodeProof(other).parts[0] ?? part)) {
        const file = encodeProof({ parts: [mixed] });
        if (!equalBytes(file, bytes) && !equalBytes(file, other))
          expect([name, codeOf(file)]).not.toContain(undefined);
      }
    }
  });

  it("is refused with parts that are none, too many, or of unknown keys", () => {
    const raw = (change: (file: Map<number, CborValue>) => void): string | undefined => {
      const file = new Map(decodeCborMap(bytes, { maxDepth: 2, maxLength: MAX_PROOF_BYTES }));
      change(file);
      return codeOf(encodeCbor(file));
    };
    const [only = new Uint8Array(0)] = [
      decodeCborMap(bytes, { maxDepth: 2, maxLength: MAX_PROOF_BYTES }).get(1),
    ].flat();
    expect(raw(() => undefined)).toBeUndefined();
    expect(raw((file) => file.set(1, []))).toBe("field");
    expect(raw((file) => file.set(1, new Array<CborValue>(9).fill(only)))).toBe("field");
    expect(raw((file) => file.set(1, [only, only]))).toBe("proof-epoch");
    expect(raw((file) => file.set(1, [Uint8Array.of(0xa0)]))).toBe("field");
    expect(raw((file) => file.set(1, [Uint8Array.of(0x01)]))).toBe("proof-format");
    expect(raw((file) => file.set(1, [encodeCbor(new Map([[0, "kilowitness/1 proof"]]))]))).toBe(
      "unknown-key",
    );
    expect(raw((file) => file.delete(1))).toBe("field");
    expect(raw((file) => file.set(3, EPOCH_MS))).toBe("unknown-key");
    expect(raw((file) => file.set(2, []))).toBe("field");
  });

  it("is no proof at all when it is something else", () => {
    const decode = (other: Uint8Array): string | undefined => refusalOf(() => decodeProof(other));
    expect(decode(new Uint8Array(0))).toBe("proof-format");
    expect(decode(new TextEncoder().encode("%PDF-1.7"))).toBe("proof-format");
    expect(decode(Uint8Array.of(0xa0))).toBe("proof-format");
    expect(decode(new Uint8Array(MAX_PROOF_BYTES + 1))).toBe("proof-format");
    expect(decode(part.checkpoint)).toBe("proof-format");
  });
});

/** Every part of which some pieces are of `a` and the others of `b`. */
function* mixtures(a: ProofPart, b: ProofPart): Generator<ProofPart> {
  const names = ["checkpoint", "manifests", "leaves", "hashes", "receipts", "anchoredReceipts"] as const;
  for (let mask = 1; mask < 2 ** names.length - 1; mask++) {
    const taken = names.filter((_, at) => (mask >> at) & 1);
    const mixed = { ...a, ...Object.fromEntries(taken.map((name) => [name, b[name]])) };
    yield Object.fromEntries(
      Object.entries(mixed).filter(([, value]) => value !== undefined),
    ) as unknown as ProofPart;
  }
}
