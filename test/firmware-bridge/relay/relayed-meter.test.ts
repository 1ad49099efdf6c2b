import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Controllable } from "../../../drivers/control.ts";
import type { DriverDefinition, MeterDriver, MeterIdentity, PolledMeter } from "../../../drivers/driver.ts";
import { controlConformance } from "../../../drivers/kit/control-conformance.ts";
import { endLeftHolders } from "../../../firmware-bridge/relay/left-holders.ts";
import { relayPlan, relaySchema } from "../../../firmware-bridge/relay/relay-options.ts";
import { relayed } from "../../../firmware-bridge/relay/relayed-meter.ts";
import { FakeGpio } from "./fake-gpio.ts";

const LEFT = new URL("../../../firmware-bridge/relay/left-holders.ts", import.meta.url).href;

let gpio: FakeGpio;
let meter: MeterDriver | undefined;

beforeEach(() => {
  gpio = new FakeGpio();
  gpio.install(2);
});

afterEach(async () => {
  await meter?.close();
  meter = undefined;
  await endLeftHolders();
  gpio.close();
});

const NO_OPTIONS = z.strictObject({});

/** A meter of one load that has nothing to say. */
function silent(role: "load" | "grid" = "load", count = 1): DriverDefinition {
  const open = (): PolledMeter => ({
    mode: "polled",
    identify: async () => ({ make: "", model: "", serial: "", firmware: "" }),
    channels: () =>
      Array.from({ length: count }, (_, at) => ({ name: `${role}${at}`, role, quantities: ["power"] })),
    read: async () => ({ readings: [], flexibility: [], absent: [] }),
    close: async () => undefined,
  });
  return { name: "silent", summary: "a meter of nothing", schema: NO_OPTIONS, open };
}

/** One that answers while it is told to. */
function flaky(answers: () => boolean): DriverDefinition {
  const definition = silent();
  const open = (options: Record<string, unknown>): MeterDriver => {
    const opened = definition.open(options);
    if (opened.mode !== "polled") throw new Error("not polled");
    const asked = <T>(work: () => Promise<T>): Promise<T> =>
      answers() ? work() : Promise.reject(new Error("no answer"));
    return {
      ...opened,
      identify: () => asked(() => opened.identify()),
      read: () => asked(() => opened.read()),
    };
  };
  return { ...definition, open };
}

const HEATER = { use: "switch", lines: [{ line: 17 }], powerW: 3000 };
const HEAT_PUMP = { ...HEATER, use: "sg-ready", lines: [{ line: 17 }, { line: 27 }] };
const QUICK = { leastOpenSeconds: 0, leastClosedSeconds: 0 };

function switched(relay: object, definition: DriverDefinition = silent()): DriverDefinition {
  return relayed(definition, relaySchema.parse(relay));
}

async function controlOf(relay: object, definition: DriverDefinition = silent()): Promise<Controllable> {
  meter = switched(relay, definition).open({});
  await meter.identify();
  const { control } = meter;
  if (control === undefined) throw new Error("there is no control");
  await expect.poll(async () => (await control.readBack().catch(() => [])).length).toBeGreaterThan(0);
  return control;
}

