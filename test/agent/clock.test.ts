import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentClock } from "../../agent/clock/clock.ts";
import { TIME_QUALITY } from "../../attest/leaf.ts";
import { FakeTime, START_MS } from "./kit.ts";

function start(change: (time: FakeTime) => void = () => undefined): { time: FakeTime; clock: AgentClock } {
  const time = new FakeTime();
  change(time);
  return { time, clock: new AgentClock(time) };
}

describe("the agent's clock", () => {
  it("begins with the system clock and runs on the monotonic one", () => {
    const { time, clock } = start();
    expect(clock.now()).toEqual({ timeMs: START_MS, timeQuality: TIME_QUALITY.ntp });
    time.monotonic += 1234;
    expect(clock.now().timeMs).toBe(START_MS + 1234);
  });

  it("says how well it knows the time", () => {
    const quality = (change: (time: FakeTime) => void): number => start(change).clock.now().timeQuality;
    expect(quality(() => undefined)).toBe(TIME_QUALITY.ntp);
    expect(
      quality((time) => {
        time.ntp = false;
      }),
    ).toBe(TIME_QUALITY.batteryClock);
    expect(
      quality((time) => {
        time.wall = 0;
      }),
    ).toBe(TIME_QUALITY.sinceBoot);
  });

  it.each([-1500, 1500])("is led %i ms away by 20 ms a check and never runs backwards", (offMs) => {
    const { time, clock } = start();
    time.wall += offMs;
    let before = clock.now().timeMs;
    let checks = 0;
    while (Math.abs(time.wall - clock.now().timeMs) > 20 && checks < 1000) {
      time.advance(1000);
      expect(clock.check()).toBeUndefined();
      const now = clock.now().timeMs;
      expect(Math.abs(now - before - 1000)).toBeLessThanOrEqual(20);
      before = now;
      checks += 1;
    }
    expect(checks).toBe(Math.abs(offMs) / 20 - 1);
  });

  it.each([-14, 14])("states a step of %i days with the same instant on both clocks", (days) => {
    const { time, clock } = start();
    time.advance(10_000);
    time.wall += days * 86_400_000;
    const step = clock.check();
    expect(step).toEqual({
      before: { timeMs: START_MS + 10_000, timeQuality: TIME_QUALITY.ntp },
      after: { timeMs: time.wall, timeQuality: TIME_QUALITY.ntp },
    });
    expect(clock.check()).toBeUndefined();
    expect(clock.now()).toEqual(step?.after);
  });

  it("tells 1,999 ms, which it follows, from 2,000 ms, which is a step", () => {
    const { time, clock } = start();
    time.wall += 1999;
    expect(clock.check()).toBeUndefined();
    const other = start();
    other.time.wall += 2000;
    expect(other.clock.check()).toBeDefined();
  });

  it("counts from boot until the clock is set, and states when it is", () => {
    const { time, clock } = start((fresh) => {
      fresh.wall = 60_000;
    });
    expect(clock.now()).toEqual({ timeMs: 5000, timeQuality: TIME_QUALITY.sinceBoot });
    time.advance(7000);
    expect(clock.check()).toBeUndefined();
    expect(clock.now().timeMs).toBe(12_000);
    time.wall = START_MS;
    expect(clock.check()).toEqual({
      before: { timeMs: 12_000, timeQuality: TIME_QUALITY.sinceBoot },
      after: { timeMs: START_MS, timeQuality: TIME_QUALITY.ntp },
    });
    time.wall = 60_000;
    expect(clock.check()?.after).toEqual({ timeMs: 12_000, timeQuality: TIME_QUALITY.sinceBoot });
  });

  it("takes a better or worse source of known time for no step", () => {
    const { time, clock } = start();
    time.ntp = false;
    expect(clock.check()).toBeUndefined();
    expect(clock.now().timeQuality).toBe(TIME_QUALITY.batteryClock);
    time.ntp = true;
    expect(clock.check()).toBeUndefined();
    expect(clock.now().timeQuality).toBe(TIME_QUALITY.ntp);
  });

  it("never gives an earlier time without having stated a step, whatever the system clock does", () => {
    const moves = fc.array(
      fc.record({ passes: fc.integer({ min: 0, max: 5000 }), set: fc.integer({ min: -5000, max: 5000 }) }),
    );
    fc.assert(
      fc.property(moves, (list) => {
        const { time, clock } = start();
        let last = clock.now().timeMs;
        for (const { passes, set } of list) {
          time.advance(passes + 0.25);
          time.wall += set;
          const step = clock.check();
          if (step !== undefined) {
            expect(step.before.timeMs).toBeGreaterThanOrEqual(last);
            last = step.after.timeMs;
          }
          const now = clock.now().timeMs;
          expect(Number.isInteger(now)).toBe(true);
          expect(now).toBeGreaterThanOrEqual(last);
          last = now;
        }
      }),
    );
  });
});
