import { describe, expect, it } from "vitest";
import { AgentClock } from "../../agent/clock/clock.ts";
import { NodeTimes } from "../../agent/clock/node-times.ts";
import { TIME_QUALITY } from "../../attest/leaf.ts";
import { DAY_MS, FakeMachine, runOn } from "./clock-kit.ts";
import { START_MS } from "./kit.ts";

const TOLERANCE_MS = 120_000;

/** A clock and nodes that receipt at a time that they take for UTC. */
class Rig {
  readonly machine = new FakeMachine();
  readonly nodes = new NodeTimes();
  readonly clock: AgentClock;
  /** What UTC really is. */
  readonly trueMs = START_MS;
  #startMs = 0;

  constructor(change: (machine: FakeMachine) => void = () => undefined) {
    change(this.machine);
    this.clock = new AgentClock(this.machine, this.nodes);
    this.#startMs = this.clock.passedMs;
  }

  get utcMs(): number {
    return this.trueMs + this.clock.passedMs - this.#startMs;
  }

  /** A receipt of node `n`, whose clock is off by that much, over a checkpoint that was signed `wayMs` ago. */
  receipt(n: number, offMs = 0, wayMs = 100): void {
    const arrivedMs = this.clock.passedMs;
    const receivedAtMs = this.utcMs - Math.floor(wayMs / 2) + offMs;
    this.nodes.note(new Uint8Array(32).fill(n), { receivedAtMs, arrivedMs, signedMs: arrivedMs - wayMs });
  }

  quality(): number {
    this.clock.check();
    return this.clock.now().timeQuality;
  }
}

function unsure(machine: FakeMachine): void {
  machine.ntp = false;
  machine.battery = false;
}

function onBattery(offMs: number): (machine: FakeMachine) => void {
  return (machine) => {
    machine.ntp = false;
    machine.wall += offMs;
  };
}

describe("a clock that a node's receipt bears out", () => {
  it("is anchored for an hour", () => {
    const rig = new Rig();
    rig.receipt(1);
    expect(rig.quality()).toBe(TIME_QUALITY.anchored);
    runOn(rig.clock, rig.machine, 3_600_000);
    expect(rig.quality()).toBe(TIME_QUALITY.anchored);
    runOn(rig.clock, rig.machine, 1000);
    expect(rig.quality()).toBe(TIME_QUALITY.ntp);
  });

  it.each([
    ["the receipt was long on its way", 0, 10_001],
    ["it is off by more than 2 s", 3000, 100],
  ])("is not anchored where %s", (_, offMs, wayMs) => {
    const rig = new Rig();
    rig.receipt(1, offMs, wayMs);
    expect(rig.quality()).toBe(TIME_QUALITY.ntp);
  });

  it("is not anchored by a receipt from before this start, nor any longer where one contradicts it", () => {
    const rig = new Rig();
    rig.nodes.note(new Uint8Array(32).fill(1), {
      ...{ receivedAtMs: rig.utcMs, arrivedMs: rig.clock.passedMs },
    });
    expect(rig.quality()).toBe(TIME_QUALITY.ntp);
    rig.receipt(1);
    expect(rig.quality()).toBe(TIME_QUALITY.anchored);
    rig.receipt(1, 60_000);
    expect(rig.quality()).toBe(TIME_QUALITY.ntp);
  });

  it("is anchored at once where the time is the node's, to half of what its receipt took", () => {
    const rig = new Rig(unsure);
    rig.receipt(1, 0, 10_000);
    const { after } = rig.clock.check() ?? {};
    expect(after?.timeQuality).toBe(TIME_QUALITY.anchored);
    expect(Math.abs((after?.timeMs ?? 0) - rig.utcMs)).toBeLessThanOrEqual(5000);
    runOn(rig.clock, rig.machine, 3_601_000);
    expect(rig.quality()).toBe(TIME_QUALITY.batteryClock);
  });

  it("needs more than half of the nodes", () => {
    const rig = new Rig();
    rig.receipt(1);
    rig.receipt(2, 60_000);
    expect(rig.quality()).toBe(TIME_QUALITY.ntp);
    rig.receipt(3);
    expect(rig.quality()).toBe(TIME_QUALITY.anchored);
  });
});

