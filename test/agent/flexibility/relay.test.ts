import { describe, expect, it } from "vitest";
import { ControlDesk } from "../../../agent/control/desk.ts";
import { LeaseRegister } from "../../../agent/control/lease-register.ts";
import type { Actuated } from "../../../agent/control/types.ts";
import { FlexDesk } from "../../../agent/flexibility/desk.ts";
import type { DispatchOrder } from "../../../attest/flexibility/orders.ts";
import { LeasedControl } from "../../../drivers/control/leased.ts";
import type { Controllable } from "../../../drivers/control.ts";
import { OutputRules } from "../../../firmware-bridge/relay/output-rules.ts";
import type { Relay } from "../../../firmware-bridge/relay/relay.ts";
import { relayPlan, relaySchema } from "../../../firmware-bridge/relay/relay-options.ts";
import { RelaySurface } from "../../../firmware-bridge/relay/relay-surface.ts";
import { sgReadyState } from "../../../firmware-bridge/relay/sg-ready.ts";
import { type Line, MemoryStore, memoryLogger, settled } from "../control/kit.ts";
import { Bench, challenge, dispatch, sendChallenge, sendDispatch } from "./kit.ts";

const LEAST_MS = 600_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The channel of the bench, here that of a heat pump. */
const DEVICE = "battery";
const BLOCK = { command: 2, value: 0 } as const;

/** A heat pump with SG Ready under a node's orders, on clocks that are in hand. */
class HeatPump {
  readonly bench: Bench = new Bench();
  readonly desk: ControlDesk;
  readonly actuated: Actuated[] = [];
  readonly lines: Line[] = [];
  readonly #rules: OutputRules;

  constructor(more: object = {}) {
    const options = { use: "sg-ready", lines: [{ line: 17 }, { line: 27 }], powerW: 3500, ...more };
    const { output, powerMw, meanings } = relayPlan(relaySchema.parse(options));
    this.#rules = new OutputRules(output, this.bench.monotonic);
    const surface = new RelaySurface({
      ...{ relay: this.#relay(output.states), where: "heat pump", channel: DEVICE },
      ...{ powerMw, meanings, times: output.times },
    });
    const control = new LeasedControl(surface, () => false);
    this.desk = this.#open(control);
    const host = { ...this.bench.host, control: this.desk, commands: () => control.capabilities() };
    this.bench.desk = new FlexDesk(host, this.bench.settings);
    this.bench.desk.start();
  }

  get state(): string {
    this.#rules.settle(this.bench.monotonic);
    return sgReadyState(this.#rules.position);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      this.desk.heartbeat(this.bench.monotonic);
      await this.bench.pass(1000);
      this.desk.tick();
      await settled();
    }
  }

  /** Ordered by a node, from now on. */
  async order(lengthMs: number, changes: Partial<DispatchOrder> = {}): Promise<void> {
    const fromMs = changes.fromMs ?? this.bench.log.timeMs;
    await sendDispatch(
      this.bench,
      dispatch(this.bench, { ...BLOCK, fromMs, toMs: fromMs + lengthMs, ...changes }),
    );
  }

  events(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  #relay(states: Relay["states"]): Relay {
    const now = (): number => this.bench.monotonic;
    return {
      states,
      set: async (position, leaseMs) => {
        this.#rules.command(position, leaseMs, now());
        return this.#rules.shown(now());
      },
      release: async () => {
        this.#rules.release(now());
        return this.#rules.shown(now());
      },
      shown: async () => {
        this.#rules.settle(now());
        return this.#rules.shown(now());
      },
    };
  }

  #open(control: Controllable): ControlDesk {
    return new ControlDesk({
      ...{ clock: { monotonicMs: () => this.bench.monotonic }, logger: memoryLogger(this.lines) },
      ...{ leases: new LeaseRegister(new MemoryStore(), "boot"), supervised: false },
      resources: [{ device: DEVICE, boundary: "device" }],
      source: () => control,
      actuated: (actuated) => this.actuated.push(actuated),
      superseded: (hold, by) => this.bench.desk.superseded(hold, by),
      ended: (hold, reason) => this.bench.desk.ended(hold, reason),
    });
  }
}

/** One whose state may be left at once. */
async function settledPump(more: object = {}): Promise<HeatPump> {
  const pump = new HeatPump(more);
  await pump.pass(LEAST_MS);
  return pump;
}

