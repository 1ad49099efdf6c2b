import { Problem } from "../../attest/problem.ts";
import type { ControlResult } from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";
import type { ControlDeskStatus } from "./control-status.ts";
import { DeskContext, type DeskOptions } from "./desk-context.ts";
import { DeviceDesk } from "./device-desk.ts";
import { SiteWatch } from "./guards.ts";
import type { LeaseRegister } from "./lease-register.ts";
import {
  type ControlledResource,
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  type SiteMeterSettings,
} from "./settings.ts";
import type { Actuated, Authority, ControlPhase, ControlPort, Hold } from "./types.ts";

/** What a control desk needs; the rest has defaults. */
export interface ControlDeskOptions
  extends Pick<DeskOptions, "clock" | "source" | "supervised" | "actuated" | "logger">,
    Partial<Pick<DeskOptions, "leaseMs" | "heartbeatMs" | "superseded" | "ended" | "roleOf">> {
  readonly leases: LeaseRegister;
  readonly resources: readonly ControlledResource[];
  readonly siteMeter?: SiteMeterSettings;
}

/**
 * Tells devices what holds ask for, by leases that end by themselves: docs/flexibility.md, "Control". It has no timers:
 * {@link tick} is to be called each second.
 */
export class ControlDesk implements ControlPort {
  readonly #context: DeskContext;
  readonly #hasSiteMeter: boolean;
  readonly #devices = new Map<string, DeviceDesk>();
  readonly #resources: ReadonlySet<string>;

  constructor(options: ControlDeskOptions) {
    const { leases, resources, siteMeter } = options;
    const ignore = (): void => undefined;
    this.#context = new DeskContext(
      {
        ...{ clock: options.clock, source: options.source, register: leases, supervised: options.supervised },
        ...{ leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS, logger: options.logger },
        heartbeatMs: options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
        actuated: (actuated) => options.actuated(actuated),
        superseded: options.superseded ?? ignore,
        ended: options.ended ?? ignore,
        roleOf: options.roleOf ?? ((): undefined => undefined),
      },
      new SiteWatch(siteMeter),
    );
    this.#hasSiteMeter = siteMeter !== undefined;
    this.#resources = new Set(resources.map(({ device }) => device));
    this.#open(resources);
    this.#context.flush();
  }

  async hold(hold: Hold): Promise<ControlResult> {
    const desk = this.#resources.has(hold.device) ? this.#devices.get(hold.device) : undefined;
    if (desk !== undefined) return await desk.hold(hold);
    throw new Problem("control-unknown", "the configuration does not let this device be controlled", {
      where: hold.device,
      hint: "name it in control.resources",
    });
  }

  async release(device: string, authority: Authority, reason: string): Promise<void> {
    await this.#devices.get(device)?.release(authority, reason);
  }

  /** A device that is not controlled does what it wants. */
  phase(device: string): ControlPhase {
    return this.#devices.get(device)?.phase ?? "unlimitedAutonomous";
  }

  /** To be called each second: looks at every limit, and tells devices what is due. Neither waits nor throws. */
  tick(): void {
    this.#context.flush();
    for (const device of this.#devices.values()) device.tick();
  }

  /** Resolves when nothing is under way; not while a device hangs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.idle()));
  }

  /** The line to a device was opened, and it is the one that it was. */
  identified(device: string): void {
    this.#reportReverted(device);
    this.#devices.get(device)?.identified();
  }

  lost(device: string): void {
    this.#devices.get(device)?.lost();
  }

  /** A reading of the meter at the grid connection: + import. */
  siteMeterRead(monotonicMs: number, powerMw: number): void {
    this.#context.site.read(monotonicMs, powerMw);
  }

  /** How full a battery is; without it no command discharges one that has a reserve. */
  stateOfCharge(device: string, ppm: number, monotonicMs: number = this.#nowMs()): void {
    this.#devices.get(device)?.measured.stateOfCharge(ppm, monotonicMs);
  }

  /** What flows into the controlled channel; without it the worst is assumed at the limits of the grid connection. */
  devicePower(device: string, powerMw: number, monotonicMs: number = this.#nowMs()): void {
    this.#devices.get(device)?.measured.power(powerMw, monotonicMs);
  }

  /** The clock of the wall was set: whoever ordered something meant another time. */
  clockStepped(): void {
    void this.revertAll("clock-step");
  }

  /** A fresh word of whoever may order. */
  heartbeat(monotonicMs: number): void {
    this.#context.heartbeatMs = Math.max(monotonicMs, this.#context.heartbeatMs ?? monotonicMs);
    if (this.#context.isHeard()) for (const device of this.#devices.values()) device.heartbeat();
  }

  /** Ends every hold, and resolves when every device was tried once; those that did not confirm it are tried on. */
  async revertAll(reason: string): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.revert(reason)));
  }

  status(): ControlDeskStatus {
    return present<ControlDeskStatus>({
      devices: [...this.#devices.values()].map((device) => device.status()),
      siteMeterStale: this.#hasSiteMeter ? this.#context.site.isStale(this.#nowMs()) : undefined,
      supervised: this.#context.options.supervised,
    });
  }

  /** Takes no more holds and ends all there are; what is not confirmed stays in the file for whoever comes next. */
  async stop(): Promise<void> {
    for (const device of this.#devices.values()) device.close();
    await this.revertAll("agent-stopped");
  }

  #open(resources: readonly ControlledResource[]): void {
    const { register, logger } = this.#context;
    const { damage, leases } = register.found;
    // A device that is not controlled any more may still be leased.
    const known = new Set(resources.map(({ device }) => device));
    const orphans = new Set(leases.map(({ device }) => device).filter((device) => !known.has(device)));
    const all = [...resources, ...[...orphans].map((device) => ({ device, boundary: "device" as const }))];
    for (const resource of all) {
      const kept = leases.filter(({ device }) => device === resource.device);
      this.#devices.set(resource.device, new DeviceDesk(this.#context, resource, kept));
    }
    if (damage === undefined) return;
    logger.problem("control-leases-damaged", damage);
    this.#context.tell("control-leases-damaged", () => register.setAside());
    for (const device of this.#devices.values()) device.sweep();
  }

  /** What somebody else ended while nobody was here, once its channel is one that can be named. */
  #reportReverted(id: string): void {
    const { register } = this.#context;
    for (const { device, channel, kind, orderSeq, reason, readBack } of register.reverted) {
      if (device !== id) continue;
      const why = readBack === "agrees" ? reason : `${reason}, ${readBack}`;
      this.#context.report(
        present<Actuated>({ device, channel, action: "revert", kind, orderSeq, reason: why }),
      );
    }
    register.forgetReverted(id);
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
