import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CoprocessorCheckOptions } from "../../../firmware-bridge/coprocessor/conformance/conformance.ts";
import { wentOn } from "../../../firmware-bridge/coprocessor/conformance/registers.ts";
import {
  FrontEnd,
  type FrontEndOptions,
  failed,
  held,
  meterBench,
  type Shown,
  TestTime,
} from "./metering-kit.ts";

type Unusual = Omit<FrontEndOptions, "time">;
type Run = Partial<CoprocessorCheckOptions>;

const EDGE_MS = 1_000;

/** Loads in W over time: steady, on and off, taking and giving, along a curve. */
const power = fc.oneof(
  fc.integer({ min: -20_000, max: 20_000 }).map((watt) => () => watt * 1_000),
  fc.tuple(fc.integer({ min: 4_000, max: 90_000 }), fc.integer({ min: -5_000, max: 5_000 })).map(
    ([periodMs, watt]) =>
      (ms: number) =>
        ms % periodMs < periodMs / 3 ? watt * 1_000 : 1_500_000,
  ),
  fc
    .integer({ min: 5_000, max: 120_000 })
    .map((periodMs) => (ms: number) => Math.round(3_000_000 * Math.sin((2 * Math.PI * ms) / periodMs))),
);

/** From a fast line to 9600 baud, with a host that stands still now and then. */
const wire = fc
  .record({
    baseMs: fc.constantFrom(1, 5, 20, 240),
    jitter: fc.array(fc.tuple(fc.nat({ max: 15 }), fc.nat({ max: 15 })), { minLength: 1, maxLength: 9 }),
    stall: fc.integer({ min: 3, max: 20 }),
    stallBefore: fc.boolean(),
  })
  .map(({ baseMs, jitter, stall, stallBefore }) => (count: number): readonly [number, number] => {
    const [there = 0, back = 0] = jitter[count % jitter.length] ?? [];
    const stallMs = count % stall === 0 ? 300 : 0;
    return [there + baseMs / 4 + (stallBefore ? stallMs : 0), back + baseMs + (stallBefore ? 0 : stallMs)];
  });

const frontEnd = fc.record({
  latchMs: fc.constantFrom(50, 100, 250, 500, 1_000, 3_000, 8_000),
  upMs: fc.integer({ min: 0, max: 20_000 }),
  powerMw: power,
  wireMs: wire,
  counter: fc.tuple(fc.integer({ min: -9_900, max: 9_900 }), fc.constantFrom(1, 10)).map(
    ([ppm, tickMs]) =>
      (ms: number) =>
        tickMs * Math.floor((ms * (1 + ppm / 1_000_000)) / tickMs),
  ),
}) satisfies fc.Arbitrary<Unusual>;

const tens = (ms: number): number => Math.floor(ms / 10) * 10;

/** Registers as they were a snapshot before. */
function late(): (shown: Shown) => void {
  let [seq, now, before] = [-1, 0, 0];
  return (shown) => {
    if (shown.seq !== seq) [seq, now, before] = [shown.seq, shown.i, now];
    shown.i = before === 0 ? now : before;
  };
}

const UNUSUAL: readonly (readonly [what: string, options: Unusual, run: Run])[] = [
  [
    "ms and age in steps of 10 ms on a fast line",
    {
      wireMs: () => [1, 1],
      exchanged: (shown) => Object.assign(shown, { ms: tens(shown.ms), age: tens(shown.age) }),
    },
    {},
  ],
  [
    "phases that take and give as much",
    { exchanged: (shown) => Object.assign(shown, { p: 0, u: [230_000, 230_000], a: [9_000, 9_000] }) },
    {},
  ],
  [
    "a small load that is hardly more than a capacitor",
    { powerMw: () => 100, exchanged: (shown) => Object.assign(shown, { a: [300] }) },
    {},
  ],
  [
    "power and registers that differ by 6 %",
    { exchanged: (shown) => Object.assign(shown, { p: shown.p * 1.06 }) },
    { watchMs: 120_000 },
  ],
  [
    "registers that are a second late, and a load that comes late",
    { latchMs: 1_000, powerMw: (ms) => (ms < 58_000 ? 0 : 20_000_000), exchanged: late() },
    { watchMs: 60_000 },
  ],
  [
    "a line that is slow after the restart, so that the new start is older than the old one was",
    { latchMs: 50, upMs: 100, wireMs: (count) => (count < 6 ? [2, 3] : [4_000, 10]) },
    { restart: true, snapshots: 1 },
  ],
];

describe("firmware that does everything right", () => {
  it("is never called wrong, however slow the line, the latching and the host are", async () => {
    await fc.assert(
      fc.asyncProperty(frontEnd, fc.boolean(), async (options, restart) => {
        const time = new TestTime();
        const results = await held(meterBench(new FrontEnd({ time, ...options })), { time, restart });
        expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("is never called wrong where it is watched for a minute, and its registers are compared", async () => {
    await fc.assert(
      fc.asyncProperty(frontEnd, async (options) => {
        const time = new TestTime();
        const latchMs = Math.min(EDGE_MS, options.latchMs);
        const results = await held(meterBench(new FrontEnd({ time, ...options, latchMs })), {
          ...{ time, watchMs: 60_000 },
        });
        expect(failed(results)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it.each(UNUSUAL)("is not called wrong for %s", async (_, options, run) => {
    const time = new TestTime();
    const results = await held(meterBench(new FrontEnd({ time, ...options })), { time, ...run });
    expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  });

  it("may let a register wrap where it says, and nowhere else", () => {
    const channel = { name: "grid", role: "grid", quantities: ["import"] } as const;
    const wrapping = { ...channel, rolloverMwh: 1_000_000 };
    expect(wentOn(wrapping, 999_000, 2_000)).toBe(3_000);
    expect(wentOn(wrapping, 500_000, 499_000)).toBe(-1_000);
    expect(wentOn(channel, 999_000, 2_000)).toBe(-997_000);
  });
});
