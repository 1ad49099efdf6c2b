import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import type { CborValue } from "../../../attest/cbor.ts";
import { assembleObject, parseObject } from "../../../attest/cose.ts";
import { decodeLeafAt, encodeLeaf } from "../../../attest/leaf-codec.ts";
import { decodeProof, encodeProof } from "../../../attest/proof.ts";
import { buildProof } from "../../../attest/proof-build.ts";
import { verifyProof } from "../../../attest/proof-verify.ts";
import { judge } from "../../../attest/verdict.ts";
import { LogBuilder, QUARTER_MS } from "../../kit/log-builder.ts";
import { namedRefusalOf } from "./codes.ts";
import { fuzz, PATIENCE_MS } from "./runs.ts";
import { hollow } from "./suites.ts";
import { quarter } from "./world.ts";

/** KILOWITNESS_FUZZ_RUNS=100000 npx vitest run test/attest/fuzz: so many cases of each property, see README.md. */

const { suite } = hollow;
const [device, node] = [hollow.signerOf(1), hollow.signerOf(2)];
const TOLERANCE_MS = 120_000;
/** How much older than its boundary a reading may be, at most: half of the longest interval. */
const OLDEST_MS = 1_800_000;
/** Key of the time in a receipt. */
const RECEIVED_AT = 4;

/** The second quarter of an hour of a meter: an anchor lies in the first one, a receipt is over all. */
const valid = decodeProof(await secondQuarter());

async function secondQuarter(): Promise<Uint8Array> {
  const log = new LogBuilder({ suite, signer: device, startMs: quarter(0) });
  log.manifest();
  log.read({ importMwh: 1000 });
  await log.checkpoint();
  log.anchor(await log.receive(node, quarter(0)), node, quarter(0));
  log.readMany(2, { stepMs: QUARTER_MS, risesMwh: 5000 });
  log.timeMs += 1;
  log.closeDue();
  await log.checkpoint();
  await log.receive(node, quarter(2));
  return buildProof(log.proofSource(), { channel: 1, fromMs: quarter(1), toMs: quarter(2) });
}

/** The proof with other times of the node: that of the receipt that was taken up, and that of the last one. */
function sandwiched(anchoredMs: number, receivedMs: number): Uint8Array {
  const parts = valid.parts.map((part) => {
    const receipts = (part.receipts ?? []).map((receipt) => retimed(receipt, receivedMs));
    const anchoredReceipts = (part.anchoredReceipts ?? []).map((receipt) => retimed(receipt, anchoredMs));
    const { leaf, end } = decodeLeafAt(part.leaves, 0);
    if (leaf.kind !== "anchor") throw new Error("no anchor comes first");
    const [receipt = part.leaves] = anchoredReceipts;
    const anchor = encodeLeaf({ ...leaf, receivedAtMs: anchoredMs, receiptHash: suite.sha256(receipt) });
    return { ...part, receipts, anchoredReceipts, leaves: concatBytes(anchor, part.leaves.subarray(end)) };
  });
  return encodeProof({ parts });
}

function retimed(receipt: Uint8Array, timeMs: number): Uint8Array {
  const object = parseObject(receipt);
  return assembleObject({
    ...object,
    payload: new Map<number, CborValue>([...object.payload, [RECEIVED_AT, timeMs]]),
  });
}

/** What must come of it; undefined where that depends on how old the meter's reading may be. */
function expected(anchoredMs: number, receivedMs: number): "proof-time" | "valid" | undefined {
  if (anchoredMs > quarter(1) + TOLERANCE_MS) return "proof-time";
  if (receivedMs >= quarter(2) - TOLERANCE_MS) return "valid";
  return receivedMs < quarter(2) - TOLERANCE_MS - OLDEST_MS ? "proof-time" : undefined;
}

describe("a claim between the clocks of a node", () => {
  it("is refused where they contradict it, and only there", { timeout: PATIENCE_MS }, () => {
    const near = fc.integer({ min: quarter(-6), max: quarter(10) });
    const ms = fc.oneof({ weight: 4, arbitrary: near }, { weight: 1, arbitrary: fc.maxSafeNat() });
    const trusting = { deviceKeys: [device.publicKey], nodeKeys: [node.publicKey], witnesses: 1 };
    fuzz("times of a node", { cases: 200, of: fc.tuple(ms, ms) }, ([anchoredMs, receivedMs]) => {
      const bytes = sandwiched(anchoredMs, receivedMs);
      const code = namedRefusalOf(() => judge(suite, verifyProof(suite, bytes), trusting));
      const wanted = expected(anchoredMs, receivedMs);
      if (wanted !== undefined) expect(code ?? "valid").toBe(wanted);
      return code;
    });
  });
});
