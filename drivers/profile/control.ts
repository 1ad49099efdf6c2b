import { Problem } from "../../attest/problem.ts";
import { type ControlLimits, lowerOf } from "../control/options.ts";
import type { ControlPlan, ControlSurface, RegisterWrite } from "../control/surface.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  ControlRatings,
  ControlState,
} from "../control.ts";
import { present } from "../present.ts";
import { ratingOf } from "./battery.ts";
import type { CompiledCommand, CompiledProfile, CompiledRegister } from "./compiled.ts";
import { capabilityOf, planBack, planCommand, stateOfCommand } from "./control-command.ts";
import { rawFrom, writeRaw } from "./control-words.ts";
import { literalValue, type Values } from "./evaluate.ts";
import type { Literal, ProfileChannel, ProfileValue } from "./profile.ts";
import { isLiteral, termsOf } from "./terms.ts";

/** How the device is reached: before each command it is made sure that it is still the same one. */
export interface ProfileLine {
  readonly where: string;
  /** The named points, read now. */
  values(points: readonly string[]): Promise<Values>;
  readHolding(start: number, count: number): Promise<Uint16Array>;
  write(write: RegisterWrite): Promise<void>;
  /** Channels that the device has. */
  channels(): ReadonlySet<string>;
}

/** The commands that a profile's section `control` describes. */
export class ProfileSurface implements ControlSurface {
  readonly where: string;
  readonly #compiled: CompiledProfile;
  readonly #line: ProfileLine;
  readonly #limits: ControlLimits;

  constructor(compiled: CompiledProfile, line: ProfileLine, limits: ControlLimits) {
    this.where = line.where;
    this.#compiled = compiled;
    this.#line = line;
    this.#limits = limits;
  }

  capabilities(): readonly ControlCapability[] {
    const there = this.#line.channels();
    const commands = this.#compiled.commands.filter(({ command }) => there.has(command.channel));
    return commands.map((command) => capabilityOf(command, commands));
  }

