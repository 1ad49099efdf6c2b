import { beforeAll, describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import { portableSuite } from "../../attest/portable.ts";
import { decodeProof, encodeProof, MAX_PROOF_BYTES, type Proof } from "../../attest/proof.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import { type LogBuilder, testSigner } from "../kit/log-builder.ts";
import { leafOf, nodeA, nodeB, openedLog, patientSuite, proofOf, readQuarters } from "./proof-kit.ts";
import { flippedBits, refusalOf } from "./refusal.ts";

/** Thousands of verifications take a while on a small machine; nothing is said about speed. */
const SLOW_MS = 180_000;

describe("a proof file, changed", () => {
  let bytes = new Uint8Array(0) as Uint8Array;
  let proof: Proof;
  let log: LogBuilder;

  beforeAll(async () => {
    log = readQuarters(openedLog(), 1);
    await log.checkpoint();
    const receipt = await log.receive(nodeA, log.timeMs + 700);
    log.anchor(receipt, nodeA, log.timeMs + 700);
    readQuarters(log, 2);
    await log.checkpoint();
    await log.receive(nodeA, log.timeMs + 800);
    bytes = proofOf(log, 2, 3);
    proof = decodeProof(bytes);
  });

  const code = (changes: Partial<Proof>): string | undefined =>
    refusalOf(() => verifyProof(patientSuite, encodeProof({ ...proof, ...changes })));

  it(
    "is refused with any single bit flipped, by either suite at random and by one everywhere",
    () => {
      expect(proof.receipts).toHaveLength(1);
      expect(proof.anchoredReceipt).toBeDefined();
      let [refused, at] = [0, 0];
      for (const flipped of flippedBits(bytes)) {
        const taken = refusalOf(() => verifyProof(patientSuite, flipped)) === undefined;
        if (taken) expect(`bit ${at}`).toBe("refused");
        if (at % 97 === 0) expect(refusalOf(() => verifyProof(portableSuite, flipped))).toBeDefined();
        at += 1;
        refused += 1;
      }
      expect(refused).toBe(8 * bytes.length);
      console.log(`proof of one interval, ${bytes.length} bytes: ${refused} flipped bits refused`);
    },
    SLOW_MS,
  );

  it("is refused with a byte left out or put in, anywhere", () => {
    for (let at = 0; at <= bytes.length; at++) {
      const rest = bytes.subarray(at);
      const added = concatBytes(bytes.subarray(0, at), Uint8Array.of(at & 255), rest);
      const dropped = concatBytes(bytes.subarray(0, at), rest.subarray(1));
      expect(refusalOf(() => verifyProof(patientSuite, added))).toBeDefined();
      if (rest.length > 0) expect(refusalOf(() => verifyProof(patientSuite, dropped))).toBeDefined();
    }
  });

  it("is taken as it was built, and without its receipts", () => {
    expect(code({})).toBeUndefined();
    const { receipts: _, ...without } = proof;
    expect(refusalOf(() => verifyProof(patientSuite, encodeProof(without)))).toBeUndefined();
  });

  it("is refused for any other claim about the same leaves", () => {
    expect(code({ channel: 2 })).toBe("proof-channel");
    expect(code({ fromMs: proof.fromMs - 1 })).toBe("proof-cover");
    expect(code({ toMs: proof.toMs + 1 })).toBe("proof-cover");
    expect(code({ network: "other" })).toBe("cose-kid");
    expect(code({ epoch: 2 })).toBe("cose-kid");
    expect(code({ deviceKey: testSigner(2).publicKey })).toBe("cose-kid");
    expect(code({ deviceKey: new Uint8Array(32) })).toBe("key-invalid");
    expect(code({ network: "a b" })).toBe("network-name");
    expect(code({ epoch: 2 ** 32 })).toBe("bytes-integer");
  });

  it("is refused with leaves left out or hashes cut", () => {
    expect(code({ hashes: proof.hashes.slice(32) })).toBe("proof-shape");
    expect(code({ hashes: proof.hashes.slice(1) })).toBe("proof-format");
    expect(code({ hashes: concatBytes(proof.hashes, new Uint8Array(32)) })).toBe("proof-shape");
    const seqs = [leafOf(log, "anchor").seq, leafOf(log, "intervalClose", 2).seq];
    const leaves = seqs.map((seq) => log.leaves[seq]?.bytes ?? new Uint8Array(0));
    expect(concatBytes(...leaves)).toEqual(proof.leaves);
    for (const at of seqs.keys()) {
      const fewer = concatBytes(...leaves.toSpliced(at, 1));
      expect(["proof-root", "proof-shape"]).toContain(code({ leaves: fewer }));
    }
    expect(code({ leaves: concatBytes(...leaves.toReversed()) })).toBe("proof-shape");
  });

  it("is refused with manifests left out, doubled, exchanged, or of another channel or log", () => {
    const [own, channel] = [log.leaves[0]?.bytes, log.leaves[1]?.bytes];
    if (own === undefined || channel === undefined) throw new Error("no manifests");
    expect(concatBytes(own, channel)).toEqual(proof.manifests);
    expect(code({ manifests: new Uint8Array(0) })).toBe("proof-manifest");
    expect(code({ manifests: own })).toBe("proof-manifest");
    expect(code({ manifests: channel })).toBe("proof-manifest");
    expect(code({ manifests: concatBytes(channel, own) })).toBe("proof-manifest");
    expect(code({ manifests: concatBytes(own, channel, channel) })).toBe("proof-leaf");
    expect(code({ manifests: concatBytes(own, own, channel) })).toBe("proof-leaf");
    const other = openedLog({ network: "other" });
    expect(code({ manifests: concatBytes(other.leaves[0]?.bytes ?? own, channel) })).toBe("proof-manifest");
    log.manifest({ channel: 2, name: "another" });
    const stranger = log.leaves.at(-1)?.bytes ?? channel;
    expect(code({ manifests: concatBytes(own, stranger) })).toBe("proof-manifest");
    expect(code({ manifests: concatBytes(own, channel, stranger) })).toBe("proof-leaf");
  });

  it("is refused with receipts that are not over this checkpoint, or twice from one node", async () => {
    const { logId } = log.rules;
    const { size, root } = log.checkpoints.at(-1)?.checkpoint ?? { size: 0, root: new Uint8Array(32) };
    const about = { logId, size, root, receivedAtMs: 5, ruleVersion: RULE_VERSION };
    const [own] = proof.receipts ?? [];
    if (own === undefined) throw new Error("no receipt");
    expect(code({ receipts: [own, await signReceipt(nodeB, about)] })).toBeUndefined();
    expect(code({ receipts: [own, await signReceipt(nodeA, about)] })).toBe("receipt-twice");
    expect(code({ receipts: [own, own] })).toBe("receipt-twice");
    expect(code({ receipts: [await signReceipt(log.signer, about)] })).toBe("receipt-own");
    expect(code({ receipts: [await signReceipt(nodeB, { ...about, size: size + 1 })] })).toBe(
      "receipt-mismatch",
    );
    expect(code({ receipts: [await signReceipt(nodeB, { ...about, root: logId })] })).toBe(
      "receipt-mismatch",
    );
    expect(code({ receipts: [await signReceipt(nodeB, { ...about, logId: root })] })).toBe(
      "receipt-mismatch",
    );
    expect(code({ receipts: [await signReceipt(nodeB, { ...about, size: 0 })] })).toBe("receipt-empty");
    expect(code({ receipts: [proof.checkpoint] })).toBe("cose-type");
  });

  it("is refused with an anchor that is not its receipt's", () => {
    const { anchoredReceipt: _, ...without } = proof;
    expect(refusalOf(() => verifyProof(patientSuite, encodeProof(without)))).toBe("proof-anchor");
    const [other] = proof.receipts ?? [];
    if (other === undefined) throw new Error("no receipt");
    expect(code({ anchoredReceipt: other })).toBe("proof-anchor");
  });

  it("is no proof at all when it is something else", () => {
    const decode = (other: Uint8Array): string | undefined => refusalOf(() => decodeProof(other));
    expect(decode(new Uint8Array(0))).toBe("proof-format");
    expect(decode(new TextEncoder().encode("%PDF-1.7"))).toBe("proof-format");
    expect(decode(Uint8Array.of(0xa0))).toBe("proof-format");
    expect(decode(new Uint8Array(MAX_PROOF_BYTES + 1))).toBe("proof-format");
    expect(decode(proof.checkpoint)).toBe("proof-format");
  });
});
