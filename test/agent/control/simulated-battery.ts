import { Problem } from "../../../attest/problem.ts";
import { LeasedControl } from "../../../drivers/control/leased.ts";
import type { ControlPlan, ControlSurface, RegisterWrite } from "../../../drivers/control/surface.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  Controllable,
  ControlRatings,
  ControlState,
} from "../../../drivers/control.ts";
import { SimulatedHome } from "../../../drivers/simulated/home.ts";
import type { SimulatedControlFault } from "../../../drivers/simulated/profile-faults.ts";
import type { Steering } from "../../../drivers/simulated/steering.ts";

/** Registers: time of the setpoint in s, its watts, whether it is on; the same of the export limit; the reserve in 0.1 %. */
const AT = { time: 0, watts: 1, on: 2, limitTime: 3, limit: 4, limitOn: 5, reserve: 6 } as const;
const RESPONSE_MS = 500;
const LATE_MS = 20_000;
const RATED_MW = 3_300_000;

export type BatteryFault = SimulatedControlFault;

export interface BatteryOptions {
  /** By whom the setpoint is ended. */
  readonly reverts: "device" | "holder";
  readonly ramp?: boolean;
  /** Time of the home's day at the start. */
  readonly dayMs?: number;
  /** Part of its power that is lost in each direction: much of it empties the battery quickly. */
  readonly lossPpm?: number;
  /** Called before anything is written to it that begins a command. */
  readonly onBegin?: () => void;
}

/** A battery in a simulated home that takes commands in memory, with its time in hand. */
export class SimulatedBattery {
  nowMs = 0;
  /** Calls wait while it hangs, and fail while it is down. */
  line: "up" | "down" | "hangs" = "up";
  readonly #options: BatteryOptions;
  readonly #home: SimulatedHome;
  /** What it was told and will do, the newest last. */
  #told: readonly { readonly fromMs: number; readonly steering: Steering }[] = [];
  readonly #registers: number[] = [0, 0, 0, 0, 0, 0, 100];
  readonly #ends = new Map<number, number>();
  #faults: ReadonlySet<BatteryFault> = new Set();
  #writes = 0;
  #waiting: (() => void)[] = [];
  #epoch = 0;

