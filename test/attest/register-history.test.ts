import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Discontinuity, type IntervalClose, type ReadingLeaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { EPOCH_MS, LogBuilder } from "../kit/log-builder.ts";

const INTERVAL_MS = 60_000;
const LONGEST_PAUSE_MS = 180_000;
const DAY_MS = 86_400_000;

/** What can happen to a meter and to the gateway beside it. */
type Event =
  | { readonly kind: "read"; readonly afterMs: number; readonly risesMwh: number }
  | { readonly kind: "powerOnly"; readonly afterMs: number }
  | { readonly kind: "reset"; readonly afterMs: number; readonly registerMwh: number }
  | { readonly kind: "replaced"; readonly registerMwh: number }
  | { readonly kind: "manifest" }
  | { readonly kind: "downtime" }
  | { readonly kind: "clockSet"; readonly byMs: number }
  | { readonly kind: "clockLost" }
  | { readonly kind: "clockFound"; readonly byMs: number };

const afterMs = fc.oneof(
  { weight: 6, arbitrary: fc.constant(5000) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 70_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 400_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, LONGEST_PAUSE_MS, LONGEST_PAUSE_MS + 1, INTERVAL_MS) },
);
const read = fc.record({ kind: fc.constant("read" as const), afterMs, risesMwh: fc.nat(5000) });
const onKnownClock: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: read },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("powerOnly" as const), afterMs: fc.nat(30_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("reset" as const), afterMs, registerMwh: fc.nat(9000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("replaced" as const), registerMwh: fc.nat(100_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("manifest" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("downtime" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("clockSet" as const),
      byMs: fc.integer({ min: -14 * DAY_MS, max: 14 * DAY_MS }),
    }),
  },
);
const onAnyClock: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: onKnownClock },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clockLost" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clockFound" as const), byMs: fc.nat(DAY_MS) }) },
);
const histories = (event: fc.Arbitrary<Event>): fc.Arbitrary<Event[]> =>
  fc.array(event, { maxLength: 60, size: "max" });

/**
 * The meter and what an outsider would say of it, without any of the rules: how much was counted between two looks
 * at the register with nothing between them that breaks the count.
 */
class Meter {
  registerMwh = 1_000_000;
  countedMwh = 0;
  breaks = 0;
  #lookedAtMs: number | undefined;
  #heardAtMs: number | undefined;
  #broken = false;

