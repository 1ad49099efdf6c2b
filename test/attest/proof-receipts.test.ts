import { beforeAll, describe, expect, it } from "vitest";
import type { Anchor } from "../../attest/leaf.ts";
import { encodeProof, type ProofPart } from "../../attest/proof.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import {
  type AboutReceipt,
  anchorLeaf,
  lawless,
  lawlessLog,
  leafOf,
  nodeA,
  nodeB,
  openedLog,
  partShowing,
  patientSuite,
  quarter,
  readQuarters,
  receiptOver,
  type Shown,
  say,
  signNow,
  sorted,
  witnessQuarters,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const RECEIVED_MS = quarter(9);

function codeOf(part: ProofPart): string | undefined {
  return refusalOf(() => verifyProof(patientSuite, encodeProof({ parts: [part] })));
}

describe("the receipts of a proof", () => {
  let log: LogBuilder;
  let size = 0;
  let opening = 0;
  let seqs: readonly number[] = [];

  beforeAll(async () => {
    log = await witnessQuarters(openedLog(), 3, [nodeA, nodeB]);
    await log.checkpoint();
    size = log.leaves.length;
    const close = leafOf(log, "intervalClose", 1);
    opening = close.openingSeq;
    seqs = [close.seq];
  });

  const over = (about: Partial<AboutReceipt> = {}, changes: Partial<Receipt> = {}): Promise<Uint8Array> =>
    receiptOver(log, { node: nodeA, size, receivedAtMs: RECEIVED_MS, ...about }, changes);
  const code = async (
    ...receipts: readonly (Promise<Uint8Array> | Uint8Array)[]
  ): Promise<string | undefined> => codeOf(partShowing(log, { seqs, receipts: await Promise.all(receipts) }));

  it("may be over any size that covers something of the claim, each size and node once, in order", async () => {
    for (let of = 1; of <= size; of++)
      expect([of, await code(over({ size: of }))]).toEqual([
        of,
        of > opening ? undefined : "receipt-mismatch",
      ]);
    const sizes = [opening + 1, opening + 2, size - 1, size];
    const abouts = sizes.flatMap((of) =>
      [nodeB, nodeA].map((node) => ({ node, size: of, receivedAtMs: RECEIVED_MS })),
    );
    const receipts = await sorted(log, abouts);
    expect(await code(...receipts)).toBeUndefined();
    expect(await code(...receipts.toReversed())).toBe("proof-order");
    for (let at = 1; at < receipts.length; at++) {
      const [a, b] = [receipts[at - 1], receipts[at]];
      if (a === undefined || b === undefined) throw new Error("too few receipts");
      expect(await code(...receipts.toSpliced(at - 1, 2, b, a))).toBe("proof-order");
      expect(await code(...receipts.toSpliced(at, 1, a))).toBe("receipt-twice");
    }
  });

  it("are refused twice from one node over one size, whatever the node says the second time", async () => {
    expect(await code(over(), over({ receivedAtMs: 5 }))).toBe("receipt-twice");
    expect(await code(over({ size: size - 1 }), over({ size: size - 1 }, { ruleVersion: 2 }))).toBe(
      "receipt-twice",
    );
  });

  it("are refused over another log, another history, more leaves than are signed, or none", async () => {
    const other = openedLog({ network: "other" }).rules.manifestHash;
    expect(await code(over({}, { manifestHash: other }))).toBe("receipt-mismatch");
    expect(await code(over({ size: size - 1 }, { manifestHash: other }))).toBe("receipt-mismatch");
    expect(await code(over({}, { root: other }))).toBe("receipt-mismatch");
    expect(await code(over({ size: size - 1 }, { root: other }))).toBe("receipt-mismatch");
    expect(await code(over({}, { size: size + 1 }))).toBe("receipt-mismatch");
    expect(await code(over({}, { size: size - 1 }))).toBe("receipt-mismatch");
    expect(await code(over({}, { size: 0 }))).toBe("receipt-empty");
  });

  it("are refused from a history of the same log that forked before the opening", async () => {
    const fork = openedLog();
    for (let quarters = 0; quarters < 3; quarters++) readQuarters(fork, 1, 225_000);
    for (const at of [opening + 1, size]) {
      const forked = await receiptOver(fork, { node: nodeA, size: at, receivedAtMs: quarter(0) });
      expect(await code(forked)).toBe("receipt-mismatch");
    }
  });

  it("are refused from the device itself, from a bad key, or as another object", async () => {
    expect(await code(over({ node: log.signer }))).toBe("receipt-own");
    const nobody = { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) };
    expect(await code(over({ node: nobody }))).toBe("key-invalid");
    const silent = { ...nodeA, sign: () => new Uint8Array(64) };
    expect(await code(over({ node: silent }))).toBe("cose-signature");
    const part = partShowing(log, { seqs });
    expect(codeOf({ ...part, receipts: [part.checkpoint] })).toBe("cose-type");
    expect(codeOf({ ...part, anchoredReceipts: [part.checkpoint] })).toBe("cose-type");
  });
});

