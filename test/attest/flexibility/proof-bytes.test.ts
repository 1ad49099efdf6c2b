import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { encodeCbor } from "../../../attest/cbor.ts";
import { buildSettlementProof } from "../../../attest/flexibility/proof-build.ts";
import {
  decodeSettlementProof,
  encodeSettlementProof,
  MAX_SETTLEMENT_BYTES,
} from "../../../attest/flexibility/proof-file.ts";
import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { ACKNOWLEDGEMENT } from "../../../attest/leaf-flexibility.ts";
import { MAX_LARGE_MULTIPROOF_LEAVES } from "../../../attest/multiproof.ts";
import { patientSuite } from "../proof-kit.ts";
import { problemOf } from "../refusal.ts";
import { EVENT_END_MS, flipped, HOUR_MS, lived, refusalOf, type World } from "./proof-kit.ts";

describe("the bytes of the file", () => {
  let bytes: Uint8Array;
  let world: World;
  beforeAll(async () => {
    world = await lived({
      also: ({ log, dispatches: [dispatch] }, hourMs) => {
        if (hourMs === EVENT_END_MS + HOUR_MS && dispatch !== undefined)
          log.append({
            ...{ kind: "acknowledgement", ...log.time(), channel: 1, orderSeq: dispatch.seq },
            ...{ state: ACKNOWLEDGEMENT.succeeded, reason: "again" },
          });
      },
    });
    const { commitmentSeq } = world;
    bytes = buildSettlementProof(world.source(), { commitmentSeq, list: await world.list() });
    expect(verifySettlement(patientSuite, bytes).settled.called).toBe(true);
  });

  it("are refused with any bit flipped", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        expect(refusalOf(flipped(bytes, at, bit))).not.toBe("");
      }),
      { numRuns: 150 },
    );
    const { part } = decodeSettlementProof(bytes);
    const outside = bytes.length - part.leaves.length - part.hashes.length;
    // All that is neither leaf nor hash: heads, checkpoint, manifests, receipts, the list.
    const at = (index: number): number =>
      index < outside / 2 ? index : bytes.length - 1 - (outside - index);
    fc.assert(
      fc.property(fc.nat(outside - 1), fc.nat(7), (index, bit) => {
        expect(refusalOf(flipped(bytes, Math.max(0, at(index)), bit))).not.toBe("");
      }),
      { numRuns: 100 },
    );
  });

  it("are refused cut short or with more behind them", () => {
    for (const length of [0, 1, 26, 100, bytes.length - 1])
      expect(refusalOf(bytes.slice(0, length)), String(length)).toBe("settlement-format");
    expect(refusalOf(concatBytes(bytes, Uint8Array.of(0)))).toBe("settlement-format");
    expect(refusalOf(new Uint8Array(MAX_SETTLEMENT_BYTES + 1))).toBe("settlement-format");
    expect(refusalOf(encodeCbor(new Map([[0, "kilowitness/1 proof"]])))).toBe("settlement-format");
    expect(refusalOf(encodeCbor(new Map([[0, "kilowitness/1 settlement"]])))).toBe("field");
  });

  it("have no room for keys, lists and leaves that nobody needs", () => {
    const { part, ...rest } = decodeSettlementProof(bytes);
    const surplus = new Map<number, string | Uint8Array>([
      [0, "kilowitness/1 settlement"],
      [1, new Uint8Array(0)],
      [9, new Uint8Array(0)],
    ]);
    expect(refusalOf(encodeCbor(surplus))).toBe("unknown-key");
    expect(
      refusalOf(encodeSettlementProof({ ...rest, part: { ...part, hashes: part.hashes.slice(32) } })),
    ).toBe("proof-shape");
    const doubled = concatBytes(part.leaves, part.leaves);
    expect(refusalOf(encodeSettlementProof({ ...rest, part: { ...part, leaves: doubled } }))).toBe(
      "proof-shape",
    );
  });

  it("cost their verifier no more than a bounded number of leaves", () => {
    const { part } = decodeSettlementProof(bytes);
    const leaf = encodeLeaf({
      ...{ kind: "tamper", seq: 3, timeMs: 1, timeQuality: 3, input: "", state: 1, salt: new Uint8Array(16) },
    });
    const many = concatBytes(...Array.from({ length: MAX_LARGE_MULTIPROOF_LEAVES + 1 }, () => leaf));
    const refusal = problemOf(() =>
      verifySettlement(patientSuite, encodeSettlementProof({ part: { ...part, leaves: many } })),
    );
    expect([refusal.code, refusal.detail.expected]).toEqual(["proof-shape", "1 to 65536"]);
  });
});
