import { describe, expect, it } from "vitest";
import { nextPhase, type PhaseEvent, phaseAtStart } from "../../../agent/control/phases.ts";
import type { ControlPhase } from "../../../agent/control/types.ts";
import { DeskBench } from "./kit.ts";

const EVENTS: readonly PhaseEvent[] = ["heartbeat", "heartbeatLost", "initOver", "hold", "over", "overAlone"];
const A = "unlimitedAutonomous";
const C = "unlimitedControlled";

/** docs/flexibility.md, "Control": a row for each state, a column for each of {@link EVENTS}. */
const TABLE: readonly (readonly [ControlPhase, readonly ControlPhase[]])[] = [
  ["init", [C, "init", A, "limited", "init", "init"]],
  [A, [C, A, A, "limited", A, A]],
  [C, [C, A, C, "limited", C, C]],
  ["limited", ["limited", "failsafe", "limited", "limited", C, A]],
  ["failsafe", [C, "failsafe", "failsafe", "limited", "failsafe", "failsafe"]],
];

describe("the table of states", () => {
  it.each(TABLE)("%s", (phase, row) => {
    expect(EVENTS.map((event) => nextPhase(phase, event))).toEqual(row);
  });

  it.each([
    [undefined, false, "init"],
    ["unlimitedControlled", false, "init"],
    ["unlimitedAutonomous", false, "init"],
    ["init", true, "failsafe"],
    ["limited", false, "failsafe"],
    ["limited", true, "failsafe"],
    ["failsafe", false, "failsafe"],
  ] as const)("a start after %s with a lease: %s", (kept, isLeased, phase) => {
    expect(phaseAtStart(kept, isLeased)).toBe(phase);
  });
});

/** The same as it happens. */
describe("a device", () => {
  const phase = (bench: DeskBench): ControlPhase => bench.desk.phase("battery");

  it("is in init until a heartbeat", async () => {
    const bench = new DeskBench();
    expect(phase(bench)).toBe("init");
    bench.feeds.heartbeat = true;
    await bench.pass(1);
    expect(phase(bench)).toBe(C);
  });

  it("is in init for two minutes, and then for itself until somebody is heard", async () => {
    const bench = new DeskBench();
    await bench.pass(119);
    expect(phase(bench)).toBe("init");
    await bench.pass(1);
    expect(phase(bench)).toBe(A);
    bench.feeds.heartbeat = true;
    await bench.pass(1);
    expect(phase(bench)).toBe(C);
  });

  it("is for itself when nobody has been heard for two minutes", async () => {
    const bench = new DeskBench();
    bench.feeds.heartbeat = true;
    await bench.pass(1);
    bench.feeds.heartbeat = false;
    await bench.pass(120);
    expect(phase(bench)).toBe(C);
    await bench.pass(1);
    expect(phase(bench)).toBe(A);
  });

  it.each([
    [true, C],
    [false, A],
  ])("is limited by a hold, and free behind it (heard: %s)", async (isHeard, after) => {
    const bench = new DeskBench();
    bench.feeds.heartbeat = isHeard;
    await bench.pass(1);
    await bench.hold("manual", 1_000_000, 150);
    expect(phase(bench)).toBe("limited");
    await bench.pass(149);
    expect(phase(bench)).toBe("limited");
    await bench.pass(1);
    expect(phase(bench)).toBe(after);
    expect(bench.battery.commandedMw).toBe(undefined);
  });

  it("is limited from each of the other states", async () => {
    const alone = new DeskBench();
    await alone.pass(120);
    await alone.hold("price", 1_000_000, 50);
    expect(phase(alone)).toBe("limited");
    const heard = new DeskBench();
    heard.feeds.heartbeat = true;
    await heard.pass(1);
    await heard.hold("price", 1_000_000, 50);
    expect(phase(heard)).toBe("limited");
    const fresh = new DeskBench();
    await fresh.hold("price", 1_000_000, 50);
    expect(phase(fresh)).toBe("limited");
  });

  it("goes to failsafe when nobody is heard while it is limited, until somebody is", async () => {
    const bench = new DeskBench();
    bench.feeds.heartbeat = true;
    await bench.pass(1);
    await bench.hold("commitment", 1_000_000);
    bench.feeds.heartbeat = false;
    await bench.pass(120);
    expect(phase(bench)).toBe("limited");
    expect(bench.battery.commandedMw).toBe(1_000_000);
    await bench.pass(1);
    expect(phase(bench)).toBe("failsafe");
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.ended.map(([, reason]) => reason)).toEqual(["heartbeat-lost"]);
    await expect(bench.hold("gridOperator", 500_000)).rejects.toMatchObject({ code: "control-failsafe" });
    bench.feeds.heartbeat = true;
    await bench.pass(1);
    expect(phase(bench)).toBe(C);
    await bench.hold("commitment", 500_000);
    expect(phase(bench)).toBe("limited");
  });

  it.each(["manual", "reserve"] as const)("does what %s says without being heard", async (authority) => {
    const bench = new DeskBench();
    await bench.hold(authority, 1_000_000);
    await bench.pass(300);
    expect(phase(bench)).toBe("limited");
    expect(bench.battery.commandedMw).toBe(1_000_000);
  });

  it.each(["restart", "reboot"] as const)(
    "is in failsafe after a %s in the middle of a lease",
    async (how) => {
      const bench = new DeskBench();
      await bench.hold("commitment", 1_000_000);
      if (how === "reboot") bench.reboot();
      else bench.kill();
      bench.restart();
      expect(phase(bench)).toBe("failsafe");
      await bench.pass(1);
      expect(bench.battery.commandedMw).toBe(undefined);
      const reason = how === "reboot" ? "machine-restarted" : "agent-restarted";
      expect(bench.actuated.at(-1)).toMatchObject({ action: "revert", reason });
      await bench.pass(600);
      expect(phase(bench)).toBe("failsafe");
      bench.kill();
      bench.restart();
      expect(phase(bench)).toBe("failsafe");
      await expect(bench.hold("reserve", 500_000)).rejects.toMatchObject({ code: "control-failsafe" });
      await bench.pass(10);
      await bench.hold("manual", 500_000, 60);
      expect(phase(bench)).toBe("limited");
    },
  );
});
