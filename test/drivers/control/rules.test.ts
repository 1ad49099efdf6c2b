import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { LeasedControl } from "../../../drivers/control/leased.ts";
import type { ControlSurface, RegisterWrite } from "../../../drivers/control/surface.ts";
import type { ControlCapability, ControlState } from "../../../drivers/control.ts";
import { codeOf, problemOf } from "../modbus/kit.ts";

/** Two registers: 0 is the power in W, 1 switches it on. */
class Memory implements ControlSurface {
  readonly where = "memory";
  readonly log: string[] = [];
  readonly registers = [0, 0];
  /** Called before each write; throws for one that fails. */
  fail: (write: RegisterWrite, count: number) => void = () => undefined;
  #count = 0;

  capabilities(): readonly ControlCapability[] {
    const common = { channel: "battery", step: 1000, reverts: "holder", revertsTo: "automatic" } as const;
    const lease = { shortestLeaseMs: 1000, longestLeaseMs: 60_000, ramp: false, excludes: [] };
    return [{ kind: "powerSetpoint", ...common, ...lease }];
  }

  async ratings(): Promise<{ maxChargeMw: number; maxDischargeMw: number }> {
    return { maxChargeMw: 5_000_000, maxDischargeMw: 4_000_000 };
  }

  async state(): Promise<ControlState> {
    this.log.push("read");
    await pause();
    const [watts = 0, on] = this.registers;
    const place = { kind: "powerSetpoint", channel: "battery" } as const;
    return on === 0
      ? { ...place, active: false }
      : { ...place, active: true, value: { kind: place.kind, powerMw: watts * 1000 } };
  }

  async plan(command: {
    readonly leaseMs: number;
    readonly powerMw?: number;
  }): ReturnType<ControlSurface["plan"]> {
    const watts = Math.trunc((command.powerMw ?? 0) / 1000);
    const write = (start: number, value: number): RegisterWrite => ({
      start,
      values: [value],
      functionCode: 6,
    });
    return {
      written: { kind: "powerSetpoint", powerMw: watts * 1000 },
      leaseMs: command.leaseMs,
      writes: [write(0, watts), write(1, 1)],
    };
  }

  async planRevert(): Promise<readonly RegisterWrite[]> {
    return [{ start: 1, values: [0], functionCode: 6 }];
  }

  async write(write: RegisterWrite): Promise<void> {
    this.log.push(`${write.start}=${write.values.join()}`);
    this.fail(write, this.#count++);
    await pause();
    this.registers[write.start] = write.values[0] ?? 0;
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const command = (powerMw: number) => ({ kind: "powerSetpoint", powerMw, leaseMs: 10_000 }) as const;

function make(): { readonly memory: Memory; readonly control: LeasedControl } {
  const memory = new Memory();
  return { memory, control: new LeasedControl(memory, () => true) };
}

describe("the rules of every device", () => {
  it("let no two commands interleave, in the order of their calls", async () => {
    const { memory, control } = make();
    await Promise.all([
      control.apply(command(1_000_000)),
      control.apply(command(-2_000_000)),
      control.renew("powerSetpoint", 10_000),
      control.revert("powerSetpoint"),
    ]);
    const told = ["read", "0=1000", "1=1", "read"];
    const again = ["read", "0=-2000", "1=1", "read"];
    expect(memory.log).toEqual([...told, ...again, ...again, "1=0", "read"]);
  });

  it("let the next one through where one failed", async () => {
    const { control } = make();
    const failed = control.apply(command(9_000_000));
    const next = control.apply(command(1_000_000));
    expect(await codeOf(failed)).toBe("control-outside-ratings");
    expect((await next).readBack).toBe("agrees");
  });

  it.each([
    [5_000_001, "-4000000 to 5000000"],
    [-4_000_001, "-4000000 to 5000000"],
  ])("reject %i mW, write nothing and clamp nothing", async (powerMw, expected) => {
    const { memory, control } = make();
    const problem = await problemOf(control.apply(command(powerMw)));
    expect([problem.code, problem.detail.expected]).toEqual(["control-outside-ratings", expected]);
    expect(memory.log).toEqual([]);
  });

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])("take no %d for a power", async (powerMw) => {
    expect(await codeOf(make().control.apply(command(powerMw)))).toBe("control-bad-value");
  });

  it("take no ramp that the device does not have", async () => {
    const work = make().control.apply({ ...command(0), rampMwPerS: 1000 });
    expect(await codeOf(work)).toBe("control-not-supported");
  });

  it("revert what failed in the middle, and say so", async () => {
    const { memory, control } = make();
    memory.fail = ({ start, values }) => {
      if (start === 1 && values[0] === 1) throw new Problem("modbus-timeout", "no answer");
    };
    expect(await codeOf(control.apply(command(1_000_000)))).toBe("control-interrupted");
    expect(memory.log.slice(-2)).toEqual(["1=1", "1=0"]);
    expect(await codeOf(control.renew("powerSetpoint", 10_000))).toBe("control-not-leased");
  });

  it("revert also after the first write where nobody knows whether it was taken", async () => {
    const { memory, control } = make();
    memory.fail = ({ start }) => {
      if (start === 0) throw new Problem("modbus-timeout", "no answer");
    };
    expect(await codeOf(control.apply(command(1_000_000)))).toBe("control-interrupted");
    expect(memory.log.at(-1)).toBe("1=0");
  });

  it("say that what the device does is not known where it could not be reverted", async () => {
    const { memory, control } = make();
    memory.fail = (_, count) => {
      if (count >= 1) throw new Problem("modbus-closed", "gone");
    };
    expect(await codeOf(control.apply(command(1_000_000)))).toBe("control-uncertain");
    expect(await codeOf(control.revert("powerSetpoint"))).toBe("control-uncertain");
    memory.fail = () => undefined;
    expect((await control.revert("powerSetpoint")).readBack).toBe("agrees");
  });

  it("take no command after close, and write nothing for it", async () => {
    const { memory, control } = make();
    await control.apply(command(1_000_000));
    const before = memory.log.length;
    control.close();
    expect(await codeOf(control.revert("powerSetpoint"))).toBe("control-closed");
    expect([memory.log.length, memory.registers[1]]).toEqual([before, 1]);
  });
});
