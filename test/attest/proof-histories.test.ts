import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLOSE_SHAPE, DISCONTINUITY, type IntervalClose, type Unplaced } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { encodeProof } from "../../attest/proof.ts";
import { buildProof } from "../../attest/proof-build.ts";
import type { EnergyVerdict } from "../../attest/verdict.ts";
import { EPOCH_MS, LogBuilder } from "../kit/log-builder.ts";
import {
  energyVerdict,
  keysOf,
  lawless,
  lawlessLog,
  nodeA,
  nodeB,
  partShowing,
  quarter,
  quickSigner,
  signNow,
  trusting,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const MINUTE_MS = 60_000;
const NODES = [nodeA, nodeB];

/** What can happen to a meter, to the gateway beside it, and between it and its nodes. */
type Event =
  | { readonly kind: "read"; readonly afterMs: number; readonly risesMwh: number }
  | { readonly kind: "reset"; readonly registerMwh: number }
  | { readonly kind: "replaced" }
  | { readonly kind: "renamed" }
  | { readonly kind: "opaque" }
  | { readonly kind: "clock"; readonly byMs: number }
  | { readonly kind: "witness"; readonly node: number; readonly anchored: boolean };

const read: fc.Arbitrary<Event> = fc.record({
  kind: fc.constant("read" as const),
  afterMs: fc.oneof({ weight: 8, arbitrary: fc.constant(15_000) }, fc.integer({ min: 0, max: 200_000 })),
  risesMwh: fc.nat(3000),
});
const witness: fc.Arbitrary<Event> = fc.record({
  ...{ kind: fc.constant("witness" as const), node: fc.nat(1), anchored: fc.boolean() },
});
const happening: fc.Arbitrary<Event> = fc.oneof(
  { weight: 14, arbitrary: read },
  { weight: 3, arbitrary: witness },
  fc.record({ kind: fc.constant("reset" as const), registerMwh: fc.nat(5000) }),
  fc.record({ kind: fc.constant("replaced" as const) }),
  fc.record({ kind: fc.constant("renamed" as const) }),
  fc.record({ kind: fc.constant("opaque" as const) }),
);
const clock: fc.Arbitrary<Event> = fc.record({
  ...{ kind: fc.constant("clock" as const), byMs: fc.integer({ min: -10 * MINUTE_MS, max: 10 * MINUTE_MS }) },
});
const histories = (event: fc.Arbitrary<Event>): fc.Arbitrary<Event[]> =>
  fc.array(event, { minLength: 20, maxLength: 45, size: "max" });

/** The log that an honest device writes of it, with intervals of a minute; the last checkpoint covers it all. */
async function logOf(events: readonly Event[]): Promise<LogBuilder> {
  const log = new LogBuilder({
    suite: nativeSuite,
    signer: quickSigner(1),
    startMs: EPOCH_MS,
    intervalMs: MINUTE_MS,
  });
  log.manifest();
  let serial = 4711;
  let registerMwh = 1_000_000;
  for (const event of events) {
    if (event.kind === "read") {
      log.timeMs += event.afterMs;
      registerMwh += event.risesMwh;
      log.read({ importMwh: registerMwh });
    } else if (event.kind === "reset") registerMwh = event.registerMwh;
    else if (event.kind === "replaced") log.manifest({ serial: `${++serial}` });
    else if (event.kind === "renamed")
      log.manifest({ serial: `${serial}`, firmware: `${log.leaves.length}` });
    else if (event.kind === "opaque")
      log.append({ kind: "opaque", number: 32, ...log.time(), body: new Map() });
    else if (event.kind === "clock") log.stepClock(log.timeMs + event.byMs);
    else if (event.kind === "witness") await witnessed(log, event);
  }
  log.timeMs += MINUTE_MS;
  log.closeDue();
  await witnessed(log, { node: 0, anchored: false });
  return log;
}

async function witnessed(
  log: LogBuilder,
  event: { readonly node: number; readonly anchored: boolean },
): Promise<void> {
  const [node = nodeA] = NODES.slice(event.node);
  if (log.checkpoints.at(-1)?.checkpoint.size === log.leaves.length) return;
  await log.checkpoint();
  const receipt = await log.receive(node, log.timeMs);
  if (event.anchored) log.anchor(receipt, node, log.timeMs);
}

function closesOf(log: LogBuilder): IntervalClose[] {
  return log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
}

/** Each span of closes that the log can prove, with its file. */
function* spansOf(
  log: LogBuilder,
): Generator<{ readonly closes: readonly IntervalClose[]; readonly bytes: Uint8Array }> {
  const all = closesOf(log);
  for (const [from, { t0Ms: fromMs }] of all.entries()) {
    for (let to = from; to < all.length; to++) {
      const toMs = all[to]?.t1Ms ?? fromMs;
      const bytes = built(log, fromMs, toMs);
      if (bytes !== undefined) yield { closes: all.slice(from, to + 1), bytes };
    }
  }
}

function built(log: LogBuilder, fromMs: number, toMs: number): Uint8Array | undefined {
  try {
    return buildProof(log.proofSource(), { channel: 1, fromMs, toMs });
  } catch (thrown) {
    // Where the clock was set back, a later run of the same times may not reach from one end to the other.
    if (thrown instanceof Problem && thrown.code === "proof-no-interval") return undefined;
    throw thrown;
  }
}

function whOf(closes: readonly IntervalClose[]): number {
  const wh = ({ openingImportMwh = 0, closingImportMwh = 0 }: IntervalClose): number =>
    Math.floor(closingImportMwh / 1000) - Math.floor(openingImportMwh / 1000);
  return closes.reduce((sum, close) => sum + wh(close), 0);
}

describe("whatever an honest device has lived through", () => {
  it("each span of its closes is proven: all they have counted, between the true times of its ends", async () => {
    let proofs = 0;
    await fc.assert(
      fc.asyncProperty(histories(happening), async (events) => {
        const log = await logOf(events);
        const policy = trusting(log, { nodeKeys: keysOf(...NODES), clockToleranceMs: 0 });
        for (const { closes, bytes } of spansOf(log)) {
          const { edges, import: energy, standing } = energyVerdict(bytes, policy);
          expect(standing).toBe("witnessed");
          expect(energy?.wh).toBe(whOf(closes));
          const seqs = [closes[0]?.openingSeq, closes.at(-1)?.closingSeq];
          for (const [at, { notBeforeMs = 0, notAfterMs = 0 }] of edges.entries()) {
            const writtenMs = log.leaves[seqs[at] ?? 0]?.leaf.timeMs;
            expect(notBeforeMs).toBeLessThanOrEqual(writtenMs ?? -1);
            expect(notAfterMs).toBeGreaterThanOrEqual(writtenMs ?? Infinity);
          }
          proofs += 1;
        }
      }),
      { numRuns: 15 },
    );
    expect(proofs).toBeGreaterThan(100);
  });

  it("so is each span that it still has when its clock was set", async () => {
    let proofs = 0;
    const event = fc.oneof({ weight: 18, arbitrary: happening }, { weight: 1, arbitrary: clock });
    await fc.assert(
      fc.asyncProperty(histories(event), async (events) => {
        const log = await logOf(events);
        for (const { bytes } of spansOf(log)) {
          const verdict = energyVerdict(bytes, trusting(log));
          expect(soundness(verdict)).toEqual([]);
          proofs += 1;
        }
      }),
      { numRuns: 15 },
    );
    expect(proofs).toBeGreaterThan(100);
  });
});

/** What no energy verdict may say, whoever signed the leaves. */
function soundness(verdict: EnergyVerdict): string[] {
  const { fromMs, toMs, gaps, clockSteps, import: energy } = verdict;
  const wrong = [
    fromMs > toMs && "ends before it begins",
    gaps.some((gap) => gap.toMs < gap.fromMs && gap.clockSet !== true) && "a gap that goes back",
    [...gaps, ...clockSteps].some((hole) => Math.max(hole.fromMs, hole.toMs) > toMs) &&
      "a hole behind the end",
    [...gaps, ...clockSteps].some((hole) => Math.min(hole.fromMs, hole.toMs) < fromMs) &&
      "a hole before the begin",
    energy !== undefined && energy.wh < 0 && "less than nothing",
    energy !== undefined &&
      gaps.length === 0 &&
      energy.wh !== Math.floor(energy.closingMwh / 1000) - Math.floor(energy.openingMwh / 1000) &&
      "energy made between segments",
  ];
  return wrong.filter((sentence) => sentence !== false);
}

/** Three closes that fit each other, with a stated gap before the one numbered `gapAt`, if there is one. */
function honestCloses(gapAt = 3): Partial<IntervalClose>[] {
  const seq = (at: number): number => 2 + at + (at >= gapAt ? 1 : 0);
  return [0, 1, 2].map((at) => ({
    ...{ t0Ms: quarter(at), t1Ms: quarter(at + 1), previousCloseSeq: seq(at - 1) },
    ...{ openingImportMwh: 1700 * at, closingImportMwh: 1700 * at + 1700 },
    ...(at >= gapAt ? { lastDiscontinuitySeq: seq(gapAt) - 1 } : {}),
    ...(at === 1 ? { shape: CLOSE_SHAPE.endsChain } : {}),
  }));
}

const steps = fc.nat(9).map((count) => 850 * count);
const lie: fc.Arbitrary<Partial<IntervalClose>> = fc.oneof(
  fc.record({ t0Ms: fc.nat(4).map(quarter) }),
  fc.record({ t1Ms: fc.nat(4).map(quarter) }),
  fc.record({ openingImportMwh: steps }),
  fc.record({ closingImportMwh: steps }),
  fc.record({ openingExportMwh: fc.nat(3), closingExportMwh: fc.nat(3) }),
  fc.record({ shape: fc.constantFrom(1, 2, 4, 6) }),
  fc.record({ previousCloseSeq: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ lastDiscontinuitySeq: fc.integer({ min: 2, max: 5 }) }),
  fc.record({ lastClockStepSeq: fc.nat(2) }),
  fc.record({ lastOpaqueSeq: fc.nat(5), closingSeq: fc.nat(5) }),
);
const gap = fc.record({ at: fc.integer({ min: 1, max: 2 }), previous: fc.option(fc.nat(5)) });
const story = fc.record({
  lies: fc.array(fc.tuple(fc.nat(2), lie), { maxLength: 3 }),
  gap: fc.option(gap, { freq: 1 }),
});

describe("whatever a dishonest device signs", () => {
  it("is refused with a code, or makes a claim that holds together", async () => {
    let [taken, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(story, async ({ lies, gap }) => {
        const closes: Unplaced[] = honestCloses(gap?.at).map((close, at) => {
          const changes: Partial<IntervalClose> = {};
          for (const [of, words] of lies) if (of === at) Object.assign(changes, words);
          return lawless.close({ ...close, ...changes });
        });
        const previous = gap?.previous ?? undefined;
        if (gap !== null)
          closes.splice(gap.at, 0, {
            ...{ kind: "discontinuity", channel: 1, ...lawless.time, classification: DISCONTINUITY.gap },
            ...{ gapFromMs: 0, gapToMs: 0 },
            ...(previous === undefined ? {} : { previousDiscontinuitySeq: previous }),
          });
        const log = lawlessLog([lawless.manifest, ...closes]);
        await signNow(log);
        const part = partShowing(log, { seqs: closes.map((_, at) => 2 + at), manifests: [0, 1] });
        const file = encodeProof({ parts: [part] });
        const code = refusalOf(() => {
          expect(soundness(energyVerdict(file, trusting(log)))).toEqual([]);
        });
        if (code === undefined) taken += 1;
        else refused += 1;
      }),
      { numRuns: 400 },
    );
    // Neither of both is for want of the other.
    expect(taken).toBeGreaterThan(40);
    expect(refused).toBeGreaterThan(40);
  });
});
