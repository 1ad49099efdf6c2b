import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentClock } from "../../agent/clock/clock.ts";
import { KNOWN_TIME, TIME_QUALITY } from "../../attest/leaf.ts";
import { DAY_MS, FakeMachine, runOn } from "./clock-kit.ts";
import { START_MS } from "./kit.ts";

function start(change: (machine: FakeMachine) => void = () => undefined): {
  machine: FakeMachine;
  clock: AgentClock;
} {
  const machine = new FakeMachine();
  change(machine);
  return { machine, clock: new AgentClock(machine) };
}

function unsure(machine: FakeMachine): void {
  machine.ntp = false;
  machine.battery = false;
}

describe("the agent's clock", () => {
  it("begins with the system clock and runs on the monotonic one", () => {
    const { machine, clock } = start();
    expect(clock.now()).toEqual({ timeMs: START_MS, timeQuality: TIME_QUALITY.ntp });
    machine.monotonic += 1234;
    expect(clock.now().timeMs).toBe(START_MS + 1234);
  });

  it.each([
    ["synchronised", () => undefined, TIME_QUALITY.ntp],
    [
      "a battery clock",
      (machine: FakeMachine) => {
        machine.ntp = false;
      },
      TIME_QUALITY.batteryClock,
    ],
    ["neither, whatever the system shows", unsure, TIME_QUALITY.sinceBoot],
    [
      "1970, and a program that calls it synchronised",
      (machine: FakeMachine) => {
        machine.wall = 60_000;
      },
      TIME_QUALITY.sinceBoot,
    ],
    [
      "2080, from a battery clock's garbage",
      (machine: FakeMachine) => {
        machine.wall = Date.UTC(2080, 0, 1);
      },
      TIME_QUALITY.sinceBoot,
    ],
  ])("says how well it knows the time: %s", (_, change, quality) => {
    const { machine, clock } = start(change);
    const { timeMs, timeQuality } = clock.now();
    expect(timeQuality).toBe(quality);
    expect(timeMs).toBe(quality >= KNOWN_TIME ? machine.wall : machine.boot);
  });

  it("counts from boot until the clock is set, and states when it is", () => {
    const { machine, clock } = start((fresh) => {
      fresh.wall = 60_000;
      fresh.ntp = false;
    });
    machine.advance(7000);
    expect(clock.check()).toBeUndefined();
    expect(clock.now()).toEqual({ timeMs: 12_000, timeQuality: TIME_QUALITY.sinceBoot });
    machine.wall = START_MS;
    machine.ntp = true;
    expect(clock.check()).toEqual({
      before: { timeMs: 12_000, timeQuality: TIME_QUALITY.sinceBoot },
      after: { timeMs: START_MS, timeQuality: TIME_QUALITY.ntp },
    });
  });

  it("does not believe a clock that was set by hand while nothing stands behind it", () => {
    const { machine, clock } = start(unsure);
    machine.wall += 14 * DAY_MS;
    expect(runOn(clock, machine, 5000)).toBe(0);
    expect(clock.now().timeQuality).toBe(TIME_QUALITY.sinceBoot);
  });

  it("takes a better or worse source of known time for no step", () => {
    const { machine, clock } = start();
    for (const [ntp, quality] of [
      [false, TIME_QUALITY.batteryClock],
      [true, TIME_QUALITY.ntp],
    ] as const) {
      machine.ntp = ntp;
      expect(clock.check()).toBeUndefined();
      expect(clock.now().timeQuality).toBe(quality);
    }
  });

  it("goes on by itself when nothing stands behind the system clock any more", () => {
    const { machine, clock } = start();
    unsure(machine);
    machine.wall -= DAY_MS;
    expect(runOn(clock, machine, 60_000)).toBe(0);
    expect(clock.now()).toEqual({ timeMs: START_MS + 60_000, timeQuality: TIME_QUALITY.batteryClock });
    machine.wall = START_MS + 60_000;
    machine.ntp = true;
    expect(runOn(clock, machine, 1000)).toBe(0);
    expect(clock.now()).toEqual({ timeMs: START_MS + 61_000, timeQuality: TIME_QUALITY.ntp });
  });
});

