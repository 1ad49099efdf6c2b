import { Problem } from "../../attest/problem.ts";
import { Turns } from "../../drivers/control/turns.ts";
import {
  CONTROL_KINDS,
  type ControlCapability,
  type ControlKind,
  type Controllable,
  type ControlResult,
} from "../../drivers/control.ts";
import { requireAdmitted, requireCapability, tooSoon } from "./admission.ts";
import type { DeviceControlStatus } from "./control-status.ts";
import type { DeskContext } from "./desk-context.ts";
import { DeviceCalls, leftAsItWas } from "./device-calls.ts";
import { DeviceMeasured } from "./device-measured.ts";
import { DevicePhase } from "./device-phase.ts";
import { DeviceStates } from "./device-states.ts";
import { brokenRule, type Judged, requireWithin } from "./guards.ts";
import { HoldKeeper } from "./hold-keeper.ts";
import { offline, PendingReverts } from "./pending-reverts.ts";
import { needsHeartbeat } from "./phases.ts";
import { Running } from "./running.ts";
import type { ControlledResource } from "./settings.ts";
import type { Authority, ControlPhase, Hold, KeptLease } from "./types.ts";

/** One device: who may tell it what, one thing at a time. */
export class DeviceDesk {
  readonly #context: DeskContext;
  readonly #resource: ControlledResource;
  readonly #turns = new Turns();
  readonly #calls: DeviceCalls;
  readonly #keeper: HoldKeeper;
  readonly #pending: PendingReverts;
  readonly #phase: DevicePhase;
  readonly #states: DeviceStates;
  /** What the intake says of it. */
  readonly measured: DeviceMeasured;
  #run: Running | undefined;
  #lastSwitchMs: number | undefined;
  #isQueued = false;
  #isClosed = false;