  /** `nowMs` is true time, which no setting of a clock changes. */
  look(nowMs: number, risesMwh: number): void {
    const paused = this.#heardAtMs !== undefined && nowMs - this.#heardAtMs > LONGEST_PAUSE_MS;
    this.registerMwh += risesMwh;
    if (paused || this.#broken) this.breaks += 1;
    else if (this.#lookedAtMs !== undefined) this.countedMwh += risesMwh;
    this.#lookedAtMs = nowMs;
    this.#heardAtMs = nowMs;
    this.#broken = false;
  }

  hear(nowMs: number): boolean {
    const paused = this.#heardAtMs !== undefined && nowMs - this.#heardAtMs > LONGEST_PAUSE_MS;
    if (!paused) this.#heardAtMs = nowMs;
    return !paused;
  }

  jump(registerMwh: number, always: boolean): void {
    if (always || registerMwh < this.registerMwh) this.#broken = this.#lookedAtMs !== undefined;
    this.registerMwh = registerMwh;
  }
}

/** Plays a history into a log, with the meter standing by. */
function played(events: readonly Event[]): { readonly log: LogBuilder; readonly meter: Meter } {
  const log = new LogBuilder({ suite: nativeSuite, intervalMs: INTERVAL_MS, startMs: EPOCH_MS + 12_345 });
  log.manifest();
  const meter = new Meter();
  let trueMs = 0;
  let serial = 0;
  const pass = (ms: number): void => {
    trueMs += ms;
    log.timeMs += ms;
  };
  const look = (risesMwh: number): void => {
    meter.look(trueMs, risesMwh);
    log.read({ importMwh: meter.registerMwh });
  };
  for (const event of events) {
    if (event.kind === "read") {
      pass(event.afterMs);
      look(event.risesMwh);
    } else if (event.kind === "powerOnly") {
      pass(event.afterMs);
      if (meter.hear(trueMs)) log.read({ activePowerMw: 5 });
    } else if (event.kind === "reset") {
      pass(event.afterMs);
      // A register that comes back higher than it was cannot be told from consumption by anybody.
      if (event.registerMwh >= meter.registerMwh) continue;
      meter.jump(event.registerMwh, false);
      look(0);
    } else if (event.kind === "replaced") {
      log.manifest({ serial: `${++serial}` });
      meter.jump(event.registerMwh, true);
      look(0);
    } else if (event.kind === "manifest")
      log.manifest({ serial: `${serial || 4711}`, firmware: `${trueMs}` });
    else if (event.kind === "downtime") pass(INTERVAL_MS * 7);
    else if (event.kind === "clockSet" && log.timeQuality >= TIME_QUALITY.batteryClock)
      log.stepClock(log.timeMs + event.byMs);
    else if (event.kind === "clockLost" && log.timeQuality >= TIME_QUALITY.batteryClock)
      log.stepClock(1000, TIME_QUALITY.sinceBoot);
    else if (event.kind === "clockFound" && log.timeQuality < TIME_QUALITY.batteryClock)
      log.stepClock(EPOCH_MS + event.byMs, TIME_QUALITY.ntp);
  }
  return { log, meter };
}

interface Written {
  readonly readings: readonly ReadingLeaf[];
  readonly closes: readonly IntervalClose[];
  readonly breaks: readonly Discontinuity[];
}

function written(log: LogBuilder): Written {
  const leaves = log.leaves.map((placed) => placed.leaf);
  return {
    readings: leaves.flatMap((leaf) =>
      leaf.kind === "reading" && leaf.importMwh !== undefined ? [leaf] : [],
    ),
    closes: leaves.flatMap((leaf) => (leaf.kind === "intervalClose" ? [leaf] : [])),
    breaks: leaves.flatMap((leaf) => (leaf.kind === "discontinuity" ? [leaf] : [])),
  };
}

const energyOf = (close: IntervalClose): number =>
  (close.closingImportMwh ?? 0) - (close.openingImportMwh ?? 0);

/** How many closes claim the energy between two readings that follow each other. */
function claims({ closes }: Written, from: ReadingLeaf, to: ReadingLeaf): number {
  return closes.filter((close) => close.openingSeq <= from.seq && close.closingSeq >= to.seq).length;
}

/** Whether the closes on either side of an unclaimed stretch say that a discontinuity lies between them. */
function isStated({ closes, breaks }: Written, from: ReadingLeaf, to: ReadingLeaf): boolean {
  const before = closes.findLast((close) => close.closingSeq <= from.seq);
  const after = closes.find((close) => close.openingSeq >= to.seq);
  const lowest = before?.seq ?? 0;
  const highest = after?.seq ?? Number.POSITIVE_INFINITY;
  return breaks.some((leaf) => leaf.seq > lowest && leaf.seq < highest);
}

describe("any history of a register", () => {
  it("on a known clock: what was counted is claimed, each mWh once, and every break is stated", () => {
    let closes = 0;
    fc.assert(
      fc.property(histories(onKnownClock), (events) => {
        const { log, meter } = played(events);
        log.breakChain();
        const found = written(log);
        expect(found.closes.reduce((sum, close) => sum + energyOf(close), 0)).toBe(meter.countedMwh);
        expect(found.breaks).toHaveLength(meter.breaks);
        for (const [at, to] of found.readings.entries()) {
          const from = found.readings[at - 1];
          if (from === undefined) continue;
          const broken = found.breaks.some((leaf) => leaf.seq > from.seq && leaf.seq < to.seq);
          expect(claims(found, from, to)).toBe(broken ? 0 : 1);
        }
        closes += found.closes.length;
      }),
      { numRuns: 300 },
    );
    expect(closes).toBeGreaterThan(1000);
  });

  it("on any clock: each mWh is in one close, in a stated gap, or not yet closed", () => {
    let [claimed, unclaimed] = [0, 0];
    fc.assert(
      fc.property(histories(onAnyClock), (events) => {
        const { log } = played(events);
        const found = written(log);
        const open = log.state().chain?.opening.seq ?? Number.POSITIVE_INFINITY;
        for (const [at, to] of found.readings.entries()) {
          const from = found.readings[at - 1];
          if (from === undefined) continue;
          const times = claims(found, from, to);
          expect(times).toBeLessThanOrEqual(1);
          if (times === 0 && from.seq < open) expect(isStated(found, from, to)).toBe(true);
          if (times === 1) claimed += 1;
          else unclaimed += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(claimed).toBeGreaterThan(1000);
    expect(unclaimed).toBeGreaterThan(100);
  });

  it("each close begins where the last one ended, in register and place, unless a discontinuity lies between", () => {
    let [joined, apart] = [0, 0];
    fc.assert(
      fc.property(histories(onAnyClock), (events) => {
        const { closes } = written(played(events).log);
        for (const [at, next] of closes.entries()) {
          const previous = closes[at - 1];
          expect(next.previousCloseSeq).toBe(previous?.seq);
          expect(next.t1Ms).toBeGreaterThanOrEqual(next.t0Ms);
          if (previous === undefined) continue;
          if (next.lastDiscontinuitySeq !== previous.lastDiscontinuitySeq) {
            apart += 1;
            continue;
          }
          joined += 1;
          expect([next.openingSeq, next.openingImportMwh]).toEqual([
            previous.closingSeq,
            previous.closingImportMwh,
          ]);
          if (next.lastClockStepSeq === previous.lastClockStepSeq) expect(next.t0Ms).toBe(previous.t1Ms);
        }
      }),
      { numRuns: 300 },
    );
    expect(joined).toBeGreaterThan(500);
    expect(apart).toBeGreaterThan(100);
  });
});
