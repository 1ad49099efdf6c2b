import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACKNOWLEDGEMENT } from "../../../attest/leaf-flexibility.ts";
import { LogRules } from "../../../attest/log-rules.ts";
import { nativeSuite } from "../../../attest/native.ts";
import {
  Bench,
  challenge,
  commitment,
  dispatch,
  HOUR,
  node,
  otherNode,
  QUARTER,
  START,
  sendChallenge,
  sendCommitment,
  sendDispatch,
} from "./kit.ts";

const MINUTE = 60_000;
const { accepted, started, rejected, succeeded, aborted, optedOut, superseded } = ACKNOWLEDGEMENT;
const FINAL: readonly number[] = [rejected, succeeded, aborted, optedOut, superseded];
const CODES = ["control-too-soon", "control-offline", "control-limit", "control-outranked", "modbus-timeout"];

type Step = (bench: Bench) => Promise<unknown>;

/** `command` is seldom absent, and what is withdrawn is any order before. */
const dispatched: fc.Arbitrary<Step> = fc
  .record({
    inMs: fc.integer({ min: -5 * MINUTE, max: 20 * MINUTE }),
    lengthMs: fc.integer({ min: 1000, max: 10 * MINUTE }),
    withdraws: fc.option(fc.nat(), { nil: undefined, freq: 2 }),
    only: fc.boolean(),
    other: fc.boolean(),
    command: fc.constantFrom(1, 2, 3),
    committed: fc.boolean(),
  })
  .map(({ inMs, lengthMs, withdraws, only, other, command, committed }) => async (bench) => {
    const fromMs = bench.log.timeMs + inMs;
    const ids = known.get(bench) ?? [];
    const withdrawn = withdraws === undefined ? undefined : ids[withdraws % Math.max(1, ids.length)];
    const commitmentId = committed ? commitmentIds.get(bench)?.at(-1) : undefined;
    const order = dispatch(bench, {
      ...{ fromMs, toMs: fromMs + lengthMs, command, value: 1_000_000 },
      ...(withdrawn === undefined ? {} : { withdraws: withdrawn }),
      ...(commitmentId === undefined ? {} : { commitmentId }),
    });
    if (order.expiresMs <= order.issuedAtMs) return;
    known.set(bench, [...ids, order.objectId]);
    const { command: _c, value: _v, ...without } = order;
    await sendDispatch(bench, only && withdrawn !== undefined ? without : order, other ? otherNode : node);
  });

const known = new WeakMap<Bench, Uint8Array[]>();
const commitmentIds = new WeakMap<Bench, Uint8Array[]>();

const committedTo: fc.Arbitrary<Step> = fc.nat(4).map((ahead) => async (bench) => {
  const fromMs = (Math.floor(bench.log.timeMs / QUARTER) + 5 + ahead) * QUARTER;
  const order = commitment(bench, { fromMs, deltaMwh: [-500_000, -1000] });
  const code = await sendCommitment(bench, order);
  if (code === undefined) commitmentIds.set(bench, [...(commitmentIds.get(bench) ?? []), order.objectId]);
});

const challenged: fc.Arbitrary<Step> = fc
  .record({ stepMs: fc.constantFrom(5000, 10_000, 20_000), inMs: fc.integer({ min: 1, max: 90_000 }) })
  .map(({ stepMs, inMs }) => async (bench) => {
    const startByMs = bench.log.timeMs + inMs;
    await sendChallenge(bench, challenge(bench, { stepMs, startByMs, expiresMs: startByMs + MINUTE }));
  });

const passed: fc.Arbitrary<Step> = fc
  .record({ ticks: fc.integer({ min: 1, max: 60 }), stepMs: fc.constantFrom(1000, 5000, 30_000) })
  .map(
    ({ ticks, stepMs }) =>
      (bench) =>
        bench.pass(ticks * stepMs, stepMs),
  );

const disturbed: fc.Arbitrary<Step> = fc.constantFrom<Step>(
  async (bench) => bench.restart(),
  async (bench) => {
    const hold = bench.control.current;
    if (hold !== undefined) bench.desk.superseded(hold, { authority: "manual" });
  },
  async (bench) => {
    const hold = bench.control.current;
    if (hold !== undefined) bench.desk.ended(hold, "differs");
  },
  async (bench) => {
    bench.log.stepClock(bench.log.timeMs + 7 * MINUTE);
    bench.desk.clockStepped();
  },
  async (bench) => {
    bench.log.stepClock(bench.log.timeMs - 7 * MINUTE);
    bench.desk.clockStepped();
  },
  async (bench) => bench.desk.optOut(bench.of("dispatch").at(-1)?.seq ?? 0),
  async (bench) => bench.desk.optOut(bench.of("commitment").at(-1)?.seq ?? 0),
  async (bench) => {
    await bench.desk.stop();
    bench.restart();
  },
);

const refused: fc.Arbitrary<Step> = fc
  .array(fc.constantFrom(...CODES), { maxLength: 8 })
  .map((codes) => async (bench) => bench.control.refusals.push(...codes));

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: dispatched },
    { weight: 1, arbitrary: committedTo },
    { weight: 1, arbitrary: challenged },
    { weight: 4, arbitrary: passed },
    { weight: 1, arbitrary: disturbed },
    { weight: 1, arbitrary: refused },
  ),
  { minLength: 4, maxLength: 25, size: "max" },
);

/** Every leaf again, by rules that have seen none of them. */
function judgedAnew(bench: Bench): number {
  const rules = new LogRules(nativeSuite, bench.log.rules.identity);
  for (const { leaf, bytes } of bench.log.leaves) rules.apply(leaf, bytes);
  return rules.size;
}

describe("any sequence of orders and disturbances", () => {
  it("leaves a lawful log, one final answer to each order, and a device that is left alone", async () => {
    let begun = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const bench = new Bench();
        for (const step of sequence) {
          await step(bench);
          expect(bench.of("acknowledgement").every(({ orderSeq, seq }) => orderSeq < seq)).toBe(true);
        }
        bench.control.refusals.length = 0;
        // Clocks were set back; nothing lies further ahead than this.
        await bench.until(bench.log.timeMs + 10 * HOUR);
        await bench.pass(10 * HOUR, HOUR);
        expect(bench.desk.status().orders).toEqual([]);
        expect(judgedAnew(bench)).toBe(bench.leaves.length);
        expect(bench.log.timeMs).toBeGreaterThan(START);
        for (const { seq } of [...bench.of("dispatch"), ...bench.of("challenge")]) {
          const states = bench
            .of("acknowledgement")
            .flatMap((leaf) => (leaf.orderSeq === seq ? [leaf.state] : []));
          if (states.includes(started)) begun += 1;
          expect(states.filter((state) => FINAL.includes(state))).toHaveLength(1);
          expect(FINAL).toContain(states.at(-1));
          const before = states.slice(0, -1);
          expect([[], [accepted], [accepted, started]]).toContainEqual(before);
          if (states.at(-1) === rejected) expect(before).toEqual([]);
        }
        const heldBy = bench.control.current?.orderSeq;
        const last = bench.of("acknowledgement").findLast(({ orderSeq }) => orderSeq === heldBy);
        // A stronger word and the control itself end a hold without being asked to.
        if (heldBy !== undefined) expect(["manual", "differs", "restarted"]).toContain(last?.reason);
        expect(bench.lines.filter(({ event }) => event === "flex-answer-refused")).toEqual([]);
      }),
      { numRuns: 40 },
    );
    expect(begun).toBeGreaterThan(10);
  });
});
