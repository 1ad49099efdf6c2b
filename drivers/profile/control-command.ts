import { Problem } from "../../attest/problem.ts";
import type { ControlPlan, RegisterWrite } from "../control/surface.ts";
import { numberOf, withNumber } from "../control/values.ts";
import {
  CONTROL_MODES,
  type ControlCapability,
  type ControlCommand,
  type ControlMode,
  type ControlState,
  type ControlValue,
} from "../control.ts";
import { present } from "../present.ts";
import type { CompiledCommand, CompiledWrite } from "./compiled.ts";
import { type RawValues, stepSize, stepsOf, stepsUp, valueOfSteps, writeRaw } from "./control-words.ts";
import type { CommandVariant } from "./profile.ts";

/** What a command of a profile is, as every device's capability says it. */
export function capabilityOf(
  { kind, command, timer, value, apply, registers }: CompiledCommand,
  all: readonly CompiledCommand[],
): ControlCapability {
  const { channel, revertsTo, lease } = command;
  const names = new Set(registers.map(({ name }) => name));
  const others = all.filter((one) => one.kind !== kind && one.registers.some(({ name }) => names.has(name)));
  return present<ControlCapability>({
    ...{ kind, channel, revertsTo, ramp: false, step: stepSize(value) },
    reverts: timer === undefined ? "holder" : "device",
    shortestLeaseMs: lease.shortestSeconds * 1000,
    longestLeaseMs: lease.longestSeconds * 1000,
    excludes: others.map((one) => one.kind),
    modes: kind === "mode" ? [...apply.keys()].filter(isMode) : undefined,
  });
}

/** What registers say of a command: nothing of it, a value of it, or something else. */
export function stateOfCommand(compiled: CompiledCommand, raws: RawValues): ControlState {
  const { kind, command, apply, revert } = compiled;
  const place = { kind, channel: command.channel };
  const ending = revert.filter(({ verify }) => verify);
  if (ending.length > 0 && ending.every((write) => isThere(write, raws))) return { ...place, active: false };
  for (const [variant, writes] of apply) {
    const shown = writes.filter(({ verify, value }) => verify && value !== "lease");
    if (!shown.every((write) => isThere(write, raws))) continue;
    const value = valueShown(compiled, { variant, writes: shown, raws });
    return present<ControlState>({ ...place, active: true, value });
  }
  return { ...place, active: undefined };
}

/** A raw value is there; any value of what was asked for is. */
function isThere({ register, value }: CompiledWrite, raws: RawValues): boolean {
  return typeof value === "string" || raws.get(register.name) === value;
}

interface Shown {
  readonly variant: CommandVariant;
  readonly writes: readonly CompiledWrite[];
  readonly raws: RawValues;
}

function valueShown({ kind }: CompiledCommand, { variant, writes, raws }: Shown): ControlValue | undefined {
  if (kind === "mode") return isMode(variant) ? { kind, mode: variant } : undefined;
  const asked = writes.find(({ value }) => typeof value === "string");
  const raw = raws.get(asked?.register.name ?? "");
  const shown = asked === undefined ? 0 : raw === undefined ? undefined : valueOfSteps(asked.register, raw);
  if (shown === undefined) return undefined;
  return withNumber(emptyOf(kind), shown === 0 ? 0 : shown * directionOf(variant, asked));
}

/** 1 where more of the register is more into the boundary, or there is no direction. */
function directionOf(variant: CommandVariant, asked: CompiledWrite | undefined): 1 | -1 {
  if (variant === "outOf") return -1;
  return variant === "any" && asked?.register.register.positive === "export" ? -1 : 1;
}

function emptyOf(kind: Exclude<ControlValue["kind"], "mode">): ControlValue {
  if (kind === "powerSetpoint") return { kind, powerMw: 0 };
  return kind === "stateOfChargeReserve" ? { kind, reservePpm: 0 } : { kind, limitMw: 0 };
}

/** The writes of a command. Throws `control-not-expressible`, `control-not-supported`. */
export function planCommand(compiled: CompiledCommand, command: ControlCommand, where: string): ControlPlan {
  const variant = variantOf(compiled, command, where);
  const lease = leaseRaw(compiled, command, where);
  const asked = compiled.apply
    .get(variant)
    ?.find(({ value }) => typeof value === "string" && value !== "lease");
  const raw = askedRaw({ command, asked, variant, where });
  const writes = (compiled.apply.get(variant) ?? []).map(
    (write) =>
      [write, write.value === "lease" ? lease : typeof write.value === "number" ? write.value : raw] as const,
  );
  requireNotOff(compiled, new Map(writes.map(([{ register }, value]) => [register.name, value])), where);
  const shown = asked === undefined ? 0 : valueOfSteps(asked.register, raw) * directionOf(variant, asked);
  return {
    written: withNumber(plain(command), shown === 0 ? 0 : shown),
    leaseMs: compiled.timer === undefined ? command.leaseMs : valueOfSteps(compiled.timer, lease),
    writes: writes.map(([{ register }, value]) => writeRaw(register, value)),
  };
}

/** Writes that put a value back that was there before, without its lease. */
export function planBack(
  compiled: CompiledCommand,
  value: ControlValue,
  where: string,
): readonly RegisterWrite[] {
  return planCommand(compiled, { ...value, leaseMs: 0 }, where).writes;
}

interface Asked {
  readonly command: ControlCommand;
  readonly asked: CompiledWrite | undefined;
  readonly variant: CommandVariant;
  readonly where: string;
}

function askedRaw({ command, asked, variant, where }: Asked): number {
  if (asked === undefined || command.kind === "mode") return 0;
  const number = numberOf(command) * directionOf(variant, asked);
  return asked.value === "reserve"
    ? stepsUp(asked.register, number, where)
    : stepsOf(asked.register, number === 0 ? 0 : number, where);
}

function variantOf({ apply }: CompiledCommand, command: ControlCommand, where: string): CommandVariant {
  if (command.kind === "mode") return command.mode;
  if (apply.has("any")) return "any";
  const number = numberOf(command);
  const zero: CommandVariant = apply.has("zero") ? "zero" : apply.has("into") ? "into" : "outOf";
  const variant = number === 0 ? zero : number > 0 ? "into" : "outOf";
  if (apply.has(variant)) return variant;
  throw new Problem("control-not-supported", "the device cannot be told this direction", {
    where,
    expected: [...apply.keys()].join(" or "),
    got: String(number),
  });
}

function leaseRaw({ timer }: CompiledCommand, { leaseMs }: ControlCommand, where: string): number {
  return timer === undefined ? 0 : stepsOf(timer, leaseMs, where);
}

/** A value whose registers mean that nothing is commanded, such as 0 W where 0 gives the device back to itself. */
function requireNotOff({ revert, kind }: CompiledCommand, written: RawValues, where: string): void {
  const ending = revert.filter(({ verify }) => verify);
  const off =
    ending.length > 0 && ending.every(({ register, value }) => written.get(register.name) === value);
  if (!off) return;
  throw new Problem(
    "control-not-expressible",
    `to this device such a ${kind} means that nothing is asked for`,
    {
      where,
      hint: "ask for a little more or less, or revert",
    },
  );
}

function plain(command: ControlCommand): ControlValue {
  const { leaseMs, rampMwPerS, ...value } = command;
  return value;
}

function isMode(variant: CommandVariant): variant is ControlMode {
  return Object.hasOwn(CONTROL_MODES, variant);
}
