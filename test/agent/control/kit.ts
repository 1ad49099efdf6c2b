import { ControlDesk, type ControlDeskOptions } from "../../../agent/control/desk.ts";
import type { LeaseStore } from "../../../agent/control/lease-file.ts";
import { LeaseRegister } from "../../../agent/control/lease-register.ts";
import type { Actuated, Authority, Hold } from "../../../agent/control/types.ts";
import type { Controllable, ControlResult, ControlValue } from "../../../drivers/control.ts";
import type { Logger } from "../../../runtime/log.ts";
import { type BatteryOptions, SimulatedBattery } from "./simulated-battery.ts";

/** A file of leases in memory, on a disk that can be full. */
export class MemoryStore implements LeaseStore {
  readonly where = "leases.json";
  text: string | undefined;
  aside: string | undefined;
  isFull = false;

  read(): string | undefined {
    return this.text;
  }

  replace(text: string): void {
    if (this.isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    this.text = text;
  }

  setAside(): void {
    this.aside = this.text;
    this.text = undefined;
  }
}

export interface Line {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function memoryLogger(lines: Line[]): Logger {
  const at =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      lines.push({ level, event, fields });
    };
  return {
    ...{ info: at("info"), warn: at("warn"), error: at("error") },
    problem: (event, thrown, fields) => {
      const code = thrown instanceof Error && "code" in thrown ? thrown.code : "internal";
      lines.push({ level: "warn", event, fields: { code, ...fields } });
    },
  };
}

export type BenchOptions = Partial<BatteryOptions> &
  Partial<Omit<ControlDeskOptions, "clock" | "source" | "leases" | "actuated" | "logger">> & {
    /** Whether the intake reports what the battery and the grid connection do; default yes. */
    readonly feeds?: boolean;
  };

/** A desk over a simulated battery, both on one clock that is in hand. */
export class DeskBench {
  readonly battery: SimulatedBattery;
  readonly store: MemoryStore = new MemoryStore();
  readonly actuated: Actuated[] = [];
  readonly superseded: (readonly [Hold, Hold])[] = [];
  readonly ended: (readonly [Hold, string])[] = [];
  readonly lines: Line[] = [];
  /** What is reported each second. */
  feeds: { meter: boolean; charge: boolean; heartbeat: boolean };
  desk: ControlDesk;
  control: Controllable | undefined;
  register: LeaseRegister;
  bootId = "boot-1";
  #bootMs = 0;
  readonly #options: BenchOptions;

  constructor(options: BenchOptions = {}) {
    const { reverts = "device", feeds = true } = options;
    this.#options = options;
    this.battery = new SimulatedBattery({ ...options, reverts });
    this.control = this.battery.open();
    this.feeds = { meter: feeds, charge: feeds, heartbeat: false };
    [this.desk, this.register] = this.#start();
  }

  /** The desk's clock. */
  get nowMs(): number {
    return this.battery.nowMs - this.#bootMs;
  }

  /** The agent is gone from one instant to the next; time may pass before it is there again. */
  kill(): void {
    this.control = undefined;
    // What it was about to write is not written any more.
    this.battery.open();
  }

  restart(): void {
    this.control = this.battery.open();
    [this.desk, this.register] = this.#start();
  }

  /** As {@link kill}, and the machine with it: its clock begins anew. */
  reboot(): void {
    this.kill();
    this.bootId = `${this.bootId}-again`;
    this.#bootMs = this.battery.nowMs;
  }

  lose(): void {
    this.battery.line = "down";
    this.control = undefined;
    this.desk.lost("battery");
  }

  find(): void {
    this.battery.line = "up";
    this.control = this.battery.open();
    this.desk.identified("battery");
  }

  async pass(seconds: number, look: () => void = () => undefined): Promise<void> {
    for (let left = seconds; left > 0; left -= 1) {
      this.battery.advance(1000);
      this.feed();
      this.desk.tick();
      await settled();
      look();
    }
  }

  feed(): void {
    const { desk, battery, feeds } = this;
    if (feeds.meter) desk.siteMeterRead(this.nowMs, battery.gridMw);
    if (feeds.charge) desk.stateOfCharge("battery", battery.chargePpm);
    if (feeds.charge) desk.devicePower("battery", battery.powerMw);
    if (feeds.heartbeat) desk.heartbeat(this.nowMs);
  }

  hold(authority: Authority, value: ControlValue | number, seconds: number = 600): Promise<ControlResult> {
    return this.desk.hold(this.asHold(authority, value, seconds));
  }

  asHold(authority: Authority, value: ControlValue | number, seconds: number = 600): Hold {
    return {
      ...{ device: "battery", authority, untilMonotonicMs: this.nowMs + seconds * 1000 },
      value: typeof value === "number" ? { kind: "powerSetpoint", powerMw: value } : value,
    };
  }

  events(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  #start(): [ControlDesk, LeaseRegister] {
    const register = new LeaseRegister(this.store, this.bootId);
    const desk = new ControlDesk({
      ...{ supervised: true, resources: [{ device: "battery", boundary: "device" }], ...this.#options },
      ...{ clock: { monotonicMs: () => this.nowMs }, leases: register, logger: memoryLogger(this.lines) },
      source: (device) => (device === "battery" ? this.control : undefined),
      actuated: (actuated) => this.actuated.push(actuated),
      superseded: (hold, by) => this.superseded.push([hold, by]),
      ended: (hold, reason) => this.ended.push([hold, reason]),
    });
    return [desk, register];
  }
}

/** Everything that can go on without time passing has gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