  async ratings(): Promise<ControlRatings> {
    const { commands, profile } = this.#compiled;
    const powers = commands.map((one) => powersOf(one, profile.channels[one.command.channel]));
    const batteries = powers.flatMap(({ channel }) => (channel?.role === "storage" ? [channel] : []));
    const rated = powers.flatMap(({ into, out }) => [into, out]);
    const energies = batteries.flatMap(({ battery, stateOfCharge }) => [battery?.capacity, stateOfCharge]);
    const named = [...rated, ...energies].flatMap((value) => namesOf(value));
    const values = named.length === 0 ? undefined : await this.#line.values([...new Set(named)]);
    const read = (value: ProfileValue | Literal | undefined): number | undefined => milliOf(values, value);
    const of = (storage: boolean, way: "into" | "out"): number | undefined => {
      const mine = powers.filter(({ channel }) => (channel?.role === "storage") === storage);
      return mine.map((one) => read(one[way])).reduce(lowerOf, undefined);
    };
    return present<ControlRatings>({
      maxChargeMw: lowerOf(of(true, "into"), this.#limits.maxChargeMw),
      maxDischargeMw: lowerOf(of(true, "out"), this.#limits.maxDischargeMw),
      maxImportMw: lowerOf(of(false, "into"), this.#limits.maxImportMw),
      maxExportMw: lowerOf(of(false, "out"), this.#limits.maxExportMw),
      usableEnergyMwh: usableOf(batteries[0], read),
      ...reserveLimits(commands, read),
      responseMs: slowest(commands),
    });
  }

  async state(kind: ControlKind): Promise<ControlState> {
    const command = this.#command(kind);
    return stateOfCommand(command, await this.#raws(command.registers));
  }

  async plan(command: ControlCommand): Promise<ControlPlan> {
    const compiled = this.#command(command.kind);
    await this.#requireSettings(compiled);
    return planCommand(compiled, command, this.where);
  }

  async planRevert(kind: ControlKind, before: ControlState | undefined): Promise<readonly RegisterWrite[]> {
    const compiled = this.#command(kind);
    const off = compiled.revert.map(({ register, value }) => writeRaw(register, Number(value)));
    if (compiled.command.revertsTo === "automatic") return off;
    if (before?.active === false && off.length > 0) return off;
    if (before?.active === true && before.value !== undefined)
      return planBack(compiled, before.value, this.where);
    throw new Problem("control-no-before", `nobody says what ${kind} was before`, {
      where: this.where,
      hint: "give what apply() said it was",
    });
  }

  async write(write: RegisterWrite): Promise<void> {
    await this.#line.write(write);
  }

  #command(kind: ControlKind): CompiledCommand {
    const found = this.#compiled.commands.find((one) => one.kind === kind);
    if (found !== undefined) return found;
    throw new Problem("control-not-supported", "the device does not take this command", {
      where: this.where,
      got: kind,
    });
  }

  async #requireSettings({ requires }: CompiledCommand): Promise<void> {
    const raws = await this.#raws(requires.map(({ register }) => register));
    for (const { register, equals, hint } of requires) {
      const raw = raws.get(register.name);
      if (raw !== undefined && equals.includes(raw)) continue;
      throw new Problem("control-not-allowed", `the device's setting ${register.name} does not let it obey`, {
        where: this.where,
        expected: equals.join(" or "),
        got: String(raw),
        hint,
      });
    }
  }

  /** One request for each register: what lies between them need not be readable. */
  async #raws(registers: readonly CompiledRegister[]): Promise<ReadonlyMap<string, number>> {
    const raws = new Map<string, number>();
    for (const register of registers) {
      const words = await this.#line.readHolding(register.register.address, register.width);
      raws.set(register.name, rawFrom(register, words));
    }
    return raws;
  }
}

interface Powers {
  readonly channel: ProfileChannel | undefined;
  readonly into: ProfileValue | Literal | undefined;
  readonly out: ProfileValue | Literal | undefined;
}

/** What bounds a command: what its section says, or else its channel. */
function powersOf({ command }: CompiledCommand, channel: ProfileChannel | undefined): Powers {
  const storage = channel?.role === "storage";
  return {
    channel,
    into: command.maxImport ?? (storage ? channel?.battery?.maxCharge : undefined) ?? channel?.maxImport,
    out: command.maxExport ?? (storage ? channel?.battery?.maxDischarge : undefined) ?? channel?.maxExport,
  };
}

function namesOf(value: ProfileValue | Literal | undefined): readonly string[] {
  return value === undefined || isLiteral(value) ? [] : termsOf(value).map(({ name }) => name);
}

function milliOf(values: Values | undefined, value: ProfileValue | Literal | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (values !== undefined) return ratingOf(values, value);
  if (!isLiteral(value)) return undefined;
  const { numerator, denominator } = literalValue(value);
  return Number(numerator / denominator);
}

function usableOf(
  channel: ProfileChannel | undefined,
  read: (value: ProfileValue | Literal | undefined) => number | undefined,
): number | undefined {
  const capacityMwh = read(channel?.battery?.capacity);
  const chargePpm = read(channel?.stateOfCharge);
  if (capacityMwh === undefined || chargePpm === undefined) return undefined;
  return Number((BigInt(capacityMwh) * BigInt(chargePpm)) / 1_000_000n);
}

function reserveLimits(
  commands: readonly CompiledCommand[],
  read: (value: Literal | undefined) => number | undefined,
): { readonly minReservePpm: number | undefined; readonly maxReservePpm: number | undefined } {
  const reserve = commands.find(({ kind }) => kind === "stateOfChargeReserve")?.command;
  return { minReservePpm: read(reserve?.minReserve), maxReservePpm: read(reserve?.maxReserve) };
}

function slowest(commands: readonly CompiledCommand[]): number | undefined {
  const seconds = commands.flatMap(({ command }) => command.responseSeconds ?? []);
  return seconds.length === 0 ? undefined : 1000 * Math.max(...seconds);
}
