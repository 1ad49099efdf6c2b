import { describe, expect, it } from "vitest";
import { TimeKeeper } from "../../agent/clock/time-keeper.ts";
import { Guard } from "../../agent/guard.ts";
import { type ClockStep, TIME_QUALITY } from "../../attest/leaf.ts";
import { FakeMachine } from "./clock-kit.ts";
import { fsck, nodeSigner, type Station, useStations } from "./journal/ledger-kit.ts";
import { recordingLogger } from "./kit.ts";

const nodes = [nodeSigner.publicKey];

describe("a start while leaves of an epoch before are appended again", () => {
  const station = useStations();

  /** A station that is cut off in the middle of a take-over. */
  async function cutWithin(one: Station): Promise<void> {
    one.read(3000).ledger.commit();
    one.ledger.nextEpoch({ epoch: one.epoch + 1, reason: "test" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(one.ledger.status().state).toBe("takes-over");
    one.cut();
  }

  function steps(one: Station): ClockStep[] {
    one.ledger.commit();
    return one.leaves().flatMap((leaf) => (leaf.kind === "clockStep" ? [leaf] : []));
  }

  it("goes well where the clock was lost, and states that right behind them", async () => {
    const time = new FakeMachine();
    const one = station({ nodes, time });
    await one.read(10).witness();
    await cutWithin(one);
    Object.assign(time, { ntp: false, battery: false });
    time.reboot(60_000);
    const two = station({ nodes, time, path: one.path });
    expect(two.ledger.status().state).toBe("takes-over");
    two.ledger.sealer.closeOverdue();
    await two.settle();
    const taken = two.leaves().length;
    const [step] = steps(two);
    expect(step).toMatchObject({ timeQuality: TIME_QUALITY.sinceBoot, beforeQuality: TIME_QUALITY.ntp });
    expect(step?.seq).toBe(two.ledger.sealer.rules.size - 1);
    expect(taken).toBeGreaterThan(2900);
    two.importMwh = one.importMwh;
    two.read(3);
    expect(two.leaves().filter(({ kind }) => kind === "discontinuity")).toEqual([]);
    expect(fsck(two.path)).toEqual([]);
  });

  it("keeps in mind that the machine was started, where neither run knew the time", async () => {
    const time = new FakeMachine();
    Object.assign(time, { ntp: false, battery: false, wall: 60_000 });
    const one = station({ nodes, time });
    await one.read(10).witness();
    await cutWithin(one);
    // The next start has been up for longer than the log's last leaf tells of the one before.
    time.reboot(60_000);
    time.advance(86_400_000);
    const two = station({ nodes, time, path: one.path });
    const { sealer } = two.ledger;
    const { logger } = recordingLogger();
    const keeper = new TimeKeeper({ logger, guard: new Guard(logger), sealer: () => sealer }, time);
    keeper.reopened(sealer, true);
    const now = { timeMs: time.wall, timeQuality: TIME_QUALITY.ntp };
    expect(() => sealer.stepClock({ before: sealer.rules.lastTime, after: now })).toThrow(
      expect.objectContaining({ code: "log-takes-over" }),
    );
    expect(steps(two)).toEqual([]);
    await two.settle();
    expect(steps(two)).toEqual([expect.objectContaining({ timeMs: time.boot, beforeQuality: 1 })]);
    two.ledger.sealer.reconcileClock();
    expect(steps(two)).toHaveLength(1);
    expect(fsck(two.path)).toEqual([]);
  });
});
