import { setTimeout as sleep } from "node:timers/promises";
import { fromHex } from "../attest/bytes.ts";
import { Problem } from "../attest/problem.ts";
import { READING_STATUS } from "../attest/reading.ts";
import type { Controllable, ControlResult, ControlValue } from "../drivers/control.ts";
import type { Snapshot } from "../drivers/driver.ts";
import type { Logger } from "../runtime/log.ts";
import { monotonicMs } from "../runtime/monotonic.ts";
import type { AgentConfig } from "./config/config.ts";
import type { DeviceControlStatus } from "./control/control-status.ts";
import { ControlDesk } from "./control/desk.ts";
import { type LeaseRegister, openLeaseRegister } from "./control/lease-register.ts";
import type { ControlSettings } from "./control/settings.ts";
import { flexHost } from "./flexibility/agent-host.ts";
import { flexChannels } from "./flexibility/channels.ts";
import type { ControlStatus } from "./flexibility/control-report.ts";
import { FlexDesk } from "./flexibility/desk.ts";
import { FlexibilityReadings } from "./flexibility/readings.ts";
import type { Guard } from "./guard.ts";
import type { Intake } from "./intake.ts";
import type { OwnerPort, OwnerReleased } from "./outlet/owner-orders.ts";
import type { SampleSink } from "./sampling/sampler.ts";
import type { Ledger } from "./sealing/ledger.ts";
import type { Sealer } from "./sealing/sealer.ts";
import type { Signing } from "./signing.ts";
import { leaseFileBeside } from "./supervisor/lease-path.ts";
import type { OrderTaker } from "./uplink/orders.ts";
import type { Uplinks } from "./uplink/uplinks.ts";

/** What telling devices what to do needs of the agent around it. */
export interface ControlRoomHost {
  readonly config: AgentConfig;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly ledger: Ledger;
  readonly intake: Intake;
  signing(): Signing;
  uplinks(): Uplinks;
  settled(): Sealer;
  /** Whether a parent process ends the leases when this one is gone. */
  readonly supervised: boolean;
}

const TICK_MS = 1000;
/** After which a device that hangs is left to the supervisor and to its own timer. */
const LAST_REVERT_MS = 8000;

