import { beforeAll, describe, expect, it } from "vitest";
import { DISCONTINUITY, type EpochOpen, type IntervalClose } from "../../attest/leaf.ts";
import { decodeProof, encodeProof, type ProofPart } from "../../attest/proof.ts";
import { buildProof, buildProofAcross } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { LogBuilder, type LogBuilderOptions } from "../kit/log-builder.ts";
import {
  energyVerdict,
  keysOf,
  lawless,
  lawlessLog,
  naming,
  nextEpoch,
  nodeA,
  nodeB,
  openedLog,
  partShowing,
  patientSuite,
  proofOf,
  quarter,
  quickSigner,
  RISE_MWH,
  readQuarters,
  receiptOver,
  receiptsNow,
  say,
  signNow,
  trusting,
  witnessQuarters,
} from "./proof-kit.ts";
import { flippedBits, refusalOf } from "./refusal.ts";

const NOBODY = { deviceKeys: [], nodeKeys: [], witnesses: 1 };
const trusted = keysOf(nodeA, nodeB);

function span(log: LogBuilder, from: number, to: number): Parameters<typeof buildProofAcross>[0][number] {
  return { source: log.proofSource(), channel: 1, fromMs: quarter(from), toMs: quarter(to) };
}

function codeOf(...parts: readonly ProofPart[]): string | undefined {
  return refusalOf(() => energyVerdict(encodeProof({ parts }), NOBODY));
}

