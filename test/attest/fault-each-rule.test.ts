import { describe, expect, it } from "vitest";
import { closeReferences, dueClose } from "../../attest/channel-state.ts";
import { buildFalseLeafFault } from "../../attest/fault-build.ts";
import { suspectSeqs } from "../../attest/fault-choice.ts";
import { LEAF_RULES } from "../../attest/fault-rules.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type IntervalClose, type Unplaced } from "../../attest/leaf.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { ruleOf, signedHistory, withLeaf } from "./fault-forge.ts";
import { openedLog, suite } from "./fault-kit.ts";
import { refusalOf } from "./refusal.ts";

/**
 * A log of everything: leaf 0 its manifest, 1 and 2 those of channels 1 and 2, closes, a discontinuity of channel 2, a
 * clock step, an opaque leaf, and readings of channel 1 until shortly before a boundary.
 */
function wholeLog(): LogBuilder {
  const log = openedLog();
  log.manifest({ samplingMs: 5000 });
  log.manifest({ channel: 2, name: "2" });
  log.read({ importMwh: 50 }, 2);
  log.readMany(24, { stepMs: 5000, risesMwh: 700 });
  log.stepClock(log.timeMs + 1000);
  log.read({ importMwh: 40 }, 2);
  log.append({ kind: "opaque", number: 40, ...log.time(), body: new Map() });
  return log.readMany(5, { stepMs: 5000, risesMwh: 700 });
}

function reading(log: LogBuilder, changes: object): Unplaced {
  return { kind: "reading", channel: 1, ...log.time(), importMwh: 9_000_000, ...changes };
}

function broken(log: LogBuilder, changes: object): Unplaced {
  const { last, lastReadingMs, lastDiscontinuitySeq } = log.state(2);
  return {
    ...{ kind: "discontinuity", channel: 2, ...log.time(), classification: DISCONTINUITY.rollover },
    ...{ oldImportMwh: last?.importMwh ?? 0, gapFromMs: lastReadingMs ?? 0, gapToMs: log.timeMs },
    ...(lastDiscontinuitySeq === undefined ? {} : { previousDiscontinuitySeq: lastDiscontinuitySeq }),
    ...changes,
  };
}

/** The close of channel 1 that is due a second later, with some of it changed or, by undefined, left out. */
function close(log: LogBuilder, changes: Readonly<Record<string, unknown>>): Unplaced {
  log.timeMs += 60_000;
  const state = log.state();
  const body = dueClose(state, log.timeMs, log.rules.intervalMs);
  if (body === undefined) throw new Error("no close is due");
  const honest = { kind: "intervalClose", channel: 1, ...log.time(), ...body, ...closeReferences(state) };
  const values = Object.entries({ ...honest, ...changes }).filter(([, value]) => value !== undefined);
  // What was changed has kept its type.
  return Object.fromEntries(values) as unknown as Unplaced<IntervalClose>;
}

type Break = (log: LogBuilder) => Unplaced;

