import { Problem } from "../../attest/problem.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  Controllable,
  ControlRatings,
  ControlResult,
  ControlState,
  ControlValue,
  RevertResult,
} from "../control.ts";
import { present } from "../present.ts";
import type { ControlPlan, ControlSurface } from "./surface.ts";
import { Turns } from "./turns.ts";
import {
  boundsOf,
  checkBounds,
  checkEarlierLimit,
  checkLease,
  checkValue,
  numberOf,
  plainValue,
} from "./values.ts";
import { writeAll, writeEach } from "./writing.ts";

/** A command of this object that nobody has ended yet. */
interface Lease {
  readonly command: ControlCommand;
  readonly before: ControlState;
}

/** Which channels are of storages: their ratings are those of charge and discharge. */
export type IsStorage = (channel: string) => boolean;

/** The rules that hold for every device: one command at a time, checked before it is written and read back behind it. */
export class LeasedControl implements Controllable {
  readonly #surface: ControlSurface;
  readonly #isStorage: IsStorage;
  readonly #turns = new Turns();
  readonly #leases = new Map<ControlKind, Lease>();
  #closed = false;

  constructor(surface: ControlSurface, isStorage: IsStorage) {
    this.#surface = surface;
    this.#isStorage = isStorage;
  }

  capabilities(): readonly ControlCapability[] {
    return this.#surface.capabilities();
  }

  ratings(): Promise<ControlRatings> {
    return this.#turn(() => this.#surface.ratings());
  }

  apply(command: ControlCommand): Promise<ControlResult> {
    return this.#turn(() => this.#apply(command));
  }

  renew(kind: ControlKind, leaseMs: number): Promise<ControlResult> {
    return this.#turn(async () => {
      const lease = this.#leases.get(kind);
      if (lease === undefined)
        throw new Problem("control-not-leased", `there is no lease of ${kind} to renew`, {
          where: this.#surface.where,
          hint: "apply it",
        });
      return await this.#apply({ ...lease.command, leaseMs });
    });
  }

  revert(kind: ControlKind, before?: ControlState): Promise<RevertResult> {
    return this.#turn(async () => {
      const surface = this.#surface;
      const { step } = this.#capability(kind);
      const earlier = this.#leases.get(kind)?.before ?? before;
      await writeEach(surface, await surface.planRevert(kind, earlier));
      this.#leases.delete(kind);
      const state = await surface.state(kind).catch(() => undefined);
      const wanted = earlier?.active === true ? earlier.value : undefined;
      return present<RevertResult>({ kind, readBack: verdict(state, wanted, step), state });
    });
  }

  readBack(): Promise<readonly ControlState[]> {
    return this.#turn(async () => {
      const states: ControlState[] = [];
      for (const { kind } of this.capabilities()) states.push(await this.#surface.state(kind));
      return states;
    });
  }

  /** No more commands. What is leased stays leased: ending it is for whoever holds it, also when this process is gone. */
  close(): void {
    this.#closed = true;
  }

  async #apply(command: ControlCommand): Promise<ControlResult> {
    const surface = this.#surface;
    const capability = this.#capability(command.kind);
    checkValue(plainValue(command), capability, surface.where);
    checkLease(command, capability, surface.where);
    this.#requireFree(capability);
    const ratings = await surface.ratings();
    checkBounds(
      plainValue(command),
      boundsOf(command.kind, ratings, this.#isStorage(capability.channel)),
      surface.where,
    );
    const now = await surface.state(command.kind);
    const before = this.#leases.get(command.kind)?.before ?? now;
    this.#requireEarlier(command, capability, before);
    const plan = await surface.plan(command, { ratings, now: before });
    const undo = await surface.planRevert(command.kind, before);
    await this.#write(command, { plan, undo, before });
    const state = await surface.state(command.kind).catch(() => undefined);
    return present<ControlResult>({
      kind: command.kind,
      written: plan.written,
      readBack: verdict(state, plan.written, capability.step),
      state,
      leaseMs: plan.leaseMs,
      reverts: capability.reverts,
      before,
    });
  }

  async #write(
    command: ControlCommand,
    {
      plan,
      undo,
      before,
    }: { readonly plan: ControlPlan; readonly undo: ControlPlan["writes"] } & Pick<Lease, "before">,
  ): Promise<void> {
    try {
      await writeAll(this.#surface, plan.writes, undo);
      this.#leases.set(command.kind, { command, before });
    } catch (error) {
      if (error instanceof Problem && error.code === "control-interrupted") this.#leases.delete(command.kind);
      // What is not known to be over has to be reverted to what was there before.
      if (error instanceof Problem && error.code === "control-uncertain")
        this.#leases.set(command.kind, { command, before });
      throw error;
    }
  }

  #capability(kind: ControlKind): ControlCapability {
    const capabilities = this.capabilities();
    const found = capabilities.find((one) => one.kind === kind);
    if (found !== undefined) return found;
    throw new Problem("control-not-supported", "the device does not take this kind of command", {
      where: this.#surface.where,
      expected: capabilities.map((one) => one.kind).join(" or "),
      got: JSON.stringify(kind),
    });
  }

  #requireFree({ kind, excludes }: ControlCapability): void {
    const other = excludes.find((one) => this.#leases.has(one));
    if (other === undefined) return;
    throw new Problem("control-conflict", `${kind} is written where ${other} is leased now`, {
      where: this.#surface.where,
      hint: `revert ${other} first`,
    });
  }

  /** A limit that stood there before is somebody else's: it is kept to, and not taken away. */
  #requireEarlier(command: ControlCommand, { revertsTo }: ControlCapability, before: ControlState): void {
    const { where } = this.#surface;
    checkEarlierLimit(plainValue(command), before, where);
    const isLimit = command.kind === "importLimit" || command.kind === "exportLimit";
    if (!isLimit || revertsTo === "before" || before.active !== true) return;
    throw new Problem("control-conflict", `${command.kind} is set already, and not by this object`, {
      where,
      hint: "who set it has to take it back; if that was this agent, revert first",
    });
  }

  #turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      if (!this.#closed) return await work();
      throw new Problem("control-closed", "the device was closed", { where: this.#surface.where });
    });
  }
}

/** Whether the device shows what it should: a value, to a step of its registers, or undefined for none. */
function verdict(
  state: ControlState | undefined,
  wanted: ControlValue | undefined,
  step: number,
): "agrees" | "differs" | "unreadable" {
  if (state === undefined) return "unreadable";
  if (wanted === undefined) return state.active === false ? "agrees" : "differs";
  if (state.active !== true || state.value === undefined) return "differs";
  return Math.abs(numberOf(state.value) - numberOf(wanted)) < step ? "agrees" : "differs";
}
