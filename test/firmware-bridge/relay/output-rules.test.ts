import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { OutputRules, type OutputSettings } from "../../../firmware-bridge/relay/output-rules.ts";
import { SG_READY, SG_READY_STATES, sgReadyTimes } from "../../../firmware-bridge/relay/sg-ready.ts";

const OPEN = 0;
const CLOSED = 1;

/** Least 10 s open, 30 s closed, at most 100 s closed. */
const CONTACTOR: OutputSettings = {
  name: "heater",
  states: { onStart: OPEN, onExit: OPEN, onLoss: OPEN },
  times: [{ leastMs: 10_000 }, { leastMs: 30_000, mostMs: 100_000 }],
};

function codeOf(work: () => void): string {
  try {
    work();
    return "done";
  } catch (error) {
    return error instanceof Problem ? error.code : String(error);
  }
}

describe("an output", () => {
  it("is in its position of the start, and stays there for its least time", () => {
    const rules = new OutputRules(CONTACTOR, 0);
    expect(rules.shown(0)).toEqual({ position: OPEN, why: "start", dwellMs: 10_000 });
    expect(codeOf(() => rules.command(CLOSED, 60_000, 9_999))).toBe("relay-dwell");
    expect(codeOf(() => rules.command(CLOSED, 60_000, 10_000))).toBe("done");
    expect(rules.shown(10_000)).toEqual({ position: CLOSED, why: "lease", leaseMs: 60_000, dwellMs: 30_000 });
  });

  it("goes back when its lease is over, and not before", () => {
    const rules = new OutputRules(CONTACTOR, 0);
    rules.command(CLOSED, 60_000, 10_000);
    expect(rules.dueMs()).toBe(70_000);
    rules.settle(69_999);
    expect(rules.position).toBe(CLOSED);
    rules.settle(70_000);
    expect(rules.shown(70_000)).toEqual({ position: OPEN, why: "ended", dwellMs: 10_000 });
    expect(rules.dueMs()).toBeUndefined();
  });

  it("that is released early ends when its least time is over", () => {
    const rules = new OutputRules(CONTACTOR, 0);
    rules.command(CLOSED, 60_000, 10_000);
    rules.release(15_000);
    expect(rules.shown(15_000)).toEqual({ position: CLOSED, why: "ending", dwellMs: 25_000 });
    expect(rules.dueMs()).toBe(40_000);
    rules.settle(40_000);
    expect(rules.shown(40_000)).toMatchObject({ position: OPEN, why: "ended" });
  });

  it("may be commanded again where it is while it is ending", () => {
    const rules = new OutputRules(CONTACTOR, 0);
    rules.command(CLOSED, 60_000, 10_000);
    rules.release(15_000);
    rules.command(CLOSED, 50_000, 20_000);
    expect(rules.shown(20_000)).toMatchObject({ position: CLOSED, why: "lease", leaseMs: 50_000 });
  });

  it("ends at its longest time, however often it is renewed", () => {
    const rules = new OutputRules(CONTACTOR, 0);
    for (let nowMs = 10_000; nowMs < 110_000; nowMs += 10_000) rules.command(CLOSED, 60_000, nowMs);
    expect(rules.dueMs()).toBe(110_000);
    rules.settle(110_000);
    expect(rules.shown(110_000)).toMatchObject({ position: OPEN, why: "ended" });
    expect(codeOf(() => rules.command(CLOSED, 60_000, 110_001))).toBe("relay-dwell");
  });

  it("drops at once when nobody is there, and its lease does not come back", () => {
    const rules = new OutputRules({ ...CONTACTOR, states: { ...CONTACTOR.states, onLoss: CLOSED } }, 0);
    rules.lose(1000);
    expect(rules.shown(1000)).toMatchObject({ position: CLOSED, why: "lost" });
    expect(rules.dueMs()).toBeUndefined();
    rules.regain();
    expect(rules.shown(2000)).toMatchObject({ position: CLOSED, why: "ending" });
    rules.settle(31_000);
    expect(rules.shown(31_000)).toMatchObject({ position: OPEN });
  });

  it.each([
    [2, 1000, "relay-position"],
    [-1, 1000, "relay-position"],
    [0.5, 1000, "relay-position"],
    [CLOSED, 0, "relay-lease"],
    [CLOSED, 1.5, "relay-lease"],
    [CLOSED, 86_400_001, "relay-lease"],
  ])("refuses position %d for %d ms", (position, leaseMs, code) => {
    const rules = new OutputRules(CONTACTOR, 0);
    expect(codeOf(() => rules.command(position, leaseMs, 10_000))).toBe(code);
    expect(rules.shown(10_000)).toEqual({ position: OPEN, why: "start" });
  });

  it("blocks a heat pump for two hours at the most", () => {
    const settings = { name: "heat pump", states: SG_READY_STATES, times: sgReadyTimes(0) };
    const rules = new OutputRules(settings, 0);
    for (let minute = 0; minute < 120; minute += 1)
      rules.command(SG_READY.blocked, 3_600_000, minute * 60_000);
    rules.settle(7_199_999);
    expect(rules.position).toBe(SG_READY.blocked);
    rules.settle(7_200_000);
    expect(rules.position).toBe(SG_READY.normal);
  });
});