describe("a clock that nodes contradict", () => {
  it.each([
    ["behind", -TOLERANCE_MS - 200],
    ["ahead of", TOLERANCE_MS + 200],
  ])("is wrong when it is %s what they have receipted by more than verifiers tolerate", (_, offMs) => {
    const rig = new Rig(onBattery(offMs));
    rig.receipt(1);
    const step = rig.clock.check();
    expect(step?.before.timeMs).toBe(START_MS + offMs);
    expect(step?.after.timeQuality).toBe(TIME_QUALITY.anchored);
    expect(Math.abs((step?.after.timeMs ?? 0) - rig.utcMs)).toBeLessThanOrEqual(50);
  });

  it.each([-TOLERANCE_MS + 200, TOLERANCE_MS - 200])("is believed within that: %i ms", (offMs) => {
    const rig = new Rig(onBattery(offMs));
    rig.receipt(1);
    expect(rig.quality()).toBe(TIME_QUALITY.batteryClock);
  });

  it("is not known where time servers say one thing and the nodes another", () => {
    const rig = new Rig();
    rig.receipt(1, DAY_MS);
    expect(rig.clock.check()?.after).toEqual({
      timeMs: rig.machine.boot,
      timeQuality: TIME_QUALITY.sinceBoot,
    });
    rig.receipt(1);
    expect(rig.clock.check()?.after).toEqual({ timeMs: START_MS, timeQuality: TIME_QUALITY.anchored });
  });

  it("is not moved by one of two or three", () => {
    for (const honest of [[1], [1, 2]]) {
      const rig = new Rig();
      for (const n of honest) rig.receipt(n);
      rig.receipt(9, -14 * DAY_MS);
      expect(rig.quality()).toBe(honest.length > 1 ? TIME_QUALITY.anchored : TIME_QUALITY.ntp);
      expect(rig.clock.now().timeMs).toBe(START_MS);
    }
  });

  it("at the start, by receipts from before: what is behind them is wrong, however long ago they are", () => {
    for (const [receivedAtMs, quality] of [
      [START_MS + TOLERANCE_MS + 1, TIME_QUALITY.sinceBoot],
      [START_MS - 30 * DAY_MS, TIME_QUALITY.batteryClock],
    ] as const) {
      const rig = new Rig(onBattery(0));
      rig.nodes.note(new Uint8Array(32), { receivedAtMs, arrivedMs: rig.clock.passedMs });
      rig.clock.continueFrom(undefined, 0);
      expect(rig.clock.now().timeQuality).toBe(quality);
    }
  });

  it("is believed again when the node's own clock was put right", () => {
    const rig = new Rig();
    rig.receipt(1, DAY_MS);
    rig.clock.check();
    expect(rig.clock.now().timeQuality).toBe(TIME_QUALITY.sinceBoot);
    rig.machine.advance(60_000);
    rig.receipt(1);
    expect(rig.quality()).toBe(TIME_QUALITY.anchored);
  });
});

describe("a gateway that hears of no time server", () => {
  it("takes the time from a node, goes on by itself, and follows a time server when there is one", () => {
    const rig = new Rig((machine) => {
      unsure(machine);
      machine.wall -= 14 * DAY_MS;
    });
    expect(rig.quality()).toBe(TIME_QUALITY.sinceBoot);
    rig.receipt(1);
    const { timeMs = 0 } = rig.clock.check()?.after ?? {};
    expect(Math.abs(timeMs - START_MS)).toBeLessThanOrEqual(50);
    expect(runOn(rig.clock, rig.machine, 7_200_000)).toBe(0);
    expect(rig.clock.now()).toEqual({ timeMs: timeMs + 7_200_000, timeQuality: TIME_QUALITY.batteryClock });
    rig.machine.wall = rig.utcMs;
    rig.machine.ntp = true;
    expect(runOn(rig.clock, rig.machine, 2000)).toBe(0);
    expect(rig.clock.now()).toEqual({ timeMs: rig.utcMs, timeQuality: TIME_QUALITY.ntp });
  });

  it("does not take it from a receipt that was long on its way, nor from nodes that disagree", () => {
    const late = new Rig(unsure);
    late.receipt(1, 0, 20_000);
    expect(late.quality()).toBe(TIME_QUALITY.sinceBoot);
    const torn = new Rig(unsure);
    torn.receipt(1);
    torn.receipt(2, 3_600_000);
    expect(torn.quality()).toBe(TIME_QUALITY.sinceBoot);
  });

  it("is not led about by a node whose clock runs wild", () => {
    const rig = new Rig(unsure);
    let steps = 0;
    for (let minute = 0; minute < 60; minute += 1) {
      rig.receipt(1, minute % 2 === 0 ? 0 : DAY_MS);
      steps += runOn(rig.clock, rig.machine, 60_000);
    }
    // Four at once, and then each after twice the time of the one before, up to ten minutes.
    expect(steps).toBeLessThanOrEqual(17);
  });
});
