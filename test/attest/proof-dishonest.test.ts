import { describe, expect, it } from "vitest";
import {
  CLOSE_SHAPE,
  DISCONTINUITY,
  type Discontinuity,
  type IntervalClose,
  type Unplaced,
} from "../../attest/leaf.ts";
import { encodeProof } from "../../attest/proof.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { EPOCH_MS } from "../kit/log-builder.ts";
import {
  dishonestProof,
  energyVerdict,
  lawless,
  lawlessLog,
  naming,
  partShowing,
  patientSuite,
  quarter,
  say,
  signNow,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

/**
 * What a device can sign that its log's rules forbid. A node would never give a receipt for it; a verifier that
 * holds only the file must not be led astray, or kept busy, either.
 */
const { manifest, time, close } = lawless;
const NOBODY = { deviceKeys: [], nodeKeys: [], witnesses: 1 };

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
  return refusalOf(() => energyVerdict(bytes, NOBODY));
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
      const verdict = energyVerdict(await dishonestProof([manifest, ...leaves]), NOBODY);
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
    expect(await codeOf(close({ channel: 2 }))).toBe("proof-manifest");
    expect(await codeOf(...halves({ channel: 2 }))).toBe("proof-channel");
    const [first, second] = halves({ lastDiscontinuitySeq: 3 });
    expect(await codeOf(first, gap({ channel: 2 }), second)).toBe("proof-channel");
    expect(await codeOf(close(), { kind: "reading", channel: 1, ...time, importMwh: 5 })).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "tamper", ...time, input: "lid", state: 1 })).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "opaque", number: 40, ...time, body: new Map() })).toBe(
      "proof-leaf",
    );
    expect(await codeOf(close(), manifest)).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "epochOpen", ...time, reason: "late" })).toBe("proof-leaf");
    expect(await codeOf(close(), { kind: "clockStep", ...time, beforeMs: 0, beforeQuality: 3 })).toBe(
      "proof-leaf",
    );
  });

  it("is refused when the manifest in force is not there or another one", async () => {
    expect(await codeOf(close({ manifestSeq: 3 }))).toBe("proof-manifest");
    expect(await codeOf(close({ manifestHash: new Uint8Array(32) }))).toBe("proof-manifest");
    expect(await codeOf(close({ manifestSeq: 0 }))).toBe("proof-manifest");
    const other = await dishonestProof([{ ...manifest, channel: 2 }, close()]);
    expect(refusalOf(() => verifyProof(patientSuite, other))).toBe("proof-manifest");
    expect(await codeOf(...halves({ manifestSeq: 3 }), manifest)).toBe("proof-manifest");
  });

  it("is refused when it closes nothing, ends before it begins, or speaks of what comes later", async () => {
    expect(await codeOf()).toBe("proof-shape");
    expect(await codeOf(gap())).toBe("proof-cover");
    expect(await codeOf(close({ t1Ms: quarter(0) }))).toBeUndefined();
    expect(await codeOf(close({ t1Ms: quarter(0) - 1 }))).toBe("proof-chain");
    expect(await codeOf(close({ openingSeq: 1, closingSeq: 1 }))).toBeUndefined();
    expect(await codeOf(close({ openingSeq: 1 }))).toBe("proof-chain");
    expect(await codeOf(close({ closingSeq: 2 }))).toBe("proof-chain");
    expect(await codeOf(...halves({ lastDiscontinuitySeq: 4 }), gap())).toBe("proof-chain");
  });

  it("is refused when the same time is claimed twice behind a discontinuity", async () => {
    const [first, second] = halves({ lastDiscontinuitySeq: 3, t0Ms: EPOCH_MS + 449_999 });
    expect(await codeOf(first, gap(), second)).toBe("proof-chain");
    expect(await codeOf(close(), gap(), close({ previousCloseSeq: 2, lastDiscontinuitySeq: 3 }))).toBe(
      "proof-chain",
    );
    // Where the clock was set, too, the log may lawfully hold the same times twice.
    expect(await codeOf(first, gap(), { ...second, lastClockStepSeq: 2 })).toBeUndefined();
  });

  it("hides no break by leaving out the marks that closes carry at one", async () => {
    const next = { t0Ms: quarter(1) + 1, t1Ms: quarter(2), openingImportMwh: 9000, closingImportMwh: 9000 };
    const after = { ...next, previousCloseSeq: 2 };
    const stepped = await dishonestProof([manifest, close(), close({ ...after, lastClockStepSeq: 1 })]);
    expect(energyVerdict(stepped, NOBODY)).toMatchObject({
      segments: 2,
      clockSteps: [{ fromMs: quarter(1), toMs: quarter(1) + 1 }],
    });
    const broken = close({ ...after, previousCloseSeq: 2, lastDiscontinuitySeq: 3 });
    expect(energyVerdict(await dishonestProof([manifest, close(), gap(), broken]), NOBODY)).toMatchObject({
      segments: 2,
      gaps: [{ fromMs: quarter(1), toMs: quarter(1) + 1 }],
    });
    const log = lawlessLog([manifest, close(), { ...manifest, serial: "4712" }]);
    say(log, close({ ...after, t0Ms: quarter(1), ...naming(log, 3) }));
    await signNow(log);
    const replaced = energyVerdict(encodeProof({ parts: [partShowing(log, { seqs: [2, 4] })] }), NOBODY);
    expect(replaced.import?.claimIds.map(({ serial }) => serial)).toEqual(["4711", "4712"]);
    // Without any break two closes are one chain, in which nothing is claimed twice.
    expect(await codeOf(close(), close(after))).toBeUndefined();
    expect(await codeOf(close(), close({ ...after, t0Ms: quarter(1) - 1 }))).toBe("proof-chain");
    expect(await codeOf(close({ shape: CLOSE_SHAPE.endsChain }), close(after))).toBe("proof-chain");
  });

  it("is refused when a segment lies outside of the claim's two ends", async () => {
    const [first, second] = halves({ lastClockStepSeq: 1 });
    const away = { openingImportMwh: 5000, closingImportMwh: 5000, shape: CLOSE_SHAPE.endsChain };
    const excursion = (t0Ms: number, t1Ms: number): Unplaced<IntervalClose> =>
      close({ ...away, t0Ms, t1Ms, previousCloseSeq: 2, lastClockStepSeq: 0 });
    const back = { ...second, previousCloseSeq: 3 };
    expect(await codeOf(first, excursion(quarter(0), quarter(1)), back)).toBeUndefined();
    expect(await codeOf(first, excursion(quarter(8), quarter(9)), back)).toBe("proof-cover");
    expect(await codeOf(first, excursion(quarter(-9), quarter(-8)), back)).toBe("proof-cover");
  });
});
