import { rational, times, truncated } from "../modbus/rational.ts";
import type {
  CommandVariant,
  CommandWrite,
  ControlRegister,
  Profile,
  ProfileCommand,
  ProfileControl,
} from "../profile/profile.ts";
import { BATTERY } from "./home.ts";
import type { SimulatedControlFault } from "./profile-faults.ts";
import { DelayedSteering, type Steering } from "./steering.ts";

/** How long a command takes to be obeyed. */
export const RESPONSE_MS = { usual: 500, late: 20_000 } as const;

/** What one of a unit is in mW, ppm or ms; written down a second time, as everything of a simulated device. */
const UNIT: Readonly<Record<ControlRegister["unit"], string>> = {
  ...{ W: "1e3", kW: "1e6", "%": "1e4", s: "1e3", min: "6e4", none: "1" },
};
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;
/** Bits that a wrong read-back differs in. */
const WRONG = 0x15;
/** The least that a profile's device obeys with this fault, as part of the battery's power. */
const MANAGEMENT_PART = 4;

interface Commands {
  readonly profile: Profile;
  readonly control: ProfileControl;
  /** Powers of the site are a so many-th of the home's. */
  readonly divisor: number;
}

/**
 * Registers that a device of a profile takes commands in, and what they do to its site. Shares no code with what writes
 * and reads them, so that a slip in either shows.
 */
export class SimulatedCommands {
  readonly #commands: Commands;
  readonly #words = new Map<number, number>();
  readonly #deadlines = new Map<string, number>();
  readonly #steering = new DelayedSteering();
  #faults: ReadonlySet<SimulatedControlFault> = new Set();

  constructor(commands: Commands) {
    this.#commands = commands;
    const { registers, commands: all } = commands.control;
    for (const name of Object.keys(registers)) this.#put(name, 0);
    for (const command of Object.values(all)) {
      for (const { register, equals } of command.requires) this.#put(register, equals[0] ?? 0);
      for (const { register, value } of command.revert) this.#put(register, Number(value));
    }
    const reserve = all.stateOfChargeReserve?.apply.any?.find(({ value }) => value === "reserve");
    if (reserve !== undefined) this.#put(reserve.register, this.#raw(reserve.register, BATTERY.reservePpm));
  }

  setFaults(faults: readonly SimulatedControlFault[], nowMs: number): void {
    this.#faults = new Set(faults);
    this.#tell(nowMs);
  }

