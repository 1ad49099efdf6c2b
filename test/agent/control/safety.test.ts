import fc from "fast-check";
import { expect, it } from "vitest";
import type { Authority } from "../../../agent/control/types.ts";
import { AUTHORITIES } from "../../../agent/control/types.ts";
import { OUTCOMES, SafetyRun, WORST } from "./safety-run.ts";
import type { SafetyStep } from "./safety-steps.ts";
import type { BatteryFault } from "./simulated-battery.ts";

/**
 * Whatever is ordered and whatever fails: nothing is told to a battery outside of its limits for longer than
 * docs/flexibility.md says, and every lease ends.
 */

const RUNS = Number(process.env["KILOWITNESS_SAFETY_RUNS"] ?? "300");

const FAULTS: readonly BatteryFault[] = [
  ...(["ignores-command", "obeys-late", "bms-limit", "loses-connection-in-the-middle"] as const),
  ...(["clamps-silently", "forgets-timer", "wrong-readback"] as const),
];

const authority: fc.Arbitrary<Authority> = fc.constantFrom(...AUTHORITIES);
const powerMw = fc.integer({ min: -2_400, max: 2_400 }).map((watts) => watts * 1000);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("powerSetpoint" as const), powerMw }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("exportLimit" as const),
      limitMw: fc.integer({ min: 0, max: 3_500_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("stateOfChargeReserve" as const),
      // Some batteries run empty within minutes.
      lossPpm: fc.constantFrom(0, 6_000_000),
      reservePpm: fc.integer({ min: 0, max: 900_000 }),
    }),
  },
);

const steps: fc.Arbitrary<readonly SafetyStep[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        step: fc.constant("hold" as const),
        authority,
        value,
        seconds: fc.integer({ min: 1, max: 300 }),
        ramp: fc.option(fc.integer({ min: 10_000, max: 1_000_000 }), { nil: undefined, freq: 4 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ step: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 40 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constant("pass" as const),
        seconds: fc.integer({ min: 60, max: 150 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("release" as const), authority }) },
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant("fault" as const),
        faults: fc.subarray([...FAULTS], { maxLength: 2 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        step: fc.constantFrom(
          ...(["line-down", "line-hangs", "line-answers", "line-anew", "line-same"] as const),
          ...(["meter-off", "meter-on", "charge-off", "charge-on", "heartbeat-off", "heartbeat-on"] as const),
          ...(["disk-full", "disk-well", "clock-step"] as const),
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constantFrom(...(["restart", "reboot"] as const)),
        seconds: fc.integer({ min: 0, max: 90 }),
      }),
    },
  ),
  { minLength: 4, maxLength: 24 },
);

const home = fc.record({
  reverts: fc.constantFrom(...(["device", "holder"] as const)),
  ramp: fc.boolean(),
  dayMs: fc.integer({ min: 0, max: 86_399_999 }),
  // Some batteries run empty within minutes.
  lossPpm: fc.constantFrom(0, 6_000_000),
  reservePpm: fc.integer({ min: 480_000, max: 545_000 }),
  maxImportMw: fc.integer({ min: 1_000_000, max: 18_000_000 }),
  maxExportMw: fc.integer({ min: 1_000_000, max: 12_000_000 }),
  waits: fc.boolean(),
});

it(
  `keeps every limit in ${RUNS} sequences of orders and faults`,
  async () => {
    await fc.assert(
      fc.asyncProperty(home, steps, async (site, all) => {
        const run = new SafetyRun(site);
        for (const step of all) await run.take(step);
        await run.end(site.waits);
        expect(run.broken).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(OUTCOMES.get("taken") ?? 0).toBeGreaterThan(RUNS / 2);
    const figures = { worstMs: Object.fromEntries(WORST), outcomes: Object.fromEntries(OUTCOMES) };
    if (RUNS > 1000) process.stdout.write(`${JSON.stringify(figures, undefined, 1)}\n`);
  },
  30_000 + RUNS * 200,
);