describe("a proof over the end of an epoch", () => {
  let first: LogBuilder;
  let second: LogBuilder;
  let third: LogBuilder;
  let parts: readonly [ProofPart, ProofPart, ProofPart];

  beforeAll(async () => {
    first = await witnessQuarters(openedLog(), 2, [nodeA, nodeB]);
    second = await witnessQuarters(nextEpoch(first), 2, [nodeA]);
    third = await witnessQuarters(nextEpoch(second), 2, [nodeA, nodeB]);
    const spans = [span(first, 0, 2), span(second, 3, 5), span(third, 6, 8)];
    const [a, b, c] = decodeProof(buildProofAcross(spans)).parts;
    if (a === undefined || b === undefined || c === undefined) throw new Error("not three parts");
    parts = [a, b, c];
  });

  it("claims what every epoch has closed, and states the gaps between", () => {
    const verdict = energyVerdict(
      encodeProof({ parts }),
      trusting(first, { nodeKeys: trusted, witnesses: 2 }),
    );
    const [opening, closing] = [1_000_000, 1_000_000 + 12 * RISE_MWH];
    const wh = [0, 4, 8].map((at) => {
      const shown = (readings: number): number => Math.floor((1_000_000 + readings * RISE_MWH) / 1000);
      return shown(at + 4) - shown(at);
    });
    expect(verdict).toMatchObject({
      ...{ epochs: [1, 2, 3], segments: 3, fromMs: quarter(0), toMs: quarter(8), clockSteps: [] },
      gaps: [
        { fromMs: quarter(2), toMs: quarter(3), epoch: 2 },
        { fromMs: quarter(5), toMs: quarter(6), epoch: 3 },
      ],
      import: { openingMwh: opening, closingMwh: closing, wh: wh.reduce((sum, part) => sum + part) },
      standing: "single witness",
    });
    expect(verdict.import?.claimIds).toMatchObject([{ fromMs: quarter(0), toMs: quarter(8) }]);
    expect(verdict.witnesses.map(({ epoch }) => epoch)).toEqual([1, 1, 2, 3, 3]);
  });

  it("begins later than an anchor of any epoch before, and was written before a receipt of any after", async () => {
    const one = await witnessQuarters(openedLog(), 2, [nodeB]);
    const two = await witnessQuarters(nextEpoch(one), 1, []);
    await receiptsNow(two, [nodeA]);
    const file = buildProofAcross([span(one, 1, 2), span(two, 3, 4)]);
    const edgesBy = (...nodes: readonly (typeof nodeA)[]): unknown =>
      energyVerdict(file, trusting(one, { nodeKeys: keysOf(...nodes) })).edges;
    const [opening, closing] = [quarter(1), quarter(4)];
    expect(edgesBy(nodeA)).toEqual([
      { edge: "opening", timeMs: opening, notAfterMs: quarter(4) },
      { edge: "closing", timeMs: closing, notAfterMs: quarter(4) },
    ]);
    expect(edgesBy(nodeB)).toEqual([
      { edge: "opening", timeMs: opening, notAfterMs: quarter(1) },
      { edge: "closing", timeMs: closing, notBeforeMs: quarter(1) },
    ]);
  });

  it("is taken for each run of epochs from its first one, and for each epoch alone", () => {
    const [a, b, c] = parts;
    expect(codeOf(a, b)).toBeUndefined();
    const alone = [proofOf(first, 0, 2), proofOf(second, 3, 5), proofOf(third, 6, 8)];
    for (const bytes of alone) expect(refusalOf(() => energyVerdict(bytes, NOBODY))).toBeUndefined();
    // The later part alone holds the leaf that names the earlier one, which nothing in the file then is.
    expect(codeOf(b, c)).toBe("proof-leaf");
    const [withoutOpen = c] = decodeProof(proofOf(third, 6, 8)).parts;
    expect(codeOf(a, b, withoutOpen)).toBe("proof-epoch");
  });

  it("is refused with parts exchanged, left out or doubled", () => {
    const [a, b, c] = parts;
    expect(codeOf(b, a)).toBe("proof-leaf");
    expect(codeOf(a, c)).toBe("proof-epoch");
    expect(codeOf(a, c, b)).toBe("proof-epoch");
    expect(codeOf(a, a)).toBe("proof-epoch");
    expect(codeOf(a, b, b)).toBe("proof-epoch");
  });

  it("is refused with the parts of another device, network, or end of the earlier epoch", async () => {
    const [a, b] = parts;
    const variant = async (options: LogBuilderOptions): Promise<readonly ProofPart[]> => {
      const one = await witnessQuarters(openedLog(options), 2, [nodeA]);
      const two = await witnessQuarters(nextEpoch(one), 2, [nodeA]);
      return decodeProof(buildProofAcross([span(one, 0, 2), span(two, 3, 5)])).parts;
    };
    for (const options of [{ signer: quickSigner(2) }, { network: "other" }, { epoch: 2 }]) {
      const [c = a, d = b] = await variant(options);
      expect(codeOf(c, d)).toBeUndefined();
      expect(codeOf(a, d)).toBe("proof-epoch");
      expect(codeOf(c, b)).toBe("proof-epoch");
    }
    // The earlier log's own checkpoints, but not the one that the later epoch names.
    const [earlier = a] = decodeProof(buildProof(first.proofSource(), span(first, 0, 1))).parts;
    expect(codeOf(earlier, b)).toBe("proof-epoch");
  });

  it("is refused with any single bit flipped", async () => {
    const one = await witnessQuarters(openedLog(), 1, [nodeA]);
    const two = await witnessQuarters(nextEpoch(one), 1, [nodeA]);
    const bytes = buildProofAcross([span(one, 0, 1), span(two, 2, 3)]);
    expect(refusalOf(() => verifyProof(patientSuite, bytes))).toBeUndefined();
    let at = 0;
    for (const flipped of flippedBits(bytes)) {
      if (refusalOf(() => verifyProof(patientSuite, flipped)) === undefined)
        expect(`bit ${at}`).toBe("refused");
      at += 1;
    }
    expect(at).toBe(8 * bytes.length);
    console.log(`proof over the end of an epoch, ${bytes.length} bytes: ${at} flipped bits refused`);
  }, 180_000);

  it("is not built where an epoch does not go on where the one before it was closed", async () => {
    const build = (a: LogBuilder, b: LogBuilder): string | undefined =>
      refusalOf(() => buildProofAcross([span(a, 0, 2), span(b, 3, 5)]));
    expect(build(first, second)).toBeUndefined();
    const early = await witnessQuarters(openedLog(), 1, [nodeA]);
    const later = nextEpoch(early);
    readQuarters(early, 1, 450_000);
    await receiptsNow(early, [nodeA]);
    await witnessQuarters(later, 4, [nodeA]);
    expect(build(early, later)).toBe("proof-epoch");
    const other = await witnessQuarters(openedLog({ epoch: 2 }), 5, [nodeA]);
    expect(build(first, other)).toBe("proof-epoch");
    const forgetful = nextEpoch(first);
    await witnessQuarters(forgetful, 2, [nodeA]);
    const source = { ...first.proofSource(), checkpointAt: () => undefined };
    expect(refusalOf(() => buildProofAcross([{ ...span(first, 0, 2), source }, span(forgetful, 3, 5)]))).toBe(
      "proof-epoch",
    );
  });
});