describe("orders to a heat pump that stays in each of its states for a time", () => {
  it("are asked again for a minute, and then rejected with what they wait for", async () => {
    const pump = new HeatPump();
    await pump.pass(MINUTE);
    await pump.order(HOUR);
    await pump.pass(MINUTE - 2000);
    expect(pump.bench.lastAnswers).toEqual([]);
    await pump.pass(5000);
    expect(pump.bench.lastAnswers).toEqual(["rejected: relay-dwell"]);
    expect(pump.state).toBe("normal");
  });

  it("begin as soon as the time is over", async () => {
    const pump = new HeatPump();
    await pump.pass(LEAST_MS - MINUTE / 2);
    await pump.order(HOUR);
    await pump.pass(MINUTE);
    expect(pump.bench.lastAnswers).toEqual(["accepted", "started"]);
    expect(pump.state).toBe("blocked");
    expect(pump.desk.status().devices[0]?.mayChangeInMs).toBeGreaterThan(LEAST_MS - MINUTE);
  });

  it("are renewed for the two hours that a block may last", async () => {
    const pump = await settledPump();
    await pump.order(2 * HOUR);
    await pump.pass(2 * HOUR - 5000);
    expect(pump.state).toBe("blocked");
    await pump.pass(10_000);
    expect(pump.bench.lastAnswers).toEqual(["accepted", "started", "succeeded"]);
    expect(pump.state).toBe("normal");
    expect(pump.events("control-renew-failed")).toEqual([]);
    expect(pump.actuated.filter(({ action }) => action === "renew").length).toBeGreaterThan(10);
  });

  it("are rejected where they would last longer", async () => {
    const pump = await settledPump();
    await pump.order(2 * HOUR + MINUTE);
    await pump.pass(2000);
    expect(pump.bench.lastAnswers).toEqual(["rejected: control-bad-lease"]);
    expect(pump.state).toBe("normal");
  });

  it("end where one after the other would block it for longer", async () => {
    const pump = await settledPump();
    await pump.order(80 * MINUTE);
    await pump.order(80 * MINUTE, { fromMs: pump.bench.log.timeMs + 80 * MINUTE });
    await pump.pass(2 * HOUR - 5000);
    expect(pump.state).toBe("blocked");
    expect(pump.bench.lastAnswers).toEqual(["accepted", "started"]);
    await pump.pass(20_000);
    expect(pump.state).toBe("normal");
    expect(pump.bench.lastAnswers).toEqual(["accepted", "started", "aborted: relay-dwell"]);
    await pump.pass(LEAST_MS);
    expect(pump.state).toBe("normal");
  });

  it("leave it blocked for its least time, which is waited for and no doubt", async () => {
    const pump = await settledPump();
    await pump.order(2 * MINUTE);
    await pump.pass(3 * MINUTE);
    expect(pump.bench.lastAnswers).toEqual(["accepted", "started", "succeeded"]);
    expect(pump.state).toBe("blocked");
    const [shown] = pump.desk.status().devices;
    expect(shown?.reverting).toEqual(["importLimit"]);
    expect(shown?.mayChangeInMs).toBeGreaterThan(LEAST_MS - 4 * MINUTE);
    expect(pump.events("control-revert-waits")).toHaveLength(1);
    const advice = { kind: "mode", mode: "advised" } as const;
    const hold = { device: DEVICE, authority: "manual", value: advice } as const;
    const until = (): number => pump.bench.monotonic + HOUR;
    await expect(pump.desk.hold({ ...hold, untilMonotonicMs: until() })).rejects.toMatchObject({
      ...{ code: "control-too-soon", detail: { hint: expect.stringMatching(/^try again in 4\d\d s$/) } },
    });
    await pump.pass(LEAST_MS - 3 * MINUTE);
    expect(pump.state).toBe("normal");
    expect(pump.desk.status().devices[0]?.reverting).toEqual([]);
    expect(pump.events("control-revert-failed")).toEqual([]);
    const reverts = pump.actuated.filter(({ action }) => action === "revert");
    expect(reverts.map(({ reason }) => reason)).toEqual(["least-time", "over"]);
    await pump.pass(LEAST_MS);
    expect(await pump.desk.hold({ ...hold, untilMonotonicMs: until() })).toMatchObject({
      readBack: "agrees",
    });
    expect(pump.state).toBe("advised");
    expect(pump.actuated.at(-1)).toMatchObject({
      action: "apply",
      kind: "mode",
      value: advice,
      readBack: advice,
    });
  });

  it("are no challenge that it could not follow", async () => {
    const pump = await settledPump({ orderedStart: true });
    await sendChallenge(pump.bench, challenge(pump.bench, { midMw: 1_750_000, halfSwingMw: 1_750_000 }));
    expect(pump.bench.lastAnswers).toEqual(["rejected: challenge-too-fast"]);
    const plain = await settledPump();
    await sendChallenge(plain.bench, challenge(plain.bench));
    expect(plain.bench.lastAnswers).toEqual(["rejected: not-controllable"]);
  });
});

describe("a relay that cannot be had", () => {
  it("is said to be unavailable, once, until it is there", async () => {
    const pump = new HeatPump();
    const control = new LeasedControl(
      new RelaySurface({
        ...{
          where: "relay",
          channel: DEVICE,
          powerMw: 1,
          times: [],
          meanings: [{ kind: "powerSetpoint", none: 0, all: 1 }],
        },
        relay: { states: { onStart: 0, onExit: 0, onLoss: 0 }, ...lost(() => isThere) },
      }),
      () => false,
    );
    let isThere = false;
    const desk = new ControlDesk({
      ...{ clock: { monotonicMs: () => pump.bench.monotonic }, logger: memoryLogger(pump.lines) },
      ...{ leases: new LeaseRegister(new MemoryStore(), "boot"), supervised: false, source: () => control },
      ...{ resources: [{ device: DEVICE, boundary: "device" }], actuated: () => undefined },
    });
    const pass = async (seconds: number): Promise<void> => {
      for (let left = seconds; left > 0; left -= 1) {
        pump.bench.monotonic += 1000;
        desk.tick();
        await settled();
      }
    };
    await pass(4);
    expect(desk.status().devices[0]?.problem).toBeUndefined();
    await pass(60);
    expect(desk.status().devices[0]?.problem).toContain("no gpioset");
    expect(pump.events("control-unavailable")).toHaveLength(1);
    isThere = true;
    await pass(10);
    expect(desk.status().devices[0]?.problem).toBeUndefined();
    expect(pump.events("control-unavailable-over")).toHaveLength(1);
  });
});

function lost(isThere: () => boolean): Omit<Relay, "states"> {
  const answer = async (): Promise<{ position: number; why: "start" }> => {
    if (isThere()) return { position: 0, why: "start" };
    throw new Error("there is no gpioset");
  };
  return { set: answer, release: answer, shown: answer };
}
