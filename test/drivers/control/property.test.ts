import fc from "fast-check";
import { expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { ControlResult } from "../../../drivers/control.ts";
import { SIMULATED_FAULTS, type SimulatedControlFault } from "../../../drivers/simulated/profile-faults.ts";
import { type ControlBench, suites } from "./kit.ts";

const suite = suites();

/** The installer allows less than the battery could: what exceeds it was commanded, and not by the battery itself. */
const LIMIT_MW = 2_000_000;
const LIMITS = { maxChargeW: 2000, maxDischargeW: 2000, maxImportW: 2000, maxExportW: 2000 };
/** From a command to its power: half a second, and from one end of 3.3 kW to the other at 3 kW a second. */
const REACTION_S = 4;
const LATE_S = 24;

const FAULTS = [
  ...["obeys-late", "bms-limit", "loses-connection-in-the-middle", "clamps-silently"],
  ...["forgets-timer", "wrong-readback"],
] as readonly SimulatedControlFault[];

type Step =
  | { readonly step: "apply"; readonly powerMw: number; readonly leaseMs: number }
  | { readonly step: "renew"; readonly leaseMs: number }
  | { readonly step: "revert" }
  | { readonly step: "pass"; readonly seconds: number }
  | { readonly step: "fault"; readonly fault: SimulatedControlFault | undefined };

const leaseMs = fc.integer({ min: 10_000, max: 60_000 });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({
      step: fc.constant("apply" as const),
      powerMw: fc.integer({ min: -2_400_000, max: 2_400_000 }),
      leaseMs,
    }),
    fc.record({ step: fc.constant("renew" as const), leaseMs }),
    fc.record({ step: fc.constant("revert" as const) }),
    fc.record({ step: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      step: fc.constant("fault" as const),
      fault: fc.option(fc.constantFrom(...FAULTS), { nil: undefined }),
    }),
  ),
  { minLength: 3, maxLength: 12 },
);

/** A holder that follows the contract: it reverts on expiry, and wherever it does not know what the device does. */
class Holder {
  readonly #bench: ControlBench;
  #held: { readonly valueMw: number; readonly untilS: number } | undefined;
  #fault: SimulatedControlFault | undefined;
  #nowS = 0;
  #changedS = 0;

  constructor(bench: ControlBench) {
    this.#bench = bench;
  }

  async take(step: Step): Promise<void> {
    const { control, device } = this.#bench;
    switch (step.step) {
      case "apply":
        return await this.#tell(() => control.apply({ kind: "powerSetpoint", ...step }));
      case "renew":
        return await this.#tell(() => control.renew("powerSetpoint", step.leaseMs));
      case "revert":
        return await this.#revert();
      case "pass":
        return await this.#pass(step.seconds);
      case "fault":
        // What is on its way with one delay does not mix with what comes with another.
        await this.#pass(LATE_S);
        // Nor does the end of a lease that was due meanwhile.
        while (this.#nowS - this.#changedS <= LATE_S) await this.#pass(1);
        this.#fault = step.fault;
        this.#changedS = this.#nowS;
        return device.setFaults(step.fault === undefined ? [] : [step.fault]);
    }
  }

  async end(): Promise<void> {
    this.#bench.device.setFaults([]);
    await this.#revert();
    const states = await this.#bench.control.readBack();
    expect(states.find(({ kind }) => kind === "powerSetpoint")?.active).toBe(false);
  }

  async #tell(work: () => Promise<ControlResult>): Promise<void> {
    try {
      const result = await work();
      this.#changedS = this.#nowS;
      const { written } = result;
      if (written.kind !== "powerSetpoint" || result.readBack !== "agrees") return await this.#revert();
      this.#held = { valueMw: written.powerMw, untilS: this.#nowS + result.leaseMs / 1000 };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (["control-interrupted", "control-uncertain", "control-refused"].includes(error.code))
        await this.#revert();
      else expect(error.code).toMatch(/^control-(outside-ratings|not-leased)$/);
    }
  }

  async #revert(): Promise<void> {
    this.#held = undefined;
    this.#changedS = this.#nowS;
    const { readBack } = await this.#bench.control.revert("powerSetpoint");
    expect(readBack).toBe("agrees");
  }

  async #pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left--) {
      if (this.#held !== undefined && this.#nowS >= this.#held.untilS) await this.#revert();
      this.#bench.pass(1);
      this.#nowS += 1;
      this.#look();
    }
  }

  #look(): void {
    if (this.#held === undefined) return;
    const reaction = this.#fault === "obeys-late" ? LATE_S : REACTION_S;
    if (this.#nowS - this.#changedS <= reaction) return;
    const power = this.#bench.power("battery");
    expect(Math.abs(power)).toBeLessThanOrEqual(LIMIT_MW);
    if (this.#fault === "bms-limit") expect(Math.abs(power)).toBeLessThanOrEqual(825_000);
    else expect(Math.abs(power - this.#held.valueMw)).toBeLessThan(10_000);
  }
}

it.each(["der", "storage"] as const)(
  "whatever is told to %s and whatever fails, its power is what was granted, and every lease ends",
  async (models) => {
    const run = fc.asyncProperty(steps, async (all) => {
      const bench = await suite(models, { driver: { controlLimits: LIMITS } });
      const holder = new Holder(bench);
      for (const step of all) await holder.take(step);
      await holder.end();
      await bench.meter.close();
      await bench.device.close();
    });
    await fc.assert(run, { numRuns: 15 });
  },
  30_000,
);

it("tries every fault of commands but the one that nothing but the meter sees", () => {
  expect(FAULTS.every((fault) => fault in SIMULATED_FAULTS)).toBe(true);
  expect(FAULTS).toHaveLength(6);
});