/** For each rule that a last leaf can break, one that does; the others are broken in fault-rules.test.ts. */
const BREAKS: Readonly<Record<string, readonly Break[]>> = {
  "time-quality": [(log) => reading(log, { timeQuality: 1 })],
  "clock-step": [(log) => ({ kind: "clockStep", ...log.time(), beforeMs: log.timeMs, beforeQuality: 2 })],
  "time-backwards": [(log) => reading(log, { timeMs: log.timeMs - 1 })],
  "gap-missing": [(log) => reading(log, { timeMs: log.timeMs + 180_001 })],
  "register-drop": [(log) => reading(log, { importMwh: 1_000_000 })],
  "registers-mismatch": [(log) => reading(log, { exportMwh: 1 })],
  "announced-registers": [
    (log) => {
      log.discontinuity({ importMwh: 7 }, { channel: 2, classification: DISCONTINUITY.rollover });
      return reading(log, { channel: 2, importMwh: 8 });
    },
  ],
  "discontinuity-registers": [(log) => broken(log, { oldImportMwh: 41 })],
  "discontinuity-gap": [
    (log) => broken(log, { gapFromMs: 5 }),
    (log) => broken(log, { gapToMs: log.timeMs + 1 }),
    (log) => broken(log, { gapToMs: 1 }),
  ],
  "discontinuity-previous": [
    (log) => broken(log, { previousDiscontinuitySeq: 3 }),
    (log) => {
      const earlier = log.state(2).lastDiscontinuitySeq;
      log.discontinuity({}, { channel: 2, classification: DISCONTINUITY.rollover });
      const { oldImportMwh: _, ...rest } = broken(log, { previousDiscontinuitySeq: earlier }) as {
        oldImportMwh?: 0;
      };
      return { ...rest, gapFromMs: log.timeMs } as Unplaced;
    },
  ],
  "flexibility-manifest": [
    (log) => {
      const manifestHash = log.state(2).manifestHash;
      return {
        ...{ kind: "flexibility", channel: 1, ...log.time(), boundary: 1, availability: 1 },
        ...{ manifestSeq: 2, manifestHash },
      };
    },
  ],
  "close-manifest": [
    (log) => close(log, { manifestSeq: 2 }),
    (log) => close(log, { manifestHash: new Uint8Array(32) }),
  ],
  "close-discontinuity": [(log) => close(log, { lastDiscontinuitySeq: 3 })],
  "close-clock-step": [
    (log) => close(log, { lastClockStepSeq: 3 }),
    (log) => close(log, { lastClockStepSeq: undefined }),
  ],
  "close-opaque": [
    (log) => close(log, { lastOpaqueSeq: 3 }),
    (log) => close(log, { lastOpaqueSeq: undefined }),
  ],
  "close-previous": [
    (log) => close(log, { previousCloseSeq: 3 }),
    (log) => close(log, { previousCloseSeq: undefined }),
  ],
  "close-opening": [
    (log) => close(log, { openingSeq: 3 }),
    (log) => close(log, { openingImportMwh: 1_000_000 }),
  ],
  "close-closing": [
    (log) => close(log, { closingImportMwh: 8_000_000 }),
    (log) => close(log, { closingSeq: log.leaves.length - 2, closingImportMwh: 1_019_600, count: 4 }),
  ],
  "close-itself": [
    (log) => close(log, { t1Ms: 5 }),
    (log) => close(log, { closingImportMwh: 7 }),
    (log) => close(log, { shape: 0 }),
    (log) => close(log, { count: 1000 }),
    (log) => close(log, { closingImportMwh: undefined }),
    (log) => close(log, { maxPowerMw: undefined }),
  ],
  "close-chain": [(log) => close(log, { shape: undefined })],
  "close-begin": [(log) => close(log, { t0Ms: (log.state().chain?.t0Ms ?? 0) + 1 })],
  "close-end": [(log) => close(log, { t1Ms: log.state().lastTimeMs - 1 })],
  "close-boundary": [(log) => close(log, { t1Ms: log.state().lastTimeMs + 4 })],
  "close-coarse": [(log) => close(log, { shape: CLOSE_SHAPE.opensChain | CLOSE_SHAPE.coarse })],
  "close-readings": [(log) => close(log, { maxPowerMw: 503_000, minPowerMw: 502_000 })],
  "close-count": [(log) => close(log, { count: 4 })],
};

const cases = Object.entries(BREAKS).flatMap(([code, breaks]) =>
  breaks.map((make, at) => [code, at + 1, make] as const),
);

describe("a leaf that breaks one rule", () => {
  it.each(cases)("%s, way %i: a node refuses it, and a file shows why", async (code, _, make) => {
    const log = wholeLog();
    const unplaced = make(log);
    const leaves = withLeaf(log, unplaced);
    const { leaf, bytes } = log.place(unplaced);
    expect(refusalOf(() => log.rules.clone().apply(leaf, bytes))).toBeDefined();
    const seqs = [
      ...suspectSeqs("channel" in leaf ? log.rules.channels.get(leaf.channel ?? 0) : undefined),
      leaf.seq,
    ];
    const history = await signedHistory(log, leaves, { lastLeafMs: leaf.timeMs });
    const file = buildFalseLeafFault(suite, log.rules.identity, { history, seqs });
    expect([ruleOf(file), verifyFault(suite, file)]).toEqual([code, verifyFault(suite, file)]);
  });

  it("is there for every rule but those about the log, its checkpoint and two meters", () => {
    const others = LEAF_RULES.map(({ code }) => code).filter((code) => !(code in BREAKS));
    expect(others).toEqual([
      ...["manifest-missing", "manifest-identity", "manifest-interval", "manifest-twice"],
      ...["checkpoint-manifest", "checkpoint-time", "close-meter"],
    ]);
  });
});