  constructor(options: BatteryOptions) {
    this.#options = options;
    const { dayMs, lossPpm = 0 } = options;
    this.#home = new SimulatedHome({
      startMs: 0,
      lossPpm,
      steering: (nowMs) => ({
        ...this.#steering(nowMs),
        ...(this.#faults.has("bms-limit") ? { managementMw: RATED_MW / 4 } : {}),
      }),
      ...(dayMs === undefined ? {} : { dayMs }),
    });
  }

  /** A line to it, as a driver has it after it has identified the device. What waits on an earlier one fails. */
  open(): Controllable {
    this.#epoch += 1;
    this.#release();
    return new LeasedControl(new Surface(this, this.#epoch, this.#options), () => true);
  }

  setFaults(faults: readonly BatteryFault[]): void {
    this.#faults = new Set(faults);
    this.#writes = 0;
    this.#tell();
  }

  /** Ends what hangs: calls on the newest line go through after all. */
  answer(): void {
    this.line = "up";
    this.#release();
  }

  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.nowMs += 100;
      this.#expire();
      this.#home.advanceTo(this.nowMs);
    }
  }

  /** What its registers tell it, whether it obeys or not. */
  get commandedMw(): number | undefined {
    return this.#get(AT.on) === 1 ? this.#get(AT.watts) * 1000 : undefined;
  }

  get limitedMw(): number | undefined {
    return this.#get(AT.limitOn) === 1 ? this.#get(AT.limit) * 1000 : undefined;
  }

  get reservePpm(): number {
    return this.#get(AT.reserve) * 1000;
  }

  /** What it obeys at this instant. */
  get obeyedMw(): number | undefined {
    return this.#steering(this.nowMs).batteryMw;
  }

  get powerMw(): number {
    return this.#home.powers.batteryMw;
  }

  get gridMw(): number {
    return this.#home.powers.gridMw;
  }

  get chargePpm(): number {
    return this.#home.stateOfChargePpm;
  }

  /** For the surface. */
  async request<T>(epoch: number, work: () => T): Promise<T> {
    while (this.line === "hangs" && epoch === this.#epoch)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.line === "down" || epoch !== this.#epoch) throw new Problem("modbus-timeout", "no answer");
    return work();
  }

  read(at: number): number {
    const isWrong =
      this.#faults.has("wrong-readback") && (at === AT.watts || at === AT.limit || at === AT.reserve);
    return this.#get(at) - (isWrong ? 20 : 0);
  }

  write({ start, values }: RegisterWrite): void {
    this.#writes += 1;
    if (this.#faults.has("loses-connection-in-the-middle") && this.#writes === 2)
      throw new Problem("modbus-timeout", "the connection is gone");
    if ((start === AT.on || start === AT.limitOn) && values[0] === 1) this.#options.onBegin?.();
    for (const [at, value] of values.entries()) this.#set(start + at, value);
    this.#tell();
  }

  #set(at: number, value: number): void {
    const isAsked = at === AT.watts || at === AT.limit;
    this.#registers[at] = isAsked && this.#faults.has("clamps-silently") ? Math.trunc(value / 2) : value;
    const time = at === AT.on ? AT.time : at === AT.limitOn ? AT.limitTime : undefined;
    if (time === undefined) return;
    this.#ends.delete(at);
    if (value === 1 && this.#get(time) > 0) this.#ends.set(at, this.nowMs + this.#get(time) * 1000);
  }

  #expire(): void {
    if (this.#faults.has("forgets-timer")) return;
    for (const [at, endMs] of this.#ends)
      if (this.nowMs >= endMs) {
        this.#set(at, 0);
        this.#tell();
      }
  }

  #tell(): void {
    const isDeaf = this.#faults.has("ignores-command");
    const { commandedMw, limitedMw } = this;
    const told = {
      ...(commandedMw === undefined || isDeaf ? {} : { batteryMw: commandedMw }),
      ...(limitedMw === undefined || isDeaf ? {} : { dischargeLimitMw: limitedMw }),
      reservePpm: this.reservePpm,
    };
    const fromMs = this.nowMs + (this.#faults.has("obeys-late") ? LATE_MS : RESPONSE_MS);
    // What is told later never comes into effect earlier.
    this.#told = [...this.#told.filter((one) => one.fromMs < fromMs), { fromMs, steering: told }];
  }

  #steering(nowMs: number): Steering {
    const begun = this.#told.findLastIndex(({ fromMs }) => fromMs <= nowMs);
    if (begun > 0) this.#told = this.#told.slice(begun);
    return this.#told[begun > 0 ? 0 : begun]?.steering ?? {};
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  #get(at: number): number {
    return this.#registers[at] ?? 0;
  }
}

class Surface implements ControlSurface {
  readonly where = "battery";
  readonly #battery: SimulatedBattery;
  readonly #epoch: number;
  readonly #options: BatteryOptions;

  constructor(battery: SimulatedBattery, epoch: number, options: BatteryOptions) {
    this.#battery = battery;
    this.#epoch = epoch;
    this.#options = options;
  }

  capabilities(): readonly ControlCapability[] {
    const { reverts, ramp = false } = this.#options;
    const lease = { shortestLeaseMs: 1000, longestLeaseMs: 3_600_000, channel: "battery", excludes: [] };
    return [
      { kind: "powerSetpoint", step: 1000, reverts, revertsTo: "automatic", ramp, ...lease },
      { kind: "exportLimit", step: 1000, reverts, revertsTo: "before", ramp: false, ...lease },
      {
        kind: "stateOfChargeReserve",
        step: 1000,
        reverts: "holder",
        revertsTo: "before",
        ramp: false,
        ...lease,
      },
    ];
  }

  ratings(): Promise<ControlRatings> {
    return this.#ask(() => ({ maxChargeMw: RATED_MW, maxDischargeMw: RATED_MW, maxExportMw: RATED_MW }));
  }

  state(kind: ControlKind): Promise<ControlState> {
    return this.#ask(() => {
      const at = (register: number): number => this.#battery.read(register);
      const head = { kind, channel: "battery" };
      if (kind === "stateOfChargeReserve")
        return { ...head, active: true, value: { kind, reservePpm: at(AT.reserve) * 1000 } };
      if (kind === "exportLimit")
        return at(AT.limitOn) === 1
          ? { ...head, active: true, value: { kind, limitMw: at(AT.limit) * 1000 } }
          : { ...head, active: false };
      return at(AT.on) === 1
        ? { ...head, active: true, value: { kind: "powerSetpoint", powerMw: at(AT.watts) * 1000 } }
        : { ...head, active: false };
    });
  }

  async plan(command: ControlCommand): Promise<ControlPlan> {
    const time = this.#options.reverts === "device" ? Math.floor(command.leaseMs / 1000) : 0;
    const leaseMs = this.#options.reverts === "device" ? time * 1000 : command.leaseMs;
    switch (command.kind) {
      case "powerSetpoint": {
        const watts = Math.trunc(command.powerMw / 1000);
        const writes = [write(AT.time, time), write(AT.watts, watts), write(AT.on, 1)];
        return { written: { kind: command.kind, powerMw: watts * 1000 }, leaseMs, writes };
      }
      case "exportLimit": {
        const watts = Math.trunc(command.limitMw / 1000);
        const writes = [write(AT.limitTime, time), write(AT.limit, watts), write(AT.limitOn, 1)];
        return { written: { kind: command.kind, limitMw: watts * 1000 }, leaseMs, writes };
      }
      case "stateOfChargeReserve": {
        const part = Math.ceil(command.reservePpm / 1000);
        const writes = [write(AT.reserve, part)];
        return { written: { kind: command.kind, reservePpm: part * 1000 }, leaseMs: command.leaseMs, writes };
      }
      default:
        throw new Problem("control-not-supported", "not this one");
    }
  }

  async planRevert(kind: ControlKind, before: ControlState | undefined): Promise<readonly RegisterWrite[]> {
    if (kind === "powerSetpoint") return [write(AT.on, 0)];
    if (before === undefined) throw new Problem("control-no-before", "nothing is known to go back to");
    const { value } = before;
    if (value?.kind === "exportLimit") return [write(AT.limit, value.limitMw / 1000), write(AT.limitOn, 1)];
    if (value?.kind === "stateOfChargeReserve") return [write(AT.reserve, value.reservePpm / 1000)];
    return [write(AT.limitOn, 0)];
  }

  write(request: RegisterWrite): Promise<void> {
    return this.#ask(() => this.#battery.write(request));
  }

  #ask<T>(work: () => T): Promise<T> {
    return this.#battery.request(this.#epoch, work);
  }
}

function write(start: number, value: number): RegisterWrite {
  return { start, values: [value], functionCode: 16 };
}
