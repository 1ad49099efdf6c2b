import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReadingLeaf, Unplaced } from "../../attest/leaf.ts";
import { LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { outcomeOf } from "./refusal.ts";
import { MINUTE, opened } from "./rules-kit.ts";

/** What happens next: a reading with all that must come before it, one as it stands, or another leaf. */
interface Step {
  readonly what: "lawful" | "plain" | "clock" | "manifest" | "flexibility" | "look";
  readonly channel: number;
  readonly afterMs: number;
  readonly risesMwh: number;
  readonly activePowerMw?: number;
  readonly status?: number;
  readonly registers: number;
  readonly timeQuality?: number;
}

const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.WeightedArbitrary<T> => ({
  weight,
  arbitrary,
});
const step: fc.Arbitrary<Step> = fc.record(
  {
    what: fc.oneof(
      often(20, fc.constant("lawful" as const)),
      often(12, fc.constant("plain" as const)),
      often(
        1,
        fc.constantFrom("clock" as const, "manifest" as const, "flexibility" as const, "look" as const),
      ),
    ),
    channel: fc.oneof(often(20, fc.constantFrom(1, 2)), often(1, fc.constant(3))),
    afterMs: fc.oneof(
      often(20, fc.constantFrom(0, 5000, 20_000, MINUTE)),
      often(2, fc.constantFrom(-1, 10 * MINUTE, 45 * MINUTE + 1)),
    ),
    risesMwh: fc.oneof(often(12, fc.nat(1000)), often(1, fc.integer({ min: -500, max: -1 }))),
    activePowerMw: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.maxSafeInteger()),
    status: fc.oneof(fc.constantFrom(1, 2, 2 ** 31), fc.integer({ min: 1, max: 2 ** 53 - 1 })),
    registers: fc.oneof(often(12, fc.constant(-1)), often(1, fc.nat(3))),
    timeQuality: fc.oneof(often(30, fc.constant(3)), often(1, fc.nat(4))),
  },
  { requiredKeys: ["what", "channel", "afterMs", "risesMwh", "registers"] },
);

/** The reading of `step`: registers as the channel's manifest has them, unless the step says others. */
function readingOf(log: LogBuilder, step: Step): Unplaced<ReadingLeaf> {
  const state = log.rules.channels.get(step.channel);
  const mask = step.registers < 0 ? (state?.manifest.registers ?? 1) : step.registers;
  return {
    ...{ kind: "reading", channel: step.channel, ...log.time() },
    ...(step.timeQuality === undefined ? {} : { timeQuality: step.timeQuality }),
    ...((mask & 1) === 0 ? {} : { importMwh: Math.max(0, (state?.last?.importMwh ?? 1000) + step.risesMwh) }),
    ...((mask & 2) === 0
      ? {}
      : { exportMwh: Math.max(0, (state?.last?.exportMwh ?? 1000) - step.risesMwh + 500) }),
    ...(step.activePowerMw === undefined ? {} : { activePowerMw: step.activePowerMw }),
    ...(step.status === undefined ? {} : { status: step.status }),
  };
}

/** The builder asks its rules for channels before every leaf, so that the full rules judge each one. */
function happen(log: LogBuilder, step: Step): void {
  const { channel } = step;
  if (!log.rules.channels.has(channel)) return;
  if (step.what === "clock") log.stepClock(log.timeMs + 1000, step.timeQuality);
  else if (step.what === "manifest") log.manifest({ channel, serial: String(step.risesMwh % 2) });
  else if (step.what === "flexibility") log.flexibility({}, channel);
  else if (step.what === "lawful") {
    const { kind: _k, timeMs: _t, timeQuality: _q, channel: _c, ...values } = readingOf(log, step);
    log.read(values, channel);
  }
}

describe("readings counted in place", () => {
  it("get the verdict and leave the state that the full rules give, whatever comes between them", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
        const log = opened();
        log.manifest({ channel: 2, registers: 3 });
        const rules = new LogRules(nativeSuite, log.rules.identity);
        const catchUp = (): void => {
          for (const { leaf, bytes } of log.leaves.slice(rules.size)) rules.apply(leaf, bytes);
        };
        catchUp();
        for (const next of steps) {
          log.timeMs += next.afterMs;
          if (next.what === "plain") judgeBoth(log, rules, { unplaced: readingOf(log, next), seen });
          else outcomeOf(() => happen(log, next));
          catchUp();
          if (next.what === "look") expect([...rules.channels]).toEqual([...log.rules.channels]);
        }
        expect(rules.toText()).toBe(log.rules.toText());
        expect(rules.clone().toText()).toBe(log.rules.toText());
        expect(restoreRules(nativeSuite, rules.identity, rules.toText()).root()).toEqual(log.rules.root());
      }),
      { numRuns: 200 },
    );
    const codes = ["taken", "time-backwards", "gap-missing", "close-missing", "register-drop"];
    const more = ["registers-mismatch", "channel-unknown", "time-quality"];
    expect([...seen.keys()]).toEqual(expect.arrayContaining([...codes, ...more]));
    console.log(`plain readings: ${[...seen].map(([code, count]) => `${count} ${code}`).join(", ")}`);
  });

  it("do not reach a state that was asked for before them, nor a clone", () => {
    const log = opened().readMany(3, { stepMs: 5000, risesMwh: 100 });
    const rules = new LogRules(nativeSuite, log.rules.identity);
    for (const { leaf, bytes } of log.leaves) rules.apply(leaf, bytes);
    const before = rules.channels.get(1);
    const clone = rules.clone();
    const texts = [JSON.stringify(before), clone.toText()];
    for (const { leaf, bytes } of log.readMany(3, { stepMs: 5000, risesMwh: 100 }).leaves.slice(rules.size))
      rules.apply(leaf, bytes);
    expect([JSON.stringify(before), clone.toText()]).toEqual(texts);
    expect(rules.toText()).toBe(log.rules.toText());
  });
});

/** Offers one leaf to both; what one takes, the other takes. */
function judgeBoth(
  log: LogBuilder,
  rules: LogRules,
  { unplaced, seen }: { readonly unplaced: Unplaced; readonly seen: Map<string, number> },
): void {
  const { leaf, bytes } = log.place(unplaced);
  const verdict = outcomeOf(() => rules.apply(leaf, bytes));
  expect(verdict).toEqual(outcomeOf(() => log.append(unplaced).hash));
  const code =
    typeof verdict === "object" && verdict !== null && "code" in verdict ? String(verdict.code) : "taken";
  seen.set(code, (seen.get(code) ?? 0) + 1);
}
