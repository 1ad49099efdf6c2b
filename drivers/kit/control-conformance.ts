import { Problem } from "../../attest/problem.ts";
import { boundsOf } from "../control/values.ts";
import {
  CONTROL_KINDS,
  type ControlCapability,
  type ControlCommand,
  type ControlKind,
  type Controllable,
  type ControlRatings,
  type ControlState,
  type ControlValue,
} from "../control.ts";
import type { DriverDefinition, MeterDriver } from "../driver.ts";
import { Checklist, type CheckResult, Skipped } from "./checklist.ts";
import { capabilityFault, ratingsFault } from "./control-checks.ts";

/**
 * Holds a driver's commands against the contract on a device that answers: a simulated one, or a real one that may be told
 * something for some seconds. Whatever it tells the device it takes back; a limit is half of what is possible, a
 * setpoint no power, a reserve what it was.
 */
export async function controlConformance(
  definition: DriverDefinition,
  options: Readonly<Record<string, unknown>>,
): Promise<CheckResult[]> {
  const meter = definition.open(definition.schema.parse(options));
  const trial = new ControlTrial(meter);
  try {
    await trial.run();
  } finally {
    await meter.close();
  }
  await trial.closed();
  return trial.list.results;
}

class ControlTrial {
  readonly list: Checklist = new Checklist();
  readonly #meter: MeterDriver;
  #control: Controllable | undefined;
  #ratings: ControlRatings = {};

  constructor(meter: MeterDriver) {
    this.#meter = meter;
  }

  async run(): Promise<void> {
    await this.list.run("takes commands once it is identified", async () => {
      await this.#meter.identify();
      this.#control = this.#meter.control;
      return this.#control === undefined ? "there is no control" : undefined;
    });
    const control = this.#control;
    if (control === undefined) return;
    const names = this.#meter.channels().map(({ name }) => name);
    await this.list.run("capabilities are described", async () =>
      capabilityFault(control.capabilities(), names),
    );
    await this.list.run("ratings are whole numbers", async () => {
      this.#ratings = await control.ratings();
      return ratingsFault(this.#ratings);
    });
    await this.list.run("refuses kinds that it does not have", () => this.#unknownKinds(control));
    for (const capability of control.capabilities()) await this.#kind(control, capability);
  }

  async closed(): Promise<void> {
    const control = this.#control;
    if (control === undefined) return;
    await this.list.run("refuses commands after close", () =>
      refusal(control.readBack(), ["control-closed"], "readBack()"),
    );
  }

  async #kind(control: Controllable, capability: ControlCapability): Promise<void> {
    const { kind } = capability;
    const value = await this.#harmless(control, capability);
    if (value === undefined) {
      await this.list.run(`${kind}: keeps the contract`, () => {
        throw new Skipped("nobody says how much is possible");
      });
      return;
    }
    await this.list.run(`${kind}: refuses leases that it does not have`, () =>
      leases(control, capability, value),
    );
    await this.list.run(`${kind}: refuses what is outside of its ratings`, () =>
      this.#outside(control, capability, value),
    );
    await this.list.run(`${kind}: begins, is shown, is renewed and ends`, () =>
      whole(control, capability, value),
    );
    await this.list.run(`${kind}: one command at a time`, () => together(control, capability, value));
  }

  /** Something that does no harm for a moment; undefined where no value is known to be within the ratings. */
  async #harmless(control: Controllable, capability: ControlCapability): Promise<ControlValue | undefined> {
    const { kind } = capability;
    const { most } = this.#bounds(capability);
    switch (kind) {
      case "powerSetpoint":
        return most === undefined ? undefined : await setpoint(control, capability);
      case "importLimit":
      case "exportLimit":
        return most === undefined ? undefined : { kind, limitMw: Math.floor(most / 2) };
      case "stateOfChargeReserve":
        return (await control.readBack()).find((one) => one.kind === kind)?.value;
      case "mode": {
        const [mode] = capability.modes ?? [];
        return mode === undefined ? undefined : { kind, mode };
      }
    }
  }