  /** What a client reads there; undefined for a register that no command has. */
  read(address: number): number | undefined {
    const word = this.#words.get(address);
    if (word === undefined || !this.#faults.has("wrong-readback")) return word;
    return this.#asked().some(([name]) => this.#lastAddress(name) === address) ? word ^ WRONG : word;
  }

  /** Takes registers, or gives the exception that they are refused with. */
  write(start: number, values: readonly number[], nowMs: number): number | undefined {
    this.expire(nowMs);
    if (values.some((_, at) => !this.#words.has(start + at))) return ILLEGAL_ADDRESS;
    const whole = Object.entries(this.#commands.control.registers).filter(
      ([, { address, type }]) => address >= start && address + width(type) <= start + values.length,
    );
    const covered = whole.reduce((sum, [, { type }]) => sum + width(type), 0);
    if (covered !== values.length) return ILLEGAL_VALUE;
    for (const [at, value] of values.entries()) this.#words.set(start + at, value);
    if (this.#faults.has("clamps-silently")) this.#clamp(whole.map(([name]) => name));
    this.#startTimers(
      whole.map(([name]) => name),
      nowMs,
    );
    this.#tell(nowMs);
    return undefined;
  }

  /** Ends the commands whose time is over. */
  expire(nowMs: number): void {
    for (const [kind, deadline] of this.#deadlines) {
      if (nowMs < deadline || this.#faults.has("forgets-timer")) continue;
      this.#deadlines.delete(kind);
      for (const { register, value, verify } of this.#command(kind)?.revert ?? [])
        if (verify) this.#put(register, Number(value));
      this.#tell(deadline);
    }
  }

  /** What the site is told at an instant. */
  at(nowMs: number): Steering {
    this.expire(nowMs);
    const managementMw = BATTERY.limitMw / this.#commands.divisor / MANAGEMENT_PART;
    const limit = this.#faults.has("bms-limit") ? { managementMw } : {};
    return { ...this.#steering.at(nowMs), ...limit };
  }

  #tell(nowMs: number): void {
    const response = this.#faults.has("obeys-late") ? RESPONSE_MS.late : RESPONSE_MS.usual;
    this.#steering.tell(nowMs, this.#faults.has("ignores-command") ? {} : this.#told(), response);
  }

  #told(): Steering {
    const parts = Object.entries(this.#commands.control.commands).map(([kind, command]) =>
      this.#effectOf(kind, command),
    );
    return Object.assign({}, ...parts);
  }

  #effectOf(kind: string, command: ProfileCommand): Steering {
    const ending = command.revert.filter(({ verify }) => verify);
    if (ending.length > 0 && ending.every((write) => this.#holds(write))) return {};
    const found = Object.entries(command.apply).find(([, writes]) =>
      writes.every((write) => typeof write.value === "string" || !write.verify || this.#holds(write)),
    );
    if (found === undefined) return {};
    const [variant, writes] = found;
    const asked = writes.find(({ value }) => typeof value === "string" && value !== "lease");
    const value = asked === undefined ? 0 : this.#value(asked.register);
    const into = variant === "outOf" || this.#isExport(variant, asked) ? 0 - value : value;
    return this.#effect(kind, { channel: command.channel, value, into, variant });
  }

  #effect(
    kind: string,
    {
      channel,
      value,
      into,
      variant,
    }: {
      readonly channel: string;
      readonly value: number;
      readonly into: number;
      readonly variant: string;
    },
  ): Steering {
    const role = this.#commands.profile.channels[channel]?.role;
    switch (kind) {
      case "powerSetpoint":
        return role === "storage" ? { batteryMw: into } : { gridMw: into };
      case "importLimit":
        return { chargeLimitMw: value };
      case "exportLimit":
        if (role === "storage") return { dischargeLimitMw: value };
        return role === "generation" ? { generationLimitMw: value } : { exportLimitMw: value };
      case "stateOfChargeReserve":
        return { reservePpm: value };
      default:
        return MODES[variant] ?? {};
    }
  }

  #isExport(variant: string, asked: CommandWrite | undefined): boolean {
    const register = this.#commands.control.registers[asked?.register ?? ""];
    return variant === ("any" satisfies CommandVariant) && register?.positive === "export";
  }

  /** Time runs anew from every write to what belongs to a command with a time. */
  #startTimers(written: readonly string[], nowMs: number): void {
    for (const [kind, command] of Object.entries(this.#commands.control.commands)) {
      const writes = Object.values(command.apply).flat();
      const timer = writes.find(({ value }) => value === "lease");
      if (timer === undefined || !writes.some(({ register }) => written.includes(register))) continue;
      const leaseMs = this.#value(timer.register);
      if (leaseMs > 0) this.#deadlines.set(kind, nowMs + leaseMs);
      else this.#deadlines.delete(kind);
    }
  }

  #clamp(written: readonly string[]): void {
    for (const [name] of this.#asked())
      if (written.includes(name)) this.#put(name, Math.trunc(this.#rawOf(name) / 2));
  }

  /** Registers that hold what is asked for. */
  #asked(): readonly (readonly [string, CommandWrite])[] {
    return Object.values(this.#commands.control.commands)
      .flatMap(({ apply }) => Object.values(apply).flat())
      .filter(({ value }) => typeof value === "string" && value !== "lease")
      .map((write) => [write.register, write] as const);
  }

  #holds({ register, value }: CommandWrite): boolean {
    return this.#rawOf(register) === value;
  }

  #command(kind: string): ProfileCommand | undefined {
    return Object.entries(this.#commands.control.commands).find(([name]) => name === kind)?.[1];
  }

  #value(name: string): number {
    const { scale = 1, unit = "none" } = this.#commands.control.registers[name] ?? {};
    const factor = times(rational(scale), rational(UNIT[unit]));
    return Number(truncated(times(rational(this.#rawOf(name)), factor)));
  }

  #raw(name: string, value: number): number {
    const { scale = 1, unit = "none" } = this.#commands.control.registers[name] ?? {};
    const { numerator, denominator } = times(rational(scale), rational(UNIT[unit]));
    return Number((BigInt(value) * denominator) / numerator);
  }

  #rawOf(name: string): number {
    const [register, addresses] = this.#place(name);
    const words = addresses.map((address) => this.#words.get(address) ?? 0);
    const bits = words.reduce((sum, word) => sum * 65_536 + word, 0);
    const size = 65_536 ** words.length;
    return register?.type.startsWith("s") === true && bits >= size / 2 ? bits - size : bits;
  }

  #put(name: string, raw: number): void {
    const [, addresses] = this.#place(name);
    const size = 65_536 ** addresses.length;
    let bits = raw < 0 ? raw + size : raw;
    for (const address of addresses.toReversed()) {
      this.#words.set(address, bits % 65_536);
      bits = Math.floor(bits / 65_536);
    }
  }

  /** Addresses from the most significant word on. */
  #place(name: string): readonly [ControlRegister | undefined, readonly number[]] {
    const { profile, control } = this.#commands;
    const register = control.registers[name];
    if (register === undefined) return [undefined, []];
    const addresses = Array.from({ length: width(register.type) }, (_, at) => register.address + at);
    const little = (register.wordOrder ?? profile.layout.wordOrder) === "little";
    return [register, little ? addresses.toReversed() : addresses];
  }

  #lastAddress(name: string): number | undefined {
    return this.#place(name)[1].at(-1);
  }
}

const MODES: Readonly<Record<string, Steering>> = {
  hold: { batteryMw: 0 },
  chargeOnly: { dischargeLimitMw: 0 },
  dischargeOnly: { chargeLimitMw: 0 },
};

function width(type: ControlRegister["type"]): number {
  return type.endsWith("32") ? 2 : 1;
}