  constructor(context: DeskContext, resource: ControlledResource, kept: readonly KeptLease[]) {
    this.#context = context;
    this.#resource = resource;
    this.measured = new DeviceMeasured(resource, () => this.#nowMs());
    this.#calls = new DeviceCalls(() => this.#nowMs());
    this.#keeper = new HoldKeeper(context, this.#calls, (lease) => this.#answeredLate(lease));
    this.#pending = new PendingReverts(context, this.#calls, () => {
      this.#lastSwitchMs = this.#nowMs();
    });
    this.#phase = new DevicePhase(context, resource.device, kept.length > 0);
    this.#states = new DeviceStates(context, this.#calls, resource.device);
    const reason = context.register.found.otherBoot ? "machine-restarted" : "agent-restarted";
    for (const lease of kept) this.#pending.add(lease, reason);
    // Nobody knows what was switched just before the start.
    if (resource.minDwellMs !== undefined) this.#lastSwitchMs = this.#nowMs();
    if (kept.length > 0) this.#keeper.lastSetpointMs = this.#nowMs();
  }

  /** A damaged file does not say what is leased: everything that there could be is ended. */
  sweep(): void {
    const { device, channel = device } = this.#resource;
    for (const kind of Object.keys(CONTROL_KINDS) as ControlKind[]) {
      const lease: KeptLease = { device, kind, channel, reverts: "holder", untilMonotonicMs: this.#nowMs() };
      this.#context.register.note(lease);
      this.#pending.add(lease, "lease-file-damaged");
    }
    this.#phase.failsafe();
  }

  get phase(): ControlPhase {
    return this.#phase.now;
  }

  hold(hold: Hold): Promise<ControlResult> {
    return this.#turns.take(() => this.#take(hold));
  }

  async release(authority: Authority, reason: string): Promise<void> {
    await this.#turns.take(async () => {
      if (this.#run?.hold.authority !== authority) return;
      this.#end(reason);
      await this.#attempt();
    });
  }

  /** Ends what runs, and tries once to have the device confirm it. */
  async revert(reason: string): Promise<void> {
    if (this.#run !== undefined) this.#endEarly(reason);
    await this.#turns.take(() => this.#attempt());
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Looks at everything that limits a hold, and has the device told what is due; never waits, never throws. */
  tick(): void {
    this.#calls.check();
    this.#guard();
    if (this.#isQueued) return;
    this.#isQueued = true;
    void this.#turns
      .take(async () => {
        this.#isQueued = false;
        await this.#work();
      })
      .catch((error: unknown) =>
        this.#context.logger.problem("control-fault", error, { device: this.#resource.device }),
      );
  }

  /** Resolves when what is under way is done. */
  async idle(): Promise<void> {
    await this.#turns.take(async () => undefined);
  }

  identified(): void {
    this.#calls.giveUp("the line was opened anew");
    if (this.#run?.begun === true) this.#run.renewAtMs = this.#nowMs();
  }

  lost(): void {
    this.#calls.giveUp("the line was lost");
  }

  heartbeat(): void {
    this.#phase.move("heartbeat");
  }

  status(): DeviceControlStatus {
    const { device } = this.#resource;
    const hold = this.#run === undefined ? {} : { hold: this.#run.hold };
    return { device, phase: this.phase, ...hold, reverting: this.#pending.kinds, ...this.#states.status };
  }

  async #take(hold: Hold): Promise<ControlResult> {
    this.#requireAdmitted(hold);
    this.#requirePace();
    const control = this.#requireOnline();
    const { supervised } = this.#context.options;
    const allowed = { resource: this.#resource, supervised, nowMs: this.#nowMs() };
    const capability = requireCapability(control, hold, allowed);
    const judged = await this.#judged(control, capability);
    requireWithin(hold.value, judged);
    try {
      await this.#makeRoom(control, hold);
      // Time has passed, and with it perhaps what allowed the hold.
      this.#requireAdmitted(hold);
      requireWithin(hold.value, { ...judged, ...this.measured.now });
      const fromMw = this.measured.fromMw(this.#run?.told);
      return await this.#begin(new Running({ hold, capability, control, resource: this.#resource, fromMw }));
    } catch (error) {
      if (this.#run === undefined) this.#phase.over();
      throw error;
    }
  }

  /** What can be said without asking the device. */
  #requireAdmitted(hold: Hold): void {
    const nowMs = this.#nowMs();
    requireAdmitted(hold, {
      ...{ resource: this.#resource, phase: this.phase, running: this.#run?.hold.authority, nowMs },
      ...{ isClosed: this.#isClosed, isMeterStale: this.#context.site.isStale(nowMs) },
    });
  }

  #requirePace(): void {
    const { device, minDwellMs = 0 } = this.#resource;
    const dwellMs = (this.#lastSwitchMs ?? Number.NEGATIVE_INFINITY) + minDwellMs - this.#nowMs();
    const leftMs = Math.max(dwellMs, this.#keeper.waitMs);
    if (leftMs > 0) throw tooSoon(device, leftMs);
  }

  #requireOnline(): Controllable {
    const control = this.#control();
    if (control === undefined) throw offline(this.#resource.device);
    return control;
  }

  async #judged(control: Controllable, { channel }: ControlCapability): Promise<Judged> {
    const ratings = await this.#calls.make(control, (one) => one.ratings());
    const role = this.#context.options.roleOf(this.#resource.device, channel);
    return { ...this.measured.now, site: this.#context.site, role, ratings };
  }

  /** Only a value of the same kind over the same line can take the place of another; anything else is ended first. */
  async #makeRoom(control: Controllable, hold: Hold): Promise<void> {
    const run = this.#run;
    if (run !== undefined && (run.capability.kind !== hold.value.kind || run.control !== control)) {
      this.#drop(run, "superseded");
      this.#context.tell("superseded", () => this.#context.options.superseded(run.hold, hold));
    }
    await this.#pending.attempt(control);
    if (this.#pending.kinds.length === 0) return;
    const { waitsForMs } = this.#pending;
    if (waitsForMs !== undefined) throw tooSoon(this.#resource.device, waitsForMs);
    throw new Problem("control-uncertain", "what the device was told before is not over yet", {
      where: this.#resource.device,
      got: this.#pending.kinds.join(", "),
      hint: "it is reverted again and again until the device confirms it",
    });
  }

  async #begin(run: Running): Promise<ControlResult> {
    const earlier = this.#run;
    if (earlier?.lease.before !== undefined) run.lease = { ...run.lease, before: earlier.lease.before };
    this.#run = run;
    try {
      const result = await this.#keeper.begin(run);
      this.#begun(run, earlier);
      if (run.endReason === undefined) return result;
    } catch (error) {
      this.#notBegun(run, earlier, error);
      throw error;
    }
    const reason = run.endReason;
    this.#end(reason);
    await this.#attempt();
    throw new Problem("control-interrupted", "the hold was ended while it began, and was reverted", {
      where: this.#resource.device,
      got: reason,
    });
  }

  #begun({ hold }: Running, earlier: Running | undefined): void {
    this.#lastSwitchMs = this.#nowMs();
    this.#phase.move("hold");
    const { device, authority, value, orderSeq } = hold;
    this.#context.logger.info("control-held", { device, authority, value, orderSeq });
    if (earlier !== undefined)
      this.#context.tell("superseded", () => this.#context.options.superseded(earlier.hold, hold));
  }

  /** What is known to have left the device as it was does not end what ran before. */
  #notBegun(run: Running, earlier: Running | undefined, error: unknown): void {
    const { device } = this.#resource;
    this.#run = earlier;
    if (leftAsItWas(error)) {
      if (earlier === undefined) this.#context.register.forget(device, run.capability.kind);
      else this.#context.register.note(earlier.lease);
      this.#context.flush();
      if (earlier !== undefined && run.endReason !== undefined) this.#endAlone(earlier, run.endReason);
      return;
    }
    const reason = error instanceof Problem ? error.code.replace(/^control-/, "") : "fault";
    if (earlier !== undefined) this.#endAlone(earlier, reason);
    else this.#pending.add(run.lease, reason);
  }

  #guard(): void {
    const run = this.#run;
    if (run !== undefined) {
      const reason = this.#endReason(run);
      if (reason !== undefined) this.#endEarly(reason);
    }
    this.#phase.tick();
  }

  #endReason(run: Running): string | undefined {
    const nowMs = this.#nowMs();
    if (nowMs >= run.hold.untilMonotonicMs) return "over";
    if (nowMs >= run.leaseUntilMs) return "lease-over";
    const role = this.#context.options.roleOf(this.#resource.device, run.capability.channel);
    const { site } = this.#context;
    const broken = brokenRule(run.told, { ...this.measured.now, role, site });
    if (broken !== undefined) return broken;
    const isLimited = this.phase === "limited" && needsHeartbeat(run.hold.authority);
    if (!isLimited || !this.#phase.isUnheard()) return undefined;
    this.#phase.move("heartbeatLost");
    return "heartbeat-lost";
  }

  /** Before its time; one that has not begun yet is ended as soon as the device has answered. */
  #endEarly(reason: string): void {
    const run = this.#run;
    if (run?.begun === false) run.endReason ??= reason;
    else if (run !== undefined) this.#endAlone(run, reason);
  }

  #endAlone(run: Running, reason: string): void {
    this.#end(reason);
    if (reason !== "over") this.#context.tell("ended", () => this.#context.options.ended(run.hold, reason));
  }

  #end(reason: string): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#drop(run, reason);
    this.#phase.over();
  }

  /** The device stays limited where another hold takes the place. */
  #drop(run: Running, reason: string): void {
    this.#run = undefined;
    this.#pending.add(run.lease, reason);
    const { device, authority } = run.hold;
    this.#context.logger.info("control-ended", { device, authority, kind: run.capability.kind, reason });
  }

  async #work(): Promise<void> {
    const run = this.#run;
    const control = this.#control();
    const isRelay = this.#resource.minDwellMs !== undefined;
    if (run !== undefined && control !== undefined && run.control !== control && isRelay)
      this.#endAlone(run, "line-lost");
    await this.#attempt();
    if (control !== undefined) await this.#states.look(control);
    if (this.#run === undefined || control === undefined || this.#calls.owesAnswer(control)) return;
    const kept = this.#run;
    const reason = await this.#keeper.keepUp(kept, control);
    if (reason !== undefined && this.#run === kept) this.#endAlone(kept, reason);
  }

  async #attempt(): Promise<void> {
    const control = this.#control();
    if (control === undefined) this.#pending.waits(offline(this.#resource.device));
    else await this.#pending.attempt(control);
  }

  /** Where a call was given up the device may still be told what it said, so that it is ended again. */
  #answeredLate(lease: KeptLease): void {
    if (this.#run?.capability.kind === lease.kind) {
      this.#run.renewAtMs = this.#nowMs();
      return;
    }
    this.#context.register.note(lease);
    this.#context.flush();
    this.#pending.add(lease, "answered-late");
  }

  #control(): Controllable | undefined {
    const control = this.#context.options.source(this.#resource.device);
    return control === undefined || this.#calls.owesAnswer(control) ? undefined : control;
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
