import { beforeAll, describe, expect, it } from "vitest";
import { decodeProof, type ProofPart } from "../../attest/proof.ts";
import { buildProof } from "../../attest/proof-build.ts";
import type { KeptCheckpoint, ProofSource } from "../../attest/proof-source.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { energyVerdict, keysOf, leafOf, quarter, trusting } from "./proof-kit.ts";
import {
  dayLog,
  importAt,
  type LongLog,
  longLog,
  quickSource,
  witnessA,
  witnessB,
} from "./proof-size-kit.ts";

/** What is asked of the proof of one channel and one hour, in bytes. */
const ONE_RECEIPT = 1500;
const TWO_RECEIPTS = 2600;
const OF_A_YEAR = 3300;
/** Both ends between receipts of two nodes is more than that; this is what it takes, and no more. */
const BOTH_ENDS_OF_A_DAY = 3500;
const BOTH_ENDS_OF_A_YEAR = 3950;

interface Hour {
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
}

function hour(number: number): Hour {
  return { channel: 1, fromMs: quarter(4 * number), toMs: quarter(4 * number + 4) };
}

/** A source that knows one checkpoint, some of its receipts and no anchor. */
function onlyWith(source: ProofSource, kept: KeptCheckpoint | undefined, receipts: number): ProofSource {
  if (kept === undefined) throw new Error("no checkpoint covers the hour");
  const only = { bytes: kept.bytes, receipts: kept.receipts.slice(0, receipts) };
  return { ...source, checkpointOver: () => only, anchorBelow: () => undefined };
}

/** The same with as many receipts at each edge. */
function withNodes(source: ProofSource, nodes: number): ProofSource {
  return {
    ...source,
    checkpointOver: (seq) => {
      const kept = source.checkpointOver(seq);
      return kept && { bytes: kept.bytes, receipts: kept.receipts.slice(0, nodes) };
    },
  };
}

/** The checkpoint that a device has made right behind the hour. */
function coveringOf(source: ProofSource, { channel, fromMs, toMs }: Hour): KeptCheckpoint | undefined {
  return source.checkpointOver(source.closes(channel, fromMs, toMs).at(-1)?.seq ?? 0);
}

