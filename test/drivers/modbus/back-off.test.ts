import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackOff, connectPauseMs, unitPauseMs } from "../../../drivers/modbus/back-off.ts";
import { RequestQueue, type Waiting } from "../../../drivers/modbus/queue.ts";

describe("units that fail", () => {
  it("get a twentieth of the line's time at most, however many and however slow they are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 120_000 }),
        (costs, longestMs) => {
          const units = costs.map((costMs) => ({ costMs, failures: 0, nextMs: 0 }));
          let nowMs = 0;
          let spentMs = 0;
          const hours = 12 * 3_600_000;
          while (nowMs < hours) {
            const next = units.reduce((a, b) => (a.nextMs <= b.nextMs ? a : b));
            nowMs = Math.max(nowMs, next.nextMs) + next.costMs;
            next.failures += 1;
            // The first failure of each is forgiven, and so not counted here.
            if (next.failures > 2) spentMs += next.costMs;
            const failure = { costMs: next.costMs, failingUnits: units.length, longestMs };
            next.nextMs = nowMs + unitPauseMs(next.failures, failure);
          }
          expect(spentMs / nowMs).toBeLessThanOrEqual(0.05);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("lose nothing by one failure", () => {
    const failure = { costMs: 1000, failingUnits: 1, longestMs: 60_000 };
    expect([1, 2, 3, 4].map((failures) => unitPauseMs(failures, failure))).toEqual([
      0, 20_000, 40_000, 60_000,
    ]);
  });

  it("are refused at once while they are left alone, with the reason and the time", () => {
    const backOff = new BackOff();
    backOff.fail(new Error("mute"), 100, () => 50);
    expect(() => backOff.check(120)).toThrow(/1 failures in a row, last: mute; next attempt in 30 ms/);
    expect(() => backOff.check(150)).not.toThrow();
    backOff.fail(new Error("mute"), 200, () => 50);
    backOff.succeed();
    expect(() => backOff.check(201)).not.toThrow();
  });

  it("and lines that do not open are tried again after 250 ms, doubling to the longest pause", () => {
    expect([1, 2, 3, 4, 5, 20].map((failures) => connectPauseMs(failures, 1500))).toEqual([
      0, 0, 250, 500, 1000, 1500,
    ]);
  });
});

interface Job extends Waiting {
  readonly id: number;
  readonly readyAtMs: number;
}

describe("the queue of a line", () => {
  const jobs = fc.array(
    fc.record({
      unit: fc.integer({ min: 1, max: 3 }),
      priority: fc.constantFrom("control" as const, "poll" as const, "background" as const),
      readyAtMs: fc.constantFrom(0, 100),
    }),
    { maxLength: 20 },
  );

  it("gives turns by priority, keeps each unit's order, and waits for nobody who is not ready", () => {
    fc.assert(
      fc.property(jobs, (list) => {
        const queue = new RequestQueue<Job>();
        list.forEach((job, id) => {
          queue.push({ ...job, id });
        });
        const order: Job[] = [];
        for (const nowMs of [0, 100])
          for (;;) {
            const turn = queue.next(nowMs, (job) => job.readyAtMs);
            if (turn === undefined || !("job" in turn)) {
              if (turn !== undefined) expect(turn.atMs).toBeGreaterThan(nowMs);
              break;
            }
            expect(turn.job.readyAtMs).toBeLessThanOrEqual(nowMs);
            order.push(turn.job);
          }
        expect(order).toHaveLength(list.length);
        for (const [at, job] of order.entries())
          for (const later of order.slice(at + 1)) {
            if (later.unit === job.unit && later.priority === job.priority)
              expect(later.id).toBeGreaterThan(job.id);
          }
      }),
    );
  });

  it("never lets polling go before control that is ready", () => {
    const queue = new RequestQueue<Job>();
    const job = (id: number, priority: Job["priority"], readyAtMs = 0): Job => ({
      ...{ id, priority, readyAtMs, unit: 1 },
    });
    const [poll, idle, control, late] = [
      job(1, "poll"),
      job(2, "background"),
      job(3, "control"),
      job(4, "control", 9),
    ];
    for (const each of [poll, idle, control, late]) queue.push(each);
    const next = (): unknown => queue.next(0, (each) => each.readyAtMs);
    expect([next(), next(), next(), next()]).toEqual([
      { job: control },
      { job: poll },
      { job: idle },
      { atMs: 9 },
    ]);
    expect(queue.remove(late)).toBe(true);
    expect(queue.remove(late)).toBe(false);
    expect(next()).toBeUndefined();
  });
});
