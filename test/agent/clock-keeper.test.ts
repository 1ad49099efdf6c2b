import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TimeKeeper } from "../../agent/clock/time-keeper.ts";
import { Guard } from "../../agent/guard.ts";
import { Intake } from "../../agent/intake.ts";
import { CLOSE_SHAPE, type Leaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { nativeSigner } from "../../attest/native.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import { ClockBench, DAY_MS, FakeMachine } from "./clock-kit.ts";
import { INTERVAL_MS, recordingLogger, START_MS, temporaryFolder } from "./kit.ts";

type Close = Extract<Leaf, { kind: "intervalClose" }>;

function energyOf({ openingImportMwh = 0, closingImportMwh = 0 }: Close): number {
  return closingImportMwh - openingImportMwh;
}

const node = nativeSigner(new Uint8Array(32).fill(3));

describe("the clock and the log", () => {
  let path = "";
  let machine = new FakeMachine();
  let remove = (): void => undefined;
  const opened: ClockBench[] = [];

  beforeEach(() => {
    const made = temporaryFolder();
    remove = made.remove;
    path = join(made.folder, "journal.sqlite");
    machine = new FakeMachine();
  });
  afterEach(() => {
    for (const bench of opened.splice(0)) bench.log.journal.close();
    remove();
  });

  function open(options: { rebooted?: boolean; nodeKeys?: Uint8Array[] } = {}): ClockBench {
    const bench = new ClockBench(path, machine, options);
    opened.push(bench);
    return bench;
  }

  /** Ends the agent, switches the machine off and on, and starts it with `wall` on the system's clock. */
  function reboot(bench: ClockBench, wall: number, options: { nodeKeys?: Uint8Array[] } = {}): ClockBench {
    opened.splice(opened.indexOf(bench), 1);
    bench.end();
    machine.reboot(wall);
    return open({ rebooted: true, ...options });
  }

  function closes(bench: ClockBench): Close[] {
    return bench.leaves().flatMap((leaf) => (leaf.kind === "intervalClose" ? [leaf] : []));
  }

  it.each([-14, 14])(
    "seals the reading right behind a step of %i days on the new clock, and the one before on the old",
    (days) => {
      const bench = open();
      bench.run(30);
      machine.advance(4000);
      bench.seal(2_000_000);
      const before = machine.wall;
      machine.wall += days * DAY_MS;
      machine.advance(1000);
      bench.seal(2_001_000);
      const [last, partial, step, next] = bench.leaves().slice(-4);
      expect(last).toMatchObject({ kind: "reading", timeMs: before });
      expect(partial).toMatchObject({ kind: "intervalClose", t1Ms: before, timeMs: before + 1000 });
      expect(step).toMatchObject({ kind: "clockStep", timeMs: machine.wall, beforeMs: before + 1000 });
      expect(next).toMatchObject({ kind: "reading", timeMs: machine.wall });
      expect(bench.lines.filter(({ event }) => event === "clock-step")).toEqual([
        expect.objectContaining({ fromMs: before + 1000, toMs: machine.wall, quality: TIME_QUALITY.ntp }),
      ]);
    },
  );

  it("boots in 1970: closes nothing, and one coarse interval when the first time server answers", () => {
    machine.wall = 60_000;
    machine.ntp = false;
    const bench = open();
    bench.run(30);
    expect(closes(bench)).toEqual([]);
    expect(bench.leaves().every(({ timeQuality }) => timeQuality === TIME_QUALITY.sinceBoot)).toBe(true);
    expect(bench.lines.filter(({ code }) => code === "clock-unknown")).toHaveLength(1);
    const waited = machine.boot - 5000;
    machine.wall = START_MS + waited;
    machine.ntp = true;
    bench.run(12);
    expect(bench.steps()).toEqual([
      expect.objectContaining({
        ...{ timeMs: START_MS + waited + 5000, timeQuality: TIME_QUALITY.ntp },
        ...{ beforeMs: 5000 + waited + 5000, beforeQuality: TIME_QUALITY.sinceBoot },
      }),
    ]);
    const [first] = closes(bench);
    // From the first reading, 5 s after the start, to the boundary that the last one before the step turned out to be on.
    expect(first).toMatchObject({ t0Ms: START_MS + 5000, t1Ms: START_MS + 150_000, shape: 3, count: 29 });
  });

  it("boots two weeks back with a saved clock: not known, whatever the system shows", () => {
    const before = open();
    before.run(30);
    machine.ntp = false;
    const bench = reboot(before, machine.wall - 14 * DAY_MS);
    expect(bench.steps()).toEqual([
      expect.objectContaining({ timeMs: 30_000, timeQuality: TIME_QUALITY.sinceBoot, beforeQuality: 3 }),
    ]);
    const size = bench.leaves().length;
    bench.run(60);
    const since = bench.leaves().slice(size);
    expect(since.every(({ kind, timeQuality }) => kind === "reading" && timeQuality === 1)).toBe(true);
  });

  it("boots with a saved clock behind what a node has receipted, although no time server was ever heard", async () => {
    machine.ntp = false;
    const before = open();
    before.run(30);
    const size = await before.sealer.checkpoint();
    const said = { manifestHash: before.sealer.rules.manifestHash, root: before.sealer.rules.root() };
    const receipt = { ...said, size, receivedAtMs: machine.wall, ruleVersion: RULE_VERSION };
    const bytes = await signReceipt(node, receipt);
    before.log.journal.addReceipt(1, { nodeKey: node.publicKey, size, bytes });
    const bench = reboot(before, machine.wall - 121_000, { nodeKeys: [node.publicKey] });
    expect(bench.keeper.clock.now().timeQuality).toBe(TIME_QUALITY.sinceBoot);
    machine.wall += 121_000;
    bench.run(1);
    expect(bench.keeper.clock.now()).toEqual({
      timeMs: machine.wall,
      timeQuality: TIME_QUALITY.batteryClock,
    });
  });

  it("remembers what time servers gave when the last session never knew the time", () => {
    const first = open();
    first.run(30);
    const proven = machine.wall;
    Object.assign(machine, { ntp: false, battery: false });
    const second = reboot(first, 60_000);
    second.run(3);
    machine.battery = true;
    const third = reboot(second, proven - DAY_MS);
    expect(third.keeper.clock.now().timeQuality).toBe(TIME_QUALITY.sinceBoot);
  });

  it("states a start anew, although the time since boot goes on as if there had been none", () => {
    Object.assign(machine, { ntp: false, battery: false });
    const first = open();
    first.run(3);
    const bench = reboot(first, 60_000);
    expect(bench.steps()).toEqual([expect.objectContaining({ beforeMs: 20_000, timeMs: 30_000 })]);
    for (const ended of opened.splice(0)) ended.end();
    const again = open();
    expect(again.steps()).toHaveLength(1);
  });

  /** Known for three minutes, off for four hours, and without a clock for a minute since. */
  function lostAndRead(): ClockBench {
    const first = open();
    first.run(36);
    Object.assign(machine, { ntp: false, battery: false });
    const bench = reboot(first, 60_000);
    bench.run(12);
    return bench;
  }

  const OFF_MS = 4 * 3_600_000;

  it("boots without a clock after hours: one coarse close spans them, from the close before to behind the sync", () => {
    const bench = lostAndRead();
    Object.assign(machine, { ntp: true, wall: START_MS + 180_000 + OFF_MS });
    bench.run(24);
    const all = closes(bench);
    const at = all.findIndex(({ shape = 0 }) => (shape & CLOSE_SHAPE.bridges) !== 0);
    const [before, bridge, after] = all.slice(at - 1);
    expect(bridge).toMatchObject({
      ...{ t0Ms: before?.t1Ms, openingSeq: before?.closingSeq, openingImportMwh: before?.closingImportMwh },
      ...{ t1Ms: START_MS + 180_000 + OFF_MS + 30_000, shape: 19 },
    });
    expect(after).toMatchObject({ t0Ms: bridge?.t1Ms, openingImportMwh: bridge?.closingImportMwh });
    expect(bench.leaves().filter(({ kind }) => kind === "discontinuity")).toEqual([]);
    expect(all.reduce((sum, close) => sum + energyOf(close), 0)).toBe(
      (all.at(-1)?.closingImportMwh ?? 0) - 1_001_000,
    );
  });

  it("bridges two starts without a clock in a row, both stated, and a manifest that follows them", () => {
    const second = reboot(lostAndRead(), 60_000);
    second.run(12);
    Object.assign(machine, { ntp: true, wall: START_MS + 2 * OFF_MS });
    const third = reboot(second, machine.wall + OFF_MS);
    third.declare("2.0");
    third.run(24);
    expect(third.steps().map(({ beforeQuality, timeQuality }) => [beforeQuality, timeQuality])).toEqual([
      [3, 1],
      [1, 1],
      [1, 0],
      [0, 3],
    ]);
    const all = closes(third);
    const bridges = all.filter(({ shape = 0 }) => (shape & CLOSE_SHAPE.bridges) !== 0);
    expect(bridges).toHaveLength(1);
    expect(bridges[0]?.t0Ms).toBe(START_MS + 180_000);
    expect(bridges[0]?.count).toBeGreaterThan(24);
    expect(all.reduce((sum, close) => sum + energyOf(close), 0)).toBe(
      (all.at(-1)?.closingImportMwh ?? 0) - 1_001_000,
    );
  });

  it("states as a gap what a log that never knew the time had read before the start, and what lies between", () => {
    Object.assign(machine, { ntp: false, battery: false, wall: 60_000 });
    const first = open();
    first.run(12);
    const bench = reboot(first, 60_000);
    bench.run(12);
    Object.assign(machine, { ntp: true, wall: START_MS });
    bench.run(24);
    const [gap, ...more] = bench.leaves().filter(({ kind }) => kind === "discontinuity");
    expect(gap).toMatchObject({ classification: 5, oldImportMwh: 1_012_000, gapFromMs: 65_000 });
    expect(gap).not.toHaveProperty("newImportMwh");
    expect(more).toEqual([]);
    expect(closes(bench)[0]).toMatchObject({ t0Ms: START_MS - 55_000, openingImportMwh: 1_013_000 });
  });

  it("states as a gap what lies between a clock that was ahead and the one found since", () => {
    const bench = lostAndRead();
    Object.assign(machine, { ntp: true, wall: START_MS - DAY_MS });
    bench.run(24);
    expect(bench.leaves().filter(({ kind }) => kind === "discontinuity")).toHaveLength(1);
    expect(closes(bench).filter(({ shape = 0 }) => (shape & CLOSE_SHAPE.bridges) !== 0)).toEqual([]);
  });

  it("states as a gap a start whose clock is behind the log: nobody knows how long it was off", () => {
    const first = open();
    first.run(36);
    const bench = reboot(first, START_MS);
    bench.run(24);
    expect(bench.steps().map(({ timeQuality }) => timeQuality)).toEqual([0, 3]);
    expect(bench.leaves().filter(({ kind }) => kind === "discontinuity")).toHaveLength(1);
  });

  it("states nothing at a start where the clock goes on", () => {
    const first = open();
    first.run(30);
    const bench = reboot(first, machine.wall + 20_000);
    bench.run(30);
    expect(bench.steps()).toEqual([]);
  });

  it("states sleep as a gap, not as a step", () => {
    const bench = open();
    bench.run(30);
    machine.sleep(8 * 3_600_000);
    bench.run(3);
    expect(bench.steps()).toEqual([]);
    const gaps = bench.leaves().filter(({ kind }) => kind === "discontinuity");
    expect(gaps).toEqual([
      expect.objectContaining({
        classification: 5,
        gapFromMs: machine.wall - 15_000 - 8 * 3_600_000,
        gapToMs: machine.wall - 10_000,
      }),
    ]);
  });

  it("seals with what a receipt says of the clock", () => {
    const bench = open();
    bench.run(1);
    const passedMs = bench.keeper.clock.passedMs;
    machine.advance(200);
    bench.keeper.signed(3, passedMs);
    const said = { manifestHash: new Uint8Array(32), root: new Uint8Array(32), ruleVersion: RULE_VERSION };
    bench.keeper.receipted(node.publicKey, { ...said, size: 3, receivedAtMs: machine.wall - 100 });
    bench.run(1);
    expect(bench.leaves().at(-1)?.timeQuality).toBe(TIME_QUALITY.anchored);
    expect(bench.lines.at(-1)).toEqual({ event: "clock-quality", from: 3, quality: 4 });
  });

  it("keeps to its own time while the log cannot state the step", () => {
    const { logger, lines } = recordingLogger();
    let refuse = true;
    const bench = open();
    const host = {
      ...{ logger, guard: new Guard(logger) },
      sealer: () => {
        if (refuse) throw new Error("the disk is full");
        return bench.sealer;
      },
    };
    const keeper = new TimeKeeper(host, machine);
    machine.wall += DAY_MS;
    for (let s = 0; s < 5; s += 1) {
      machine.advance(1000);
      keeper.check();
    }
    expect(keeper.clock.now().timeMs).toBe(START_MS + 5000);
    expect(lines.filter(({ event }) => event === "clock-step-failed")).toHaveLength(1);
    refuse = false;
    keeper.check();
    expect(bench.steps()).toEqual([
      expect.objectContaining({ beforeMs: START_MS + 5000, timeMs: machine.wall }),
    ]);
  });

  it.each([-14, 14])(
    "judges registers by monotonic time: nothing is held, rejected or broken by a step of %i days",
    (days) => {
      const bench = open();
      const { logger, lines } = recordingLogger();
      const sealer = (): ClockBench["sealer"] => {
        bench.keeper.check();
        return bench.sealer;
      };
      const config = { id: "m", definition: { name: "test" }, options: {}, intervalMs: 1000, channels: {} };
      const intake = new Intake({ sealer, accepted: () => undefined, logger }, [config as never]);
      const description = {
        name: "grid",
        role: "grid",
        resolutionMwh: 1000,
        quantities: ["import", "power"],
      } as const;
      intake.identified("m", { make: "M", model: "M", serial: "9", firmware: "" }, [description]);
      for (let i = 0; i < 300; i += 1) {
        machine.advance(1000);
        if (i === 100) machine.wall += days * DAY_MS;
        const evidence = new Uint8Array(32).fill(i % 256);
        const reading = {
          channel: "grid",
          importMwh: 1_000_000 + i * 1000,
          activePowerMw: 3_600_000 + i,
          evidence,
        };
        intake.take("m", { readings: [reading], flexibility: [], absent: [] });
      }
      expect(intake.channels()).toMatchObject([{ accepted: 300, held: 0, rejected: 0 }]);
      expect(bench.leaves().filter(({ kind }) => kind === "discontinuity")).toEqual([]);
      expect(bench.steps()).toHaveLength(1);
      expect(lines.filter(({ event }) => event !== "clock-step")).toEqual([]);
      const energy = closes(bench)
        .filter(({ channel }) => channel === 2)
        .reduce((sum, close) => sum + (close.closingImportMwh ?? 0) - (close.openingImportMwh ?? 0), 0);
      const open_ = bench.sealer.rules.channels.get(2)?.chain?.opening.importMwh ?? 0;
      expect(energy).toBe(open_ - 1_000_000);
      expect(closes(bench).every(({ t1Ms, shape = 0 }) => shape >= 4 || t1Ms % INTERVAL_MS === 0)).toBe(true);
    },
  );
});
