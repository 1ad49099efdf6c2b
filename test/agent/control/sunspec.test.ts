import { expect, it } from "vitest";
import { ControlDesk } from "../../../agent/control/desk.ts";
import { LeaseRegister } from "../../../agent/control/lease-register.ts";
import type { Actuated } from "../../../agent/control/types.ts";
import type { SimulatedControlFault } from "../../../drivers/simulated/profile-faults.ts";
import { type ControlBench, suites } from "../../drivers/control/kit.ts";
import { type Line, MemoryStore, memoryLogger } from "./kit.ts";

const suite = suites();
const MODELS = ["der", "storage"] as const;

/** A desk over the real driver, whose device has the same clock. */
class Site {
  readonly bench: ControlBench;
  readonly store: MemoryStore = new MemoryStore();
  readonly actuated: Actuated[] = [];
  readonly lines: Line[] = [];
  nowMs = 0;
  desk: ControlDesk;

  constructor(bench: ControlBench) {
    this.bench = bench;
    this.desk = this.start();
  }

  start(): ControlDesk {
    this.desk = new ControlDesk({
      clock: { monotonicMs: () => this.nowMs },
      source: () => this.bench.control,
      leases: new LeaseRegister(this.store, "boot"),
      resources: [{ device: "battery", boundary: "device" }],
      supervised: true,
      actuated: (actuated) => this.actuated.push(actuated),
      logger: memoryLogger(this.lines),
    });
    return this.desk;
  }

  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 1) {
      this.bench.pass(1);
      this.nowMs += 1000;
      this.desk.tick();
      await this.desk.idle();
    }
  }

  async hold(powerMw: number, seconds: number): Promise<void> {
    const value = { kind: "powerSetpoint", powerMw } as const;
    const untilMonotonicMs = this.nowMs + seconds * 1000;
    await this.desk.hold({ device: "battery", authority: "manual", value, untilMonotonicMs });
  }

  async isActive(): Promise<boolean | undefined> {
    const states = await this.bench.control.readBack();
    return states.find(({ kind }) => kind === "powerSetpoint")?.active;
  }
}

it.each(MODELS)("a hold of %s is renewed, and over when it is over", async (models) => {
  const site = new Site(await suite(models));
  await site.hold(-2_000_000, 100);
  await site.pass(95);
  expect(site.bench.power("battery")).toBe(-2_000_000);
  await site.pass(5);
  expect(await site.isActive()).toBe(false);
  expect(JSON.parse(site.store.text ?? "")).toMatchObject({ leases: [] });
  expect(site.actuated.map(({ action }) => action)).toEqual(["apply", "renew", "revert"]);
});

it.each(MODELS)("a hold of %s in whose middle the agent was started is reverted", async (models) => {
  const site = new Site(await suite(models));
  await site.hold(1_500_000, 600);
  await site.pass(10);
  site.start();
  expect(site.desk.phase("battery")).toBe("failsafe");
  await site.pass(1);
  expect(await site.isActive()).toBe(false);
});

const FAULTS: readonly (readonly [SimulatedControlFault, string | undefined])[] = [
  ["ignores-command", "over"],
  ["obeys-late", "over"],
  ["bms-limit", "over"],
  ["forgets-timer", "over"],
  ["clamps-silently", "differs"],
  ["wrong-readback", "differs"],
];

it.each(MODELS.flatMap((models) => FAULTS.map(([fault, reason]) => [models, fault, reason] as const)))(
  "%s with %s is reverted: %s",
  async (models, fault, reason) => {
    const site = new Site(await suite(models));
    site.bench.device.setFaults([fault]);
    await site.hold(1_000_000, 70);
    await site.pass(72);
    expect(site.actuated.at(-1)).toMatchObject({ action: "revert", reason });
    expect(await site.isActive()).toBe(false);
    expect(site.desk.status().devices[0]?.reverting).toEqual([]);
  },
);

it.each(MODELS)("%s that loses its connection in the middle is reverted", async (models) => {
  const site = new Site(await suite(models));
  site.bench.device.setFaults(["loses-connection-in-the-middle"]);
  await expect(site.hold(1_000_000, 70)).rejects.toMatchObject({ code: "control-interrupted" });
  await site.pass(1);
  expect(await site.isActive()).toBe(false);
  expect(site.actuated.map(({ action, reason }) => [action, reason])).toEqual([
    ["apply", "interrupted"],
    ["revert", "interrupted"],
  ]);
});