describe("steps of the system clock", () => {
  it.each([-14, 14, 365, -0.001])("states one of %d days with the same instant on both clocks", (days) => {
    const { machine, clock } = start();
    machine.advance(10_000);
    machine.wall += days * DAY_MS;
    const step = clock.check();
    expect(step).toEqual({
      before: { timeMs: START_MS + 10_000, timeQuality: TIME_QUALITY.ntp },
      after: { timeMs: machine.wall, timeQuality: TIME_QUALITY.ntp },
    });
    expect(clock.check()).toBeUndefined();
    expect(clock.now()).toEqual(step?.after);
  });

  it("tells 1,999 ms, which it follows, from 2,000 ms, which is a step", () => {
    for (const [ms, steps] of [
      [1999, 0],
      [2000, 1],
    ] as const) {
      const { machine, clock } = start();
      machine.wall += ms;
      expect(runOn(clock, machine, 60_000)).toBe(steps);
      expect(clock.now().timeMs).toBe(machine.wall);
    }
  });

  it("goes on with its own time until the step is written", () => {
    const { machine, clock } = start();
    machine.wall += DAY_MS;
    expect(clock.check(() => false)).toBeUndefined();
    machine.advance(1000);
    expect(clock.now().timeMs).toBe(START_MS + 1000);
    expect(clock.check()?.before.timeMs).toBe(START_MS + 1000);
    expect(clock.now().timeMs).toBe(machine.wall);
  });

  it("leaves a battery clock that falls behind what time servers gave, and follows one that is ahead", () => {
    const { machine, clock } = start();
    machine.ntp = false;
    machine.wall -= DAY_MS;
    expect(runOn(clock, machine, 3000)).toBe(0);
    expect(clock.now().timeMs).toBe(START_MS + 3000);
    machine.wall += 2 * DAY_MS;
    expect(runOn(clock, machine, 1000)).toBe(1);
    expect(clock.now()).toEqual({ timeMs: machine.wall, timeQuality: TIME_QUALITY.batteryClock });
  });

  it.each([-1, 1])(
    "follows a clock that is led by a tenth without a step and without running backwards",
    (sign) => {
      const { machine, clock } = start();
      let before = clock.now().timeMs;
      for (let s = 0; s < 300; s += 1) {
        machine.advance(1000);
        machine.wall += sign * 100;
        expect(clock.check()).toBeUndefined();
        const { timeMs } = clock.now();
        expect(timeMs).toBeGreaterThan(before);
        expect(Math.abs(timeMs - machine.wall)).toBeLessThanOrEqual(1);
        before = timeMs;
      }
    },
  );

  it("takes a leap second for no step", () => {
    const { machine, clock } = start();
    machine.wall -= 1000;
    expect(runOn(clock, machine, 10_000)).toBe(0);
    expect(clock.now().timeMs).toBe(machine.wall);
  });

  it("runs on when the system clock stands still, and follows when it runs again", () => {
    const { machine, clock } = start();
    const frozen = machine.wall;
    for (let s = 0; s < 3600; s += 1) {
      machine.advance(1000);
      machine.wall = frozen;
      expect(clock.check()).toBeUndefined();
    }
    const { timeMs, timeQuality } = clock.now();
    expect(START_MS + 3_600_000 - timeMs).toBeLessThanOrEqual(2000);
    expect(timeQuality).toBe(TIME_QUALITY.batteryClock);
    machine.wall = START_MS + 3_600_000;
    expect(runOn(clock, machine, 20_000)).toBe(0);
    expect(clock.now()).toEqual({ timeMs: machine.wall, timeQuality: TIME_QUALITY.ntp });
  });

  it("is not led about by two programs that set the clock to and fro", () => {
    const { machine, clock } = start();
    let steps = 0;
    for (let s = 0; s < 3600; s += 5) {
      machine.wall += s % 2 === 0 ? DAY_MS : -DAY_MS;
      steps += runOn(clock, machine, 5000);
    }
    expect(steps).toBeGreaterThanOrEqual(4);
    expect(steps).toBeLessThanOrEqual(8);
  });

  it.each([1500, 8 * 3_600_000])("knows how long the machine slept: %i ms", (ms) => {
    const { machine, clock } = start();
    machine.sleep(ms);
    expect(clock.check()).toBeUndefined();
    expect(clock.now().timeMs).toBe(START_MS + ms);
    machine.sleep(ms);
    unsure(machine);
    expect(runOn(clock, machine, 1000)).toBe(0);
    expect(clock.now().timeMs).toBe(START_MS + 2 * ms + 1000);
  });

  it("states a step when only the system clock went on, as in a machine whose host was halted", () => {
    const { machine, clock } = start();
    machine.wall += 3_600_000;
    expect(clock.check()?.after.timeMs).toBe(START_MS + 3_600_000);
  });

  it("never gives an earlier time without having stated a step, whatever happens", () => {
    const moves = fc.array(
      fc.record({
        ...{ passes: fc.integer({ min: 0, max: 5000 }), set: fc.integer({ min: -5000, max: 5000 }) },
        ...{ sleeps: fc.constantFrom(0, 0, 700, 9000), ntp: fc.boolean(), battery: fc.boolean() },
      }),
    );
    fc.assert(
      fc.property(moves, (list) => {
        const { machine, clock } = start();
        let last = clock.now().timeMs;
        for (const { passes, set, sleeps, ntp, battery } of list) {
          machine.advance(passes + 0.25);
          machine.sleep(sleeps);
          machine.wall += set;
          Object.assign(machine, { ntp, battery });
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

describe("what the log knows of the time", () => {
  const proven = START_MS + DAY_MS;

  it.each([
    ["a battery clock behind it is wrong", false, proven, TIME_QUALITY.sinceBoot],
    ["a synchronised one is right", true, proven, TIME_QUALITY.ntp],
    ["a little behind is drift", false, START_MS + 60_000, TIME_QUALITY.batteryClock],
  ])("%s", (_, ntp, provenMs, quality) => {
    const { clock } = start((machine) => {
      machine.ntp = ntp;
    });
    clock.continueFrom({ timeMs: START_MS - 1, timeQuality: TIME_QUALITY.batteryClock }, provenMs);
    expect(clock.now().timeQuality).toBe(quality);
  });

  it("goes on where the last run was ahead by less than a step", () => {
    const { machine, clock } = start();
    clock.continueFrom({ timeMs: START_MS + 1500, timeQuality: TIME_QUALITY.ntp }, 0);
    expect(clock.now().timeMs).toBe(START_MS + 1500);
    expect(runOn(clock, machine, 60_000)).toBe(0);
    expect(clock.now().timeMs).toBe(machine.wall);
  });
});