  #outside(
    control: Controllable,
    capability: ControlCapability,
    value: ControlValue,
  ): Promise<string | undefined> {
    const { most } = this.#bounds(capability);
    if (most === undefined || value.kind === "mode") return Promise.resolve(undefined);
    const beyond = most + capability.step;
    const command = withMost(value, beyond);
    return refusal(
      control.apply({ ...command, leaseMs: capability.shortestLeaseMs }),
      ["control-outside-ratings"],
      `apply ${beyond}`,
    );
  }

  #bounds({ kind, channel }: ControlCapability): ReturnType<typeof boundsOf> {
    const role = this.#meter.channels().find(({ name }) => name === channel)?.role;
    return boundsOf(kind, this.#ratings, role === "storage");
  }

  async #unknownKinds(control: Controllable): Promise<string | undefined> {
    const known = control.capabilities().map(({ kind }) => kind);
    for (const kind of kindsBut(known)) {
      const fault = await refusal(control.revert(kind), ["control-not-supported"], `revert ${kind}`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}

function kindsBut(known: readonly ControlKind[]): readonly ControlKind[] {
  // Keys of a constant are its kinds.
  return (Object.keys(CONTROL_KINDS) as ControlKind[]).filter((kind) => !known.includes(kind));
}

/** No power; one step of it where no power means to the device that nothing is asked for. */
async function setpoint(control: Controllable, capability: ControlCapability): Promise<ControlValue> {
  const none = { kind: "powerSetpoint", powerMw: 0 } as const;
  const leaseMs = capability.shortestLeaseMs;
  const fault = await control.apply({ ...none, leaseMs }).then(
    () => undefined,
    (error: unknown) => error,
  );
  await control.revert("powerSetpoint");
  const isNothing = fault instanceof Problem && fault.code === "control-not-expressible";
  return isNothing ? { ...none, powerMw: capability.step } : none;
}

function withMost(value: ControlValue, number: number): ControlValue {
  if (value.kind === "powerSetpoint") return { ...value, powerMw: number };
  if (value.kind === "stateOfChargeReserve") return { ...value, reservePpm: number };
  return value.kind === "mode" ? value : { ...value, limitMw: number };
}

async function leases(
  control: Controllable,
  { shortestLeaseMs, longestLeaseMs }: ControlCapability,
  value: ControlValue,
): Promise<string | undefined> {
  for (const leaseMs of [0, shortestLeaseMs - 1, longestLeaseMs + 1, shortestLeaseMs + 0.5]) {
    const work = control.apply({ ...value, leaseMs });
    const fault = await refusal(work, ["control-bad-lease"], `a lease of ${leaseMs} ms`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function whole(
  control: Controllable,
  { kind, shortestLeaseMs, longestLeaseMs }: ControlCapability,
  value: ControlValue,
): Promise<string | undefined> {
  const leaseMs = Math.min(longestLeaseMs, 2 * shortestLeaseMs);
  const command: ControlCommand = { ...value, leaseMs };
  try {
    const begun = await control.apply(command);
    if (begun.readBack !== "agrees") return `the read-back ${begun.readBack}`;
    if (begun.leaseMs > leaseMs || begun.leaseMs <= 0) return `a lease of ${begun.leaseMs} ms was granted`;
    const shown = await stateOf(control, kind);
    if (shown?.active !== true) return "it is not shown while it holds";
    const renewed = await control.renew(kind, leaseMs);
    if (renewed.readBack !== "agrees") return `after renewal the read-back ${renewed.readBack}`;
    for (const time of ["first", "second"]) {
      const ended = await control.revert(kind, begun.before);
      if (ended.readBack !== "agrees") return `after the ${time} revert the read-back ${ended.readBack}`;
    }
    return await refusal(control.renew(kind, leaseMs), ["control-not-leased"], "renew after revert");
  } finally {
    await control.revert(kind).catch(() => undefined);
  }
}

/** Both settle, in their order: at the end it is over. */
async function together(
  control: Controllable,
  { kind, shortestLeaseMs }: ControlCapability,
  value: ControlValue,
): Promise<string | undefined> {
  const before = await stateOf(control, kind);
  const begin = control.apply({ ...value, leaseMs: shortestLeaseMs });
  const end = control.revert(kind, before);
  const [begun, ended] = await Promise.all([begin, end]);
  if (begun.readBack !== "agrees") return `the first one's read-back ${begun.readBack}`;
  return ended.readBack === "agrees" ? undefined : `the second one's read-back ${ended.readBack}`;
}

async function stateOf(control: Controllable, kind: ControlKind): Promise<ControlState | undefined> {
  return (await control.readBack()).find((state) => state.kind === kind);
}

/** Undefined when it is refused with one of these codes. */
async function refusal(
  work: Promise<unknown>,
  codes: readonly string[],
  name: string,
): Promise<string | undefined> {
  const outcome = await work.then(
    () => "nothing",
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );
  return codes.includes(outcome)
    ? undefined
    : `${name} is to be refused with ${codes.join(" or ")}, and was with ${outcome}`;
}