/** The lines are taken beside the meter; the kit commands at once. */
function held(definition: DriverDefinition): DriverDefinition {
  const open = (options: Record<string, unknown>): MeterDriver => {
    const opened = definition.open(options);
    const identify = async (): Promise<MeterIdentity> => {
      const identity = await opened.identify();
      await expect.poll(() => opened.control?.readBack().then(() => "held", String)).toBe("held");
      return identity;
    };
    return new Proxy(opened, {
      get: (target, name) => {
        if (name === "identify") return identify;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return { ...definition, open };
}

describe("the meter of a load with a relay", () => {
  it.each([
    ["a switch", HEATER],
    ["an inhibit", { ...HEATER, use: "inhibit" }],
    ["a heat pump", HEAT_PUMP],
    ["a heat pump that may be told to start", { ...HEAT_PUMP, orderedStart: true }],
  ])("keeps the contract of commands: %s", async (_, relay) => {
    const results = await controlConformance(held(switched({ ...relay, ...QUICK })), {});
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(results.length).toBeGreaterThan(5);
  });

  it("takes all of a setpoint or none of it", async () => {
    const control = await controlOf({ ...HEATER, ...QUICK });
    const apply = (powerMw: number): Promise<unknown> =>
      control.apply({ kind: "powerSetpoint", powerMw, leaseMs: 60_000 });
    expect(await apply(2_999_999)).toMatchObject({ written: { powerMw: 0 }, readBack: "agrees" });
    expect(gpio.history(17)).toEqual(["hold 0 high"]);
    expect(await apply(3_000_000)).toMatchObject({ written: { powerMw: 3_000_000 }, readBack: "agrees" });
    expect(gpio.history(17).at(-1)).toBe("hold 1 high");
    await expect(apply(3_000_001)).rejects.toMatchObject({ code: "control-outside-ratings" });
    await expect(apply(-1)).rejects.toMatchObject({ code: "control-outside-ratings" });
    await meter?.close();
    expect(gpio.history(17).at(-1)).toBe("touch 0 high");
    await expect(apply(0)).rejects.toMatchObject({ code: "control-closed" });
  });

  it("inhibits when less than all is allowed", async () => {
    const control = await controlOf({ ...HEATER, use: "inhibit", ...QUICK });
    await control.apply({ kind: "importLimit", limitMw: 1_000_000, leaseMs: 60_000 });
    expect(gpio.history(17)).toEqual(["hold 0 high", "hold 1 high"]);
    expect(await control.revert("importLimit")).toMatchObject({ readBack: "agrees" });
    expect(gpio.history(17).at(-1)).toBe("hold 0 high");
  });

  it("blocks a heat pump with state 1 and starts it with state 4, one at a time", async () => {
    const control = await controlOf({ ...HEAT_PUMP, orderedStart: true, ...QUICK });
    const contacts = (): string => [17, 27].map((line) => gpio.history(line).at(-1)?.charAt(5)).join(":");
    await control.apply({ kind: "importLimit", limitMw: 0, leaseMs: 60_000 });
    expect(contacts()).toBe("1:0");
    const start = { kind: "powerSetpoint", powerMw: 3_000_000, leaseMs: 60_000 } as const;
    await expect(control.apply(start)).rejects.toMatchObject({ code: "control-conflict" });
    await control.revert("importLimit");
    expect(contacts()).toBe("0:0");
    await control.apply(start);
    expect(contacts()).toBe("1:1");
    expect(await control.readBack()).toMatchObject([
      { kind: "importLimit", active: false },
      { kind: "powerSetpoint", active: true, value: { powerMw: 3_000_000 } },
      { kind: "mode", active: false },
    ]);
  });

  it("refuses within the dwell time before anything is changed, and offers no lease that is shorter", async () => {
    const control = await controlOf({ ...HEATER, leastOpenSeconds: 3000, leastClosedSeconds: 1000 });
    const [capability] = control.capabilities();
    expect(capability).toMatchObject({ shortestLeaseMs: 3_000_000, step: 3_000_000, reverts: "device" });
    const command = { kind: "powerSetpoint", powerMw: 3_000_000, leaseMs: 3_000_000 } as const;
    await expect(control.apply(command)).rejects.toMatchObject({ code: "relay-dwell" });
    expect(gpio.history(17)).toEqual(["hold 0 high"]);
    expect(await control.readBack()).toMatchObject([{ active: false }]);
  });

  it("is read where its relay cannot be had, and its commands say why", async () => {
    gpio.refuse(17);
    meter = switched(HEATER).open({});
    await meter.identify();
    await expect
      .poll(() => meter?.control?.readBack().catch((error: unknown) => String(error)))
      .toMatch(/nobody holds the lines at present.*Operation not permitted/);
    expect(meter.mode === "polled" && (await meter.read())).toMatchObject({ absent: [] });
  });

  it("is held from the first opening on, whether the meter answers or not, and however often it is opened", async () => {
    let answers = false;
    const definition = switched(
      { ...HEATER, ...QUICK, onExit: "closed" },
      flaky(() => answers),
    );
    const attempt = async (): Promise<string> => {
      meter = definition.open({});
      const said = await meter.identify().then(() => "identified", String);
      await expect.poll(() => gpio.holder(17)).toBeDefined();
      return said;
    };
    expect(await attempt()).toContain("no answer");
    const holder = gpio.holder(17);
    await meter?.close();
    expect(await attempt()).toContain("no answer");
    await meter?.close();
    answers = true;
    expect(await attempt()).toBe("identified");
    expect([gpio.history(17), gpio.holder(17)]).toEqual([["hold 0 high"], holder]);
    await meter?.control?.apply({ kind: "powerSetpoint", powerMw: 3_000_000, leaseMs: 60_000 });
    answers = false;
    if (meter?.mode === "polled") await expect(meter.read()).rejects.toThrow("no answer");
    await meter?.close();
    // The lease is over with the driver, and the line is let go by nobody.
    await expect.poll(() => gpio.history(17)).toEqual(["hold 0 high", "hold 1 high", "hold 0 high"]);
    answers = true;
    expect(await attempt()).toBe("identified");
    await meter?.close();
    expect(gpio.history(17).slice(3)).toEqual(["touch 1 high"]);
  });

  it("is let go at its level of an end by a program that ends before the meter is opened anew", async () => {
    const { output, silenceMs } = relayPlan(relaySchema.parse({ ...HEATER, onExit: "closed" }));
    const settings = JSON.stringify({ outputs: [output], silenceMs });
    const program = spawn(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { leaveHolder, takeHolder } from ${JSON.stringify(LEFT)};
        const holder = await takeHolder(${settings});
        const held = () => holder.relay("relay").shown().then(() => true, () => false);
        while (!(await held())) await new Promise((resolve) => setTimeout(resolve, 10));
        leaveHolder(${settings}, holder);`,
      ],
      { stdio: "inherit" },
    );
    expect(await once(program, "close")).toEqual([0, null]);
    expect(gpio.history(17)).toEqual(["hold 0 high", "touch 1 high"]);
  });

  it("that failed and is configured otherwise lets go of its lines for the new one", async () => {
    meter = switched(
      HEATER,
      flaky(() => false),
    ).open({});
    await expect(meter.identify()).rejects.toThrow("no answer");
    await expect.poll(() => gpio.holder(17)).toBeDefined();
    await meter.close();
    await controlOf(HEAT_PUMP);
    expect(gpio.history(17)).toEqual(["hold 0 high", "touch 0 high", "hold 0 high"]);
  });

  it("has to have one channel of a load", async () => {
    await expect(controlOf(HEATER, silent("grid", 2))).rejects.toMatchObject({ code: "relay-channel" });
    await meter?.close();
    expect((await controlOf({ ...HEATER, ...QUICK }, silent("grid"))).capabilities()).toHaveLength(1);
    expect(meter?.channels()).toMatchObject([{ maxImportMw: 3_000_000 }]);
  });

  it("advises a heat pump to take more with state 3, as a lease like the others", async () => {
    const control = await controlOf({ ...HEAT_PUMP, ...QUICK });
    const contacts = (): string => [17, 27].map((line) => gpio.history(line).at(-1)?.charAt(5)).join(":");
    const capability = control.capabilities().find(({ kind }) => kind === "mode");
    expect(capability).toMatchObject({ modes: ["advised"], reverts: "device", excludes: ["importLimit"] });
    const advice = { kind: "mode", mode: "advised", leaseMs: 60_000 } as const;
    expect(await control.apply(advice)).toMatchObject({
      ...{ written: { kind: "mode", mode: "advised" }, readBack: "agrees", leaseMs: 60_000 },
      state: { active: true, value: { kind: "mode", mode: "advised" } },
    });
    expect(contacts()).toBe("0:1");
    const block = { kind: "importLimit", limitMw: 0, leaseMs: 60_000 } as const;
    await expect(control.apply(block)).rejects.toMatchObject({ code: "control-conflict" });
    await expect(control.apply({ ...advice, mode: "hold" })).rejects.toMatchObject({
      code: "control-not-supported",
    });
    expect(await control.renew("mode", 60_000)).toMatchObject({ readBack: "agrees" });
    expect(await control.revert("mode")).toMatchObject({ readBack: "agrees" });
    expect(contacts()).toBe("0:0");
  });

  it("says how long it stays as it is, before and after a command", async () => {
    const left = async (): Promise<number> =>
      Math.max(...(await control.readBack()).map(({ mayChangeInMs = 0 }) => mayChangeInMs));
    let control = await controlOf({ ...HEATER, leastOpenSeconds: 3000 });
    expect(await left()).toBeGreaterThan(0);
    expect(await left()).toBeLessThanOrEqual(3_000_000);
    await meter?.close();

    control = await controlOf({ ...HEATER, leastOpenSeconds: 0, leastClosedSeconds: 1000 });
    expect(await left()).toBe(0);
    const start = { kind: "powerSetpoint", powerMw: 3_000_000, leaseMs: 1_000_000 } as const;
    const { state } = await control.apply(start);
    expect(state?.mayChangeInMs).toBeGreaterThan(0);
    expect(state?.mayChangeInMs).toBeLessThanOrEqual(1_000_000);
    const ended = await control.revert("powerSetpoint");
    expect(ended).toMatchObject({ readBack: "differs", state: { active: undefined } });
    expect(ended.state?.mayChangeInMs).toBeGreaterThan(0);
  });

  it("may be changed when its least time is over", async () => {
    const control = await controlOf({ ...HEAT_PUMP, leastOpenSeconds: 1 });
    const least = control.capabilities().map(({ kind, leastMs, mostMs }) => ({ kind, leastMs, mostMs }));
    expect(least).toEqual([
      { kind: "importLimit", leastMs: 1000, mostMs: 7_200_000 },
      { kind: "mode", leastMs: 1000, mostMs: undefined },
    ]);
    const block = { kind: "importLimit", limitMw: 0, leaseMs: 60_000 } as const;
    await expect.poll(() => control.apply(block).then(() => "applied", String)).toBe("applied");
    expect(gpio.history(17).at(-1)).toBe("hold 1 high");
    await expect.poll(async () => (await control.revert("importLimit")).readBack).toBe("agrees");
    expect(gpio.history(17).at(-1)).toBe("hold 0 high");
  });

  it("leaves the driver's own options as they are", () => {
    expect(switched(HEATER).schema).toBe(silent().schema);
  });

  it.each([
    ["two lines of one contact", { ...HEATER, lines: [{ line: 17 }, { line: 27 }] }, "expected two lines of"],
    ["one line of two contacts", { ...HEAT_PUMP, lines: [{ line: 17 }] }, "expected two lines of sg-ready"],
    ["one line twice", { ...HEAT_PUMP, lines: [{ line: 17 }, { line: 17 }] }, "two different lines"],
    ["an option of gpioset", { ...HEATER, lines: [{ line: 17, chip: "--daemonize" }] }, "without spaces"],
    ["a word that it does not know", { ...HEATER, forever: true }, "forever"],
  ])("is not configured with %s", (_, relay, said) => {
    const { error } = relaySchema.safeParse(relay);
    expect(error?.message).toContain(said);
  });
});