/** Everything by which devices are told what to do: leases, orders of nodes, and what the meters say meanwhile. */
export class ControlRoom implements OwnerPort {
  readonly #host: ControlRoomHost;
  readonly #settings: ControlSettings;
  readonly #controls = new Map<string, Controllable>();
  readonly #leases: LeaseRegister;
  readonly #desk: ControlDesk;
  readonly #flex: FlexDesk;
  readonly #readings: FlexibilityReadings;
  readonly #controllers: ReadonlySet<string>;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(host: ControlRoomHost, settings: ControlSettings) {
    const { config, logger } = host;
    this.#host = host;
    this.#settings = settings;
    this.#controllers = new Set(config.nodes.filter(({ control }) => control === true).map(({ key }) => key));
    this.#leases = openLeaseRegister(leaseFileBeside(config.journal));
    const source = (device: string): Controllable | undefined => this.#controls.get(device);
    this.#desk = new ControlDesk({
      ...{ clock: { monotonicMs }, source, leases: this.#leases, resources: settings.resources, logger },
      ...(settings.siteMeter === undefined ? {} : { siteMeter: settings.siteMeter }),
      ...{ leaseMs: settings.leaseMs, heartbeatMs: settings.heartbeatMs, supervised: host.supervised },
      actuated: (actuated) => this.#flex.actuated(actuated),
      superseded: (hold, by) => this.#flex.superseded(hold, by),
      ended: (hold, reason) => this.#flex.ended(hold, reason),
      roleOf: (device, channel) => host.intake.roleOf(device, channel),
    });
    this.#flex = this.#openFlex();
    this.#readings = this.#openReadings();
  }

  start(): void {
    this.#flex.start();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Ends every command, and resolves when each device was tried. Before the lines are closed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const ended = this.#flex.stop().then(() => this.#desk.stop());
    await Promise.race([ended, sleep(LAST_REVERT_MS, undefined, { ref: false })]);
  }

  /** A device's line was opened, with what it can be told, or given up. */
  controlled(device: string, control: Controllable | undefined): void {
    this.#readings.controlled(device, control);
    if (control === undefined) {
      if (this.#controls.delete(device)) this.#desk.lost(device);
      return;
    }
    this.#controls.set(device, control);
    this.#desk.identified(device);
  }

  /** Looks at what comes from the devices, and hands it on unchanged. */
  sink(next: SampleSink): SampleSink {
    return {
      identified: (device, identity, channels) => next.identified(device, identity, channels),
      take: (device, snapshot) => {
        this.#look(device, snapshot);
        return next.take(device, this.#readings.withFlexibility(device, snapshot));
      },
      failed: (device, problem) => next.failed(device, problem),
    };
  }

  orders(nodeKey: Uint8Array): OrderTaker {
    return {
      order: (bytes) => void this.#flex.order(nodeKey, bytes),
      list: (bytes) => this.#flex.list(nodeKey, bytes),
    };
  }

  optOut(entry: number): boolean {
    return this.#flex.optOut(entry);
  }

  async hold(device: string, value: ControlValue, forMs: number): Promise<ControlResult> {
    const untilMonotonicMs = monotonicMs() + forMs;
    return await this.#desk.hold({ device, authority: "manual", value, untilMonotonicMs });
  }

  async release(device: string): Promise<OwnerReleased> {
    const released = this.#standing(device).hold?.authority === "manual";
    await this.#desk.release(device, "manual", "owner");
    return { released, confirmed: this.#standing(device).reverting.length === 0 };
  }

  clockStepped(): void {
    this.#desk.clockStepped();
    this.#flex.clockStepped();
  }

  epochChanged(): void {
    this.#flex.epochChanged();
    this.#readings.forget();
  }

  status(): ControlStatus {
    return { ...this.#desk.status(), flexibility: this.#flex.status() };
  }

  /** Whether the supervisor has to watch over anything. */
  get hasLeases(): boolean {
    return this.#leases.leases.length > 0;
  }

  #openFlex(): FlexDesk {
    const { config, ledger, logger } = this.#host;
    const { timeZone } = config.site;
    const host = flexHost({
      ...{ ledger, devices: config.devices, logger, control: this.#desk, signing: this.#host.signing },
      source: (device) => this.#controls.get(device),
      settled: () => this.#host.settled(),
      refuse: (nodeKey, message) => this.#host.uplinks().tell(nodeKey, message),
      ...(timeZone === undefined ? {} : { timeZone }),
    });
    return new FlexDesk(host, {
      ...(config.flexibility ?? { offers: [], holidays: [], excludedDays: [] }),
      controlNodes: [...this.#controllers].map((key) => fromHex(key, "nodes.key")),
      controlled: new Set(this.#settings.resources.map(({ device }) => device)),
    });
  }

  #openReadings(): FlexibilityReadings {
    const { config, intake, guard, ledger } = this.#host;
    const numberOf = (device: string, channel: string): number | undefined =>
      flexChannels(ledger.sealer.rules.channels, config.devices).find(
        (one) => one.device === device && one.channel === channel,
      )?.number;
    return new FlexibilityReadings({
      ...{ resources: this.#settings.resources, monotonicMs },
      roleOf: (device, channel) => intake.roleOf(device, channel),
      setpointOf: (device) => this.#setpointOf(device),
      commitmentOn: (device, channel) => {
        const number = numberOf(device, channel);
        return number === undefined ? undefined : this.#flex.commitmentOn(number);
      },
      failed: (device, cause) => guard.failed("control-ratings-failed", cause, { device }),
    });
  }

  #standing(id: string): DeviceControlStatus {
    const isOurs = this.#settings.resources.some(({ device }) => device === id);
    const found = this.#desk.status().devices.find(({ device }) => device === id);
    if (isOurs && found !== undefined) return found;
    throw new Problem("control-unknown", "the configuration does not let this device be controlled", {
      where: id,
    });
  }

  #setpointOf(id: string): number | undefined {
    const value = this.#desk.status().devices.find(({ device }) => device === id)?.hold?.value;
    return value?.kind === "powerSetpoint" ? value.powerMw : undefined;
  }

  #tick(): void {
    const isHeard = this.#host
      .uplinks()
      .status.some(({ connected, nodeKey }) => connected && this.#controllers.has(nodeKey));
    if (isHeard) this.#desk.heartbeat(monotonicMs());
    // Behind what the orders ask for now: what takes the place of a hold is there before that one is over.
    setImmediate(() => this.#desk.tick());
    if (this.#busy) return;
    this.#busy = true;
    this.#flex
      .tick()
      .then(() => this.#host.guard.succeeded("flex-failed"))
      .catch((cause: unknown) => this.#host.guard.failed("flex-failed", cause))
      .finally(() => {
        this.#busy = false;
      });
  }

  /** A stale value says nothing of now. */
  #look(device: string, { readings }: Snapshot): void {
    const nowMs = monotonicMs();
    const { siteMeter } = this.#settings;
    for (const { channel, activePowerMw, stateOfChargePpm, status = 0 } of readings) {
      if ((status & READING_STATUS.stale) !== 0) continue;
      if (stateOfChargePpm !== undefined) this.#desk.stateOfCharge(device, stateOfChargePpm, nowMs);
      if (activePowerMw === undefined) continue;
      if (this.#isControlled(device, channel)) this.#desk.devicePower(device, activePowerMw, nowMs);
      if (siteMeter?.device === device && siteMeter.channel === channel)
        this.#desk.siteMeterRead(nowMs, activePowerMw);
    }
  }

  #isControlled(device: string, channel: string): boolean {
    const capabilities = this.#controls.get(device)?.capabilities() ?? [];
    return capabilities.some((capability) => capability.channel === channel);
  }
}