describe("the size of a proof of one hour", () => {
  let log: LogBuilder;
  let source: ProofSource;
  const hours = Array.from({ length: 23 }, (_, number) => number);

  beforeAll(async () => {
    log = await dayLog();
    source = quickSource(log);
  }, 60_000);

  /** The file, once it is found to prove the hour by as many nodes as are in it. */
  function proofFrom(from: ProofSource, of: Hour, witnesses: number): Uint8Array {
    const bytes = buildProof(from, of);
    const policy = trusting(log, { nodeKeys: keysOf(witnessA, witnessB), witnesses });
    const { standing, import: energy, edges } = energyVerdict(bytes, policy);
    expect(standing).toBe("witnessed");
    expect(energy?.wh).toBe(Math.floor(importAt(of.toMs) / 1000) - Math.floor(importAt(of.fromMs) / 1000));
    for (const { notAfterMs } of edges) expect(notAfterMs).toBeDefined();
    return bytes;
  }

  it("out of a day, with one receipt and without the manifests, stays within its bar at each hour", () => {
    const sizes = hours.map((number) => {
      const of = hour(number);
      const bytes = proofFrom(onlyWith(source, coveringOf(source, of), 1), of, 1);
      return { alone: bytes.length - partOf(bytes).manifests.length, whole: bytes.length };
    });
    const ends = hours.map((number) => {
      const bytes = proofFrom(onlyWith(source, log.checkpoints.at(-1), 1), hour(number), 1);
      return bytes.length - partOf(bytes).manifests.length;
    });
    const alone = sizes.map((size) => size.alone);
    print(`one receipt out of ${log.leaves.length} leaves, without manifests`, alone);
    print(
      "  with manifests",
      sizes.map(({ whole }) => whole),
    );
    print("  without manifests, under the day's last checkpoint", ends);
    expect(log.leaves.length).toBeGreaterThan(17_280 + 1440 + 96);
    expect(Math.max(...alone)).toBeLessThanOrEqual(ONE_RECEIPT);
  });

  it("out of a day, with two receipts and the manifests, stays within its bar under any checkpoint", () => {
    const sizes = hours.flatMap((number) => {
      const of = hour(number);
      return [coveringOf(source, of), log.checkpoints.at(-1)].map(
        (kept) => proofFrom(onlyWith(source, kept, 2), of, 2).length,
      );
    });
    print("two receipts and manifests", sizes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(TWO_RECEIPTS);
  });

  it("out of a day, with both ends between receipts of one node and of two, is what its parts take", () => {
    const one = hours.slice(1).map((number) => proofFrom(withNodes(source, 1), hour(number), 1).length);
    const two = hours.slice(1).map((number) => proofFrom(source, hour(number), 2));
    print("both ends, one node", one);
    print(
      "both ends, two nodes",
      two.map((bytes) => bytes.length),
    );
    expect(Math.max(...one)).toBeLessThanOrEqual(OF_A_YEAR);
    for (const bytes of two) {
      expect(partOf(bytes)).toMatchObject({ receipts: { length: 4 }, anchoredReceipts: { length: 2 } });
      expect(bytes.length).toBeLessThanOrEqual(BOTH_ENDS_OF_A_DAY);
    }
  });

  describe("out of a year", () => {
    const of = hour(11);
    const YEAR = 6_307_200;
    const logs: LongLog[] = [];

    beforeAll(async () => {
      const closes = [43, 49].map((at) => leafOf(log, "intervalClose", at - 1).seq);
      const [from = 0, to = 0] = closes;
      // The last hour of it, where the tree is ragged: at its worst below 2^22 + 2^21, and at some other sizes.
      for (const size of [6_291_455, 6_291_456 + 700, 6_300_001, YEAR, 6_200_963, 5_999_999])
        logs.push(await longLog(log, { from, to, offset: size - to, size }));
      logs.push(await longLog(log, { from, to, offset: YEAR / 2, size: YEAR }));
    });

    it("with two receipts and the manifests, stays within its bar under any checkpoint", () => {
      const sizes = logs.flatMap(({ source: long, end }) =>
        [coveringOf(long, of), end].map((kept) => proofFrom(onlyWith(long, kept, 2), of, 2).length),
      );
      print("two receipts and manifests, year", sizes);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(OF_A_YEAR);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(TWO_RECEIPTS);
    });

    it("with both ends between receipts of one node and of two, is what its parts take", () => {
      const one = logs.map(({ source: long }) => proofFrom(withNodes(long, 1), of, 1));
      const two = logs.map(({ source: long }) => proofFrom(long, of, 2));
      print(
        "both ends, one node, year",
        one.map((bytes) => bytes.length),
      );
      print(
        "both ends, two nodes, year",
        two.map((bytes) => bytes.length),
      );
      console.log(`  the largest: ${partsOf(two.reduce((a, b) => (b.length > a.length ? b : a)))}`);
      for (const bytes of two) {
        expect(partOf(bytes)).toMatchObject({ receipts: { length: 4 }, anchoredReceipts: { length: 2 } });
        expect(bytes.length).toBeLessThanOrEqual(BOTH_ENDS_OF_A_YEAR);
      }
    });
  });
});

function partOf(bytes: Uint8Array): ProofPart {
  const [part] = decodeProof(bytes).parts;
  if (part === undefined) throw new Error("no part");
  return part;
}

function print(what: string, sizes: readonly number[]): void {
  console.log(`${what}: ${Math.min(...sizes)} to ${Math.max(...sizes)} bytes`);
}

function partsOf(bytes: Uint8Array): string {
  const { checkpoint, manifests, leaves, hashes, receipts = [], anchoredReceipts = [] } = partOf(bytes);
  const sum = (list: readonly Uint8Array[]): number => list.reduce((total, { length }) => total + length, 0);
  const parts = { checkpoint: checkpoint.length, manifests: manifests.length, leaves: leaves.length };
  const known = { ...parts, hashes: hashes.length, receipts: sum(receipts), anchored: sum(anchoredReceipts) };
  return JSON.stringify({ total: bytes.length, ...known });
}
