import { describe, expect, it } from "vitest";
import {
  CLOSE_SHAPE,
  DISCONTINUITY,
  type Discontinuity,
  type IntervalClose,
  type Unplaced,
} from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { judge } from "../../attest/verdict.ts";
import { EPOCH_MS, LogBuilder } from "../kit/log-builder.ts";
import { dishonestProof, patientSuite, quarter } from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

/**
 * What a device can sign that its log's rules forbid. A node would never give a receipt for it; a verifier that
 * holds only the file must not be led astray, or kept busy, either.
 */
const blank = new LogBuilder({ suite: nativeSuite });
const time = blank.time();
const manifest = blank.manifestLeaf();
const manifestHash = blank.append(manifest).hash;

function close(changes: Partial<IntervalClose> = {}): Unplaced<IntervalClose> {
  return {
    ...{ kind: "intervalClose", channel: 1, ...time, t0Ms: quarter(0), t1Ms: quarter(1), count: 1 },
    ...{ openingSeq: 0, closingSeq: 0, openingImportMwh: 1000, closingImportMwh: 9000 },
    ...{ manifestSeq: 1, manifestHash, ...changes },
  };
}

function gap(changes: Partial<Discontinuity> = {}): Unplaced<Discontinuity> {
  return {
    ...{ kind: "discontinuity", channel: 1, ...time, classification: DISCONTINUITY.gap },
    ...{ gapFromMs: EPOCH_MS, gapToMs: EPOCH_MS, ...changes },
  };
}

/** Two closes that meet in the middle of the quarter, the first at seq 2, the second at `at`. */
function halves(second: Partial<IntervalClose>): readonly [Unplaced<IntervalClose>, Unplaced<IntervalClose>] {
  const middle = { t1Ms: EPOCH_MS + 450_000, closingImportMwh: 5000 };
  return [
    close({ ...middle, shape: CLOSE_SHAPE.endsChain }),
    close({
      ...{ t0Ms: middle.t1Ms, openingImportMwh: 5000, shape: CLOSE_SHAPE.opensChain, previousCloseSeq: 2 },
      ...second,
    }),
  ];
}

async function codeOf(...leaves: Unplaced[]): Promise<string | undefined> {
  const bytes = await dishonestProof([manifest, ...leaves]);
  return refusalOf(() => {
    judge(patientSuite, verifyProof(patientSuite, bytes), { deviceKeys: [], nodeKeys: [], witnesses: 1 });
  });
}

describe("a log that no rules have checked", () => {
  it("is taken as far as its closes make sense", async () => {
    expect(await codeOf(close())).toBeUndefined();
    expect(await codeOf(...halves({}))).toBeUndefined();
    const [first, second] = halves({ previousCloseSeq: 2, lastDiscontinuitySeq: 3, openingImportMwh: 7000 });
    expect(await codeOf(first, gap(), second)).toBeUndefined();
  });

  it("is refused when energy or time is made between two segments", async () => {
    expect(await codeOf(...halves({ openingImportMwh: 4000 }))).toBe("proof-chain");
    expect(await codeOf(...halves({ openingExportMwh: 5 }))).toBe("proof-chain");
    expect(await codeOf(...halves({ t0Ms: EPOCH_MS + 450_001 }))).toBe("proof-chain");
    expect(await codeOf(...halves({ previousCloseSeq: 1 }))).toBe("proof-chain");
  });

  it("is refused when a register falls within a segment", async () => {
    expect(await codeOf(close({ closingImportMwh: 999 }))).toBe("proof-energy");
  });

  it("claims a quantity that only some segments have for none of them", async () => {
    const [first, second] = halves({ lastDiscontinuitySeq: 3 });
    const withExport = { openingExportMwh: 1, closingExportMwh: 2 };
    for (const leaves of [
      [{ ...first, ...withExport }, gap(), second],
      [first, gap(), { ...second, ...withExport }],
    ]) {
      const proven = verifyProof(patientSuite, await dishonestProof([manifest, ...leaves]));
      const verdict = judge(patientSuite, proven, { deviceKeys: [], nodeKeys: [], witnesses: 1 });
      expect(verdict.export).toBeUndefined();
      expect(verdict.import?.wh).toBe(8);
    }
  });

  it("is refused when its discontinuities lead in a circle, forwards, or nowhere", async () => {
    const between = async (seq: number, ...leaves: Unplaced[]): Promise<string | undefined> => {
      const [first, second] = halves({ lastDiscontinuitySeq: seq });
      return codeOf(first, ...leaves, second);
    };
    expect(await between(3, gap({ previousDiscontinuitySeq: 3 }))).toBe("proof-chain");
    expect(await between(3, gap({ previousDiscontinuitySeq: 4 }), gap({ previousDiscontinuitySeq: 3 }))).toBe(
      "proof-chain",
    );
    expect(await between(4, gap(), gap({ previousDiscontinuitySeq: 2 }))).toBe("proof-chain");
    expect(await between(9, gap())).toBe("proof-chain");
    expect(await between(3, gap(), gap())).toBe("proof-leaf");
  });

  it("is refused when a leaf is another channel's, or none that a claim needs", async () => {
    expect(await codeOf(close({ channel: 2 }))).toBe("proof-channel");
    const [first, second] = halves({ lastDiscontinuitySeq: 3 });
    expect(await codeOf(first, gap({ channel: 2 }), second)).toBe("proof-channel");
    expect(await codeOf(close(), { kind: "reading", channel: 1, ...time, importMwh: 5 })).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "tamper", ...time, input: "lid", state: 1 })).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "opaque", number: 40, ...time, body: new Map() })).toBe(
      "proof-leaf",
    );
    expect(await codeOf(close(), manifest)).toBe("proof-leaf");
  });

  it("is refused when the manifest in force is not there or another one", async () => {
    expect(await codeOf(close({ manifestSeq: 3 }))).toBe("proof-manifest");
    expect(await codeOf(close({ manifestHash: new Uint8Array(32) }))).toBe("proof-manifest");
    expect(await codeOf(close({ manifestSeq: 0 }))).toBe("proof-manifest");
    const other = dishonestProof([blank.manifestLeaf({ channel: 2 }), close()]);
    expect(refusalOf(() => other)).toBeUndefined();
    const bytes = await other;
    expect(refusalOf(() => verifyProof(patientSuite, bytes))).toBe("proof-manifest");
  });

  it("is refused when its closes do not cover the claim", async () => {
    expect(await codeOf()).toBe("proof-shape");
    expect(await codeOf(close({ t0Ms: EPOCH_MS + 1 }))).toBe("proof-cover");
    expect(await codeOf(close({ t1Ms: quarter(2) }))).toBe("proof-cover");
  });
});