/** What a device can sign that keeps no rule: a first epoch of one close, and whatever follows it. */
describe("a dishonest device's next epoch", () => {
  const { manifest, time, close } = lawless;

  interface Story {
    readonly open?: Partial<EpochOpen>;
    readonly manifest?: Partial<typeof manifest>;
    readonly close?: Partial<IntervalClose>;
    readonly options?: LogBuilderOptions;
  }

  async function earlier(): Promise<{ readonly log: LogBuilder; readonly part: ProofPart }> {
    const log = lawlessLog([manifest]);
    const seq = say(log, close());
    await signNow(log);
    return { log, part: partShowing(log, { seqs: [seq] }) };
  }

  async function following(old: LogBuilder, story: Story): Promise<{ log: LogBuilder; part: ProofPart }> {
    const end = old.checkpoints.at(-1)?.checkpoint;
    const log = new LogBuilder({
      suite: patientSuite,
      signer: quickSigner(1),
      epoch: old.rules.identity.epoch + 1,
      ...story.options,
    });
    const names = {
      oldLogId: old.rules.logId,
      oldSize: end?.size ?? 0,
      oldRoot: end?.root ?? old.rules.logId,
    };
    say(log, { kind: "epochOpen", ...time, ...names, reason: "restart", ...story.open });
    say(log, { ...manifest, ...story.manifest });
    const next = { t0Ms: quarter(1), t1Ms: quarter(2), openingImportMwh: 9000, closingImportMwh: 17_000 };
    const seq = say(log, close({ ...next, ...naming(log, 2), ...story.close }));
    await signNow(log);
    return { log, part: partShowing(log, { seqs: [1, seq] }) };
  }

  const code = async (story: Story): Promise<string | undefined> => {
    const { log, part } = await earlier();
    return codeOf(part, (await following(log, story)).part);
  };

  it("is taken where time and registers go on", async () => {
    expect(await code({})).toBeUndefined();
    expect(await code({ close: { openingImportMwh: 9001 } })).toBeUndefined();
    expect(await code({ options: { epoch: 7 } })).toBeUndefined();
    expect(await code({ manifest: { channel: 2 }, close: { channel: 2 } })).toBeUndefined();
  });

  it("is refused where it claims the same time or the same energy again", async () => {
    expect(await code({ close: { t0Ms: quarter(1) - 1 } })).toBe("proof-epoch");
    expect(await code({ close: { openingImportMwh: 8999 } })).toBe("proof-epoch");
    expect(await code({ close: { t0Ms: quarter(0), t1Ms: quarter(1) } })).toBe("proof-epoch");
    const other = { manifest: { serial: "4712" } };
    expect(await code({ ...other, close: { openingImportMwh: 0 } })).toBeUndefined();
    expect(await code({ ...other, close: { t0Ms: quarter(0) } })).toBe("proof-epoch");
  });

  it("is refused where a meter comes back in a third epoch with what the first has claimed", async () => {
    const { log: one, part: a } = await earlier();
    const other = { serial: "4712" };
    const { log: two, part: b } = await following(one, { manifest: other, close: { openingImportMwh: 0 } });
    const third = async (openingImportMwh: number): Promise<string | undefined> => {
      const again = { t0Ms: quarter(2), t1Ms: quarter(3), openingImportMwh };
      return codeOf(a, b, (await following(two, { close: again })).part);
    };
    expect(await third(9000)).toBeUndefined();
    expect(await third(8999)).toBe("proof-epoch");
    const shown = encodeProof({
      parts: [a, b, (await following(two, { close: { t0Ms: quarter(2), t1Ms: quarter(3) } })).part],
    });
    expect(energyVerdict(shown, NOBODY).import?.claimIds.map(({ serial }) => serial)).toEqual([
      "4711",
      "4712",
      "4711",
    ]);
  });

  it("is refused under another channel's name or role", async () => {
    expect(await code({ manifest: { name: "roof" } })).toBe("proof-channel");
    expect(await code({ manifest: { role: 2 } })).toBe("proof-channel");
  });

  it("is refused where it does not name the log before it, as far as the proof shows it", async () => {
    const { log, part } = await earlier();
    const size = log.leaves.length;
    const hash = new Uint8Array(32);
    for (const open of [{ oldSize: size + 1 }, { oldSize: size - 1 }, { oldRoot: hash }, { oldLogId: hash }])
      expect(await code({ open })).toBe("proof-epoch");
    const nothing = lawlessLog([{ kind: "epochOpen", ...time, reason: "lost" }, manifest], { epoch: 2 });
    const seq = say(nothing, close({ t0Ms: quarter(1), t1Ms: quarter(2), ...naming(nothing, 2) }));
    await signNow(nothing);
    expect(codeOf(part, partShowing(nothing, { seqs: [1, seq] }))).toBe("proof-epoch");
    // An open leaf stands right behind the log's manifest.
    const names = {
      oldLogId: log.rules.logId,
      oldSize: size,
      oldRoot: log.checkpoints[0]?.checkpoint.root ?? hash,
    };
    const late = lawlessLog([manifest, { kind: "epochOpen", ...time, ...names, reason: "late" }], {
      epoch: 2,
    });
    const next = { t0Ms: quarter(1), t1Ms: quarter(2), openingImportMwh: 9000, closingImportMwh: 9000 };
    const lateClose = say(late, close({ ...next, ...naming(late, 1) }));
    await signNow(late);
    expect(codeOf(part, partShowing(late, { seqs: [2, lateClose] }))).toBe("proof-leaf");
    expect(await code({ options: { signer: quickSigner(2) } })).toBe("proof-epoch");
    expect(await code({ options: { network: "other" } })).toBe("proof-epoch");
    expect(await code({ options: { epoch: 1 } })).toBe("proof-epoch");
  });

  it("is refused where it closes nothing of the channel, or shows what is no part of the claim", async () => {
    const { log, part } = await earlier();
    const { log: next } = await following(log, {});
    const showing = (seqs: readonly number[]): string | undefined =>
      codeOf(part, partShowing(next, { seqs }));
    expect(showing([1, 3])).toBeUndefined();
    expect(showing([1])).toBe("proof-cover");
    const flexible = say(next, {
      ...{ kind: "flexibility", channel: 1, ...time, boundary: 1, availability: 1 },
      ...naming(next, 2),
    });
    const gap = say(next, {
      ...{ kind: "discontinuity", channel: 1, ...time, classification: DISCONTINUITY.gap },
      ...{ gapFromMs: 0, gapToMs: 0 },
    });
    await signNow(next);
    expect(showing([1, 3, flexible])).toBe("proof-leaf");
    expect(showing([1, 3, gap])).toBe("proof-leaf");
  });

  it("bounds the epoch before it only by receipts over the leaf that names it", async () => {
    const { log: one, part: a } = await earlier();
    const { log: two } = await following(one, {});
    const edgesBy = async (size: number): Promise<unknown> => {
      // The close claims leaf 0 as its reading, so that the receipt covers something of it.
      const receipts = [await receiptOver(two, { node: nodeA, size, receivedAtMs: quarter(2) })];
      const parts = [a, partShowing(two, { seqs: [1, 3], receipts })];
      return energyVerdict(encodeProof({ parts }), trusting(one, { nodeKeys: trusted })).edges;
    };
    const opening = { edge: "opening", timeMs: quarter(0) };
    const closing = { edge: "closing", timeMs: quarter(2) };
    expect(await edgesBy(1)).toEqual([opening, closing]);
    expect(await edgesBy(2)).toEqual([{ ...opening, notAfterMs: quarter(2) }, closing]);
    expect(await edgesBy(4)).toEqual([
      { ...opening, notAfterMs: quarter(2) },
      { ...closing, notAfterMs: quarter(2) },
    ]);
  });
});
