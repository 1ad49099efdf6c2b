import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Controllable } from "../../../drivers/control.ts";
import type { DriverDefinition, MeterDriver, MeterIdentity, PolledMeter } from "../../../drivers/driver.ts";
import { controlConformance } from "../../../drivers/kit/control-conformance.ts";
import { relayed } from "../../../firmware-bridge/relay/relayed-meter.ts";
import { FakeGpio } from "./fake-gpio.ts";

let gpio: FakeGpio;
let meter: MeterDriver | undefined;

beforeEach(() => {
  gpio = new FakeGpio();
  gpio.install(2);
});

afterEach(async () => {
  await meter?.close();
  meter = undefined;
  gpio.close();
});

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
  return { name: "silent", summary: "a meter of nothing", schema: z.strictObject({}), open };
}

const HEATER = { use: "switch", lines: [{ line: 17 }], powerW: 3000 };
const HEAT_PUMP = { ...HEATER, use: "sg-ready", lines: [{ line: 17 }, { line: 27 }] };
const QUICK = { leastOpenSeconds: 0, leastClosedSeconds: 0 };

async function controlOf(relay: object, definition: DriverDefinition = silent()): Promise<Controllable> {
  const whole = relayed(definition);
  meter = whole.open(whole.schema.parse({ relay }));
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
    const results = await controlConformance(held(relayed(silent())), { relay: { ...relay, ...QUICK } });
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
    const whole = relayed(silent());
    meter = whole.open(whole.schema.parse({ relay: HEATER }));
    await meter.identify();
    await expect
      .poll(() => meter?.control?.readBack().catch((error: unknown) => String(error)))
      .toMatch(/nobody holds the lines at present.*Operation not permitted/);
    expect(meter.mode === "polled" && (await meter.read())).toMatchObject({ absent: [] });
  });

  it("has to have one channel of a load", async () => {
    await expect(controlOf(HEATER, silent("grid", 2))).rejects.toMatchObject({ code: "relay-channel" });
    expect((await controlOf({ ...HEATER, ...QUICK }, silent("grid"))).capabilities()).toHaveLength(1);
    expect(meter?.channels()).toMatchObject([{ maxImportMw: 3_000_000 }]);
  });

  it("is the same as before without the section", () => {
    const whole = relayed(silent());
    meter = whole.open(whole.schema.parse({}));
    expect(meter.control).toBeUndefined();
  });

  it.each([
    ["two lines of one contact", { ...HEATER, lines: [{ line: 17 }, { line: 27 }] }, "expected two lines of"],
    ["one line of two contacts", { ...HEAT_PUMP, lines: [{ line: 17 }] }, "expected two lines of sg-ready"],
    ["one line twice", { ...HEAT_PUMP, lines: [{ line: 17 }, { line: 17 }] }, "two different lines"],
    ["an option of gpioset", { ...HEATER, lines: [{ line: 17, chip: "--daemonize" }] }, "without spaces"],
    ["a word that it does not know", { ...HEATER, forever: true }, "forever"],
  ])("is not configured with %s", (_, relay, said) => {
    const { error } = relayed(silent()).schema.safeParse({ relay });
    expect(error?.message).toContain(said);
  });
});