/** Manifest, reading's place, the anchor if it says something, close, and what else comes after. */
async function anchoredLog(
  change: (anchor: Anchor) => Partial<Anchor>,
  receipt: (log: LogBuilder) => Promise<Uint8Array>,
): Promise<{ readonly log: LogBuilder; readonly shown: Shown }> {
  const log = lawlessLog([lawless.manifest]);
  say(log, lawless.manifest);
  const bytes = await receipt(log);
  const honest = anchorLeaf(log, bytes, { node: nodeA, size: 2, receivedAtMs: RECEIVED_MS });
  const anchor = say(log, { ...honest, ...change({ ...honest, seq: 0, salt: new Uint8Array(16) }) });
  say(log, lawless.manifest);
  const close = say(log, lawless.close({ openingSeq: 2, closingSeq: 4 }));
  await signNow(log);
  return { log, shown: { seqs: [anchor, close], manifests: [0, 1], anchoredReceipts: [bytes] } };
}

describe("the anchors of a proof", () => {
  const about = { node: nodeA, size: 2, receivedAtMs: RECEIVED_MS };
  const code = async (
    change: (anchor: Anchor) => Partial<Anchor>,
    receipt = (log: LogBuilder): Promise<Uint8Array> => receiptOver(log, about),
  ): Promise<string | undefined> => {
    const { log, shown } = await anchoredLog(change, receipt);
    return codeOf(partShowing(log, shown));
  };

  it("each name a receipt of the file, and say what it says", async () => {
    expect(await code(() => ({}))).toBeUndefined();
    expect(await code(() => ({ nodeKey: nodeB.publicKey }))).toBe("proof-anchor");
    expect(await code(() => ({ receiptHash: new Uint8Array(32) }))).toBe("proof-anchor");
    expect(await code(() => ({ receivedAtMs: RECEIVED_MS + 1 }))).toBe("proof-anchor");
    expect(await code(() => ({ receiptSize: 1 }))).toBe("proof-anchor");
  });

  it("are refused over more leaves than stood before them", async () => {
    const later = { size: 4, root: new Uint8Array(32) };
    expect(
      await code(
        () => ({ receiptSize: 4 }),
        (log) => receiptOver(log, about, later),
      ),
    ).toBe("proof-anchor");
    expect(
      await code(
        () => ({ receiptSize: 3 }),
        (log) => receiptOver(log, about, { ...later, size: 3 }),
      ),
    ).toBeUndefined();
  });

  it("are refused when the receipt is over another log, or the device's own", async () => {
    const { manifestHash } = openedLog({ epoch: 2 }).rules;
    expect(
      await code(
        () => ({}),
        (log) => receiptOver(log, about, { manifestHash }),
      ),
    ).toBe("receipt-mismatch");
    const own = (log: LogBuilder): Promise<Uint8Array> => receiptOver(log, { ...about, node: log.signer });
    expect(await code(() => ({}), own)).toBe("receipt-own");
  });

  it("are refused without their receipt, and receipts without their anchor", async () => {
    const { log, shown } = await anchoredLog(
      () => ({}),
      (its) => receiptOver(its, about),
    );
    const other = await receiptOver(log, { ...about, node: nodeB });
    const [own = other] = shown.anchoredReceipts ?? [];
    const showing = (changes: Partial<Shown>): string | undefined =>
      codeOf(partShowing(log, { ...shown, ...changes }));
    expect(showing({})).toBeUndefined();
    expect(showing({ anchoredReceipts: [] })).toBe("proof-anchor");
    expect(showing({ anchoredReceipts: [other] })).toBe("proof-anchor");
    expect(showing({ anchoredReceipts: [own, other] })).toBe("proof-anchor");
    expect(showing({ anchoredReceipts: [other, own] })).toBe("proof-anchor");
    expect(showing({ anchoredReceipts: [own, own] })).toBe("proof-anchor");
    expect(showing({ seqs: shown.seqs.slice(1) })).toBe("proof-anchor");
  });

  it("may name a receipt that is there for its size, too, which is then not held twice", async () => {
    const log = lawlessLog([lawless.manifest]);
    const receipt = await receiptOver(log, about);
    const anchor = say(log, anchorLeaf(log, receipt, about));
    say(log, lawless.manifest);
    const close = say(log, lawless.close({ openingSeq: 1, closingSeq: 3 }));
    await signNow(log);
    const shown = { seqs: [anchor, close], manifests: [0, 1], receipts: [receipt] };
    expect(codeOf(partShowing(log, shown))).toBeUndefined();
    expect(codeOf(partShowing(log, { ...shown, anchoredReceipts: [receipt] }))).toBe("proof-anchor");
  });

  it("are refused at the claim's last reading or behind it, and stand between its ends", async () => {
    const log = await witnessQuarters(openedLog(), 4, [nodeA]);
    await log.checkpoint();
    const close = leafOf(log, "intervalClose", 1);
    const anchored = [0, 1, 2, 3].map((at) => leafOf(log, "anchor", at).seq);
    const code = (at: number): string | undefined => {
      const seqs = [anchored[at] ?? 0, close.seq].sort((a, b) => a - b);
      const anchoredReceipts = [log.checkpoints[at]?.receipts[0] ?? new Uint8Array(0)];
      return codeOf(partShowing(log, { seqs, anchoredReceipts }));
    };
    expect([0, 1, 2, 3].map(code)).toEqual([undefined, "proof-anchor", "proof-anchor", "proof-anchor"]);
    const first = anchored[0] ?? 0;
    expect(close.openingSeq < first && first < close.closingSeq).toBe(true);
    const { log: lying, shown } = await anchoredLog(
      () => ({}),
      (its) => receiptOver(its, about),
    );
    const early = say(lying, lawless.close({ openingSeq: 2, closingSeq: 3 }));
    await signNow(lying);
    expect(codeOf(partShowing(lying, { ...shown, seqs: [3, early] }))).toBe("proof-anchor");
  });
});