describe("the longest time of a heat pump's block", () => {
  const minuteMs = 60_000;

  it("does not begin anew with an instant of normal operation", () => {
    const rules = new OutputRules({ name: "heat pump", states: SG_READY_STATES, times: sgReadyTimes(0) }, 0);
    const block = (minute: number): string =>
      codeOf(() => rules.command(SG_READY.blocked, 60 * minuteMs, minute * minuteMs));
    expect([block(0), block(60)]).toEqual(["done", "done"]);
    rules.release(119 * minuteMs);
    expect([rules.position, block(119)]).toEqual([SG_READY.normal, "done"]);
    expect(rules.dueMs()).toBe(120 * minuteMs);
    rules.settle(120 * minuteMs);
    expect(rules.position).toBe(SG_READY.normal);
    expect([block(120), block(129), block(130)]).toEqual(["relay-dwell", "relay-dwell", "done"]);
    expect(codeOf(() => rules.command(SG_READY.ordered, minuteMs, 131 * minuteMs))).toBe("done");
  });

  const step = fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: minuteMs }), fc.integer({ min: 0, max: 120 * minuteMs })),
    what: fc.constantFrom(SG_READY.blocked, SG_READY.blocked, SG_READY.ordered, "release", "lose"),
  });

  it.each([0, 1, 300, 3600])("is never over two hours without a rest, least time %d s", (leastSeconds) => {
    const times = sgReadyTimes(leastSeconds * 1000);
    const settings = { name: "heat pump", states: SG_READY_STATES, times };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rules = new OutputRules(settings, 0);
        const stays: { readonly beganMs: number; endedMs: number }[] = [];
        let nowMs = 0;
        const look = (): void => {
          const isOpen = stays.length > 0 && stays.at(-1)?.endedMs === Number.POSITIVE_INFINITY;
          const isBlocked = rules.position === SG_READY.blocked;
          const last = stays.at(-1);
          if (isBlocked && !isOpen) stays.push({ beganMs: nowMs, endedMs: Number.POSITIVE_INFINITY });
          if (!isBlocked && isOpen && last !== undefined) last.endedMs = nowMs;
        };
        for (const { afterMs, what } of steps) {
          const untilMs = nowMs + afterMs;
          for (let dueMs = rules.dueMs(); dueMs !== undefined && dueMs <= untilMs; dueMs = rules.dueMs()) {
            nowMs = dueMs;
            rules.settle(nowMs);
            look();
          }
          nowMs = untilMs;
          if (what === "release") rules.release(nowMs);
          else if (what === "lose") rules.lose(nowMs);
          else if (typeof what === "number") codeOf(() => rules.command(what, 24 * 60 * minuteMs, nowMs));
          look();
        }
        // Stays with less than ten minutes between them are one.
        let [beganMs, endedMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (const stay of stays) {
          if (stay.beganMs - endedMs >= 10 * minuteMs) beganMs = stay.beganMs;
          endedMs = Math.min(stay.endedMs, nowMs);
          expect(endedMs - beganMs).toBeLessThanOrEqual(120 * minuteMs);
        }
      }),
    );
  });
});

describe("whatever is commanded", () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 40_000 }),
    what: fc.constantFrom("open", "closed", "release", "lose", "regain", "settle"),
    leaseMs: fc.integer({ min: 1, max: 80_000 }),
  });

  it("no position but one of a loss is left before its least time, and none is kept beyond its lease", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rules = new OutputRules(CONTACTOR, 0);
        let [nowMs, sinceMs, last, untilMs]: [number, number, number, number] = [0, 0, OPEN, -1];
        for (const { afterMs, what, leaseMs } of steps) {
          nowMs += afterMs;
          // Whoever holds it settles when it is due.
          for (let dueMs = rules.dueMs(); dueMs !== undefined && dueMs <= nowMs; dueMs = rules.dueMs()) {
            rules.settle(dueMs);
            if (rules.position !== last) {
              expect(dueMs - sinceMs).toBeGreaterThanOrEqual(last === CLOSED ? 30_000 : 10_000);
              [sinceMs, last] = [dueMs, rules.position];
            }
          }
          const isDone =
            codeOf(() => {
              if (what === "open" || what === "closed")
                rules.command(what === "closed" ? CLOSED : OPEN, leaseMs, nowMs);
              else if (what === "release") rules.release(nowMs);
              else if (what === "lose") rules.lose(nowMs);
              else if (what === "regain") rules.regain();
              else rules.settle(nowMs);
            }) === "done";
          if (isDone && what === "closed") untilMs = nowMs + leaseMs;
          if (rules.position !== last) {
            if (what !== "lose")
              expect(nowMs - sinceMs).toBeGreaterThanOrEqual(last === CLOSED ? 30_000 : 10_000);
            [sinceMs, last] = [nowMs, rules.position];
          }
          if (rules.position === CLOSED) {
            expect(nowMs).toBeLessThanOrEqual(Math.max(untilMs, sinceMs + 30_000));
            expect(nowMs - sinceMs).toBeLessThanOrEqual(100_000);
          }
        }
      }),
    );
  });
});
