import { CONTROL_MODES, type ControlKind } from "../control.ts";
import { type Rational, rational, times } from "../modbus/rational.ts";
import type { CompiledCommand, CompiledRegister, CompiledWrite } from "./compiled.ts";
import type {
  CommandVariant,
  CommandWord,
  CommandWrite,
  ControlRegister,
  ControlUnit,
  Literal,
  Profile,
  ProfileCommand,
  ProfileValue,
} from "./profile.ts";
import type { Resolved } from "./reference-channels.ts";
import { invalidProfile, oneOf } from "./reference-points.ts";
import { isLiteral, termsOf } from "./terms.ts";
import { UNITS } from "./units.ts";

/** What one of a unit is in mW, ppm or ms. */
const CONTROL_UNITS: Readonly<Record<ControlUnit, string>> = {
  ...{ W: "1000", kW: "1000000", "%": "10000", s: "1000", min: "60000", none: "1" },
};

/** Raw values that a register holds. */
const RANGES: Readonly<Record<ControlRegister["type"], readonly [number, number]>> = {
  u16: [0, 0xffff],
  s16: [-0x8000, 0x7fff],
  u32: [0, 0xffff_ffff],
  s32: [-0x8000_0000, 0x7fff_ffff],
};

/** The word that stands for what a kind asks for, and the units that it can have. */
const WORDS: Readonly<Record<Exclude<ControlKind, "mode">, CommandWord>> = {
  ...{ powerSetpoint: "power", importLimit: "limit", exportLimit: "limit" },
  stateOfChargeReserve: "reserve",
};
const WORD_UNITS: Readonly<Record<CommandWord, readonly ControlUnit[]>> = {
  ...{ power: ["W", "kW"], limit: ["W", "kW"], reserve: ["%"], lease: ["s", "min"] },
};

/** Throws Problem `profile-invalid` where a command names what is not there, or cannot be what it says. */
export function compileCommands({ profile, points }: Resolved, file: string): readonly CompiledCommand[] {
  const { control } = profile;
  if (control === undefined) return [];
  const where = `${file}: control`;
  const registers = new Map(
    Object.entries(control.registers).map(
      ([name, register]) => [name, compiledRegister(profile, name, register)] as const,
    ),
  );
  for (const register of registers.values()) checkRegister(register, where);
  const compiled = Object.entries(control.commands).map(([kind, command]) =>
    new CommandCompiler({
      ...{ profile, points, registers, command },
      // Keys of the strict schema are kinds.
      kind: kind as ControlKind,
      where: `${where}.commands.${kind}`,
    }).compile(),
  );
  requireUsed(registers, compiled, where);
  return compiled;
}

function compiledRegister({ layout }: Profile, name: string, register: ControlRegister): CompiledRegister {
  const { type, wordOrder, scale, unit } = register;
  const width = type.endsWith("32") ? 2 : 1;
  return {
    ...{ name, register, width },
    wordOrder: wordOrder ?? layout.wordOrder ?? "big",
    functionCode: register.function ?? (width === 1 ? 6 : 16),
    factor: factorOf(scale, unit),
  };
}

function factorOf(scale: number | string, unit: ControlUnit): Rational {
  return times(rational(scale), rational(CONTROL_UNITS[unit]));
}

function checkRegister({ name, register, width }: CompiledRegister, where: string): void {
  if (register.address + width > 65_536)
    throw invalidProfile(`${where}.registers.${name}`, "it ends behind the last register");
}

function requireUsed(
  registers: ReadonlyMap<string, CompiledRegister>,
  commands: readonly CompiledCommand[],
  where: string,
): void {
  const used = new Set(
    commands.flatMap((one) => [
      ...one.registers.map(({ name }) => name),
      ...one.requires.map(({ register }) => register.name),
      ...[...one.apply.values()].flat().map(({ register }) => register.name),
      ...one.revert.map(({ register }) => register.name),
    ]),
  );
  const idle = [...registers.keys()].find((name) => !used.has(name));
  if (idle !== undefined) throw invalidProfile(`${where}.registers.${idle}`, "no command uses it");
}

interface CommandContext extends Resolved {
  readonly registers: ReadonlyMap<string, CompiledRegister>;
  readonly kind: ControlKind;
  readonly command: ProfileCommand;
  readonly where: string;
}

class CommandCompiler {
  readonly #context: CommandContext;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  compile(): CompiledCommand {
    const { kind, command } = this.#context;
    this.#checkChannel();
    this.#checkVariants();
    this.#checkRatings();
    const apply = new Map(
      Object.entries(command.apply).map(
        // Keys of the strict schema are variants.
        ([variant, writes]) => [variant as CommandVariant, this.#writes(writes)] as const,
      ),
    );
    const revert = this.#writes(command.revert);
    this.#checkRevert(revert);
    const all = [...apply.values()].flat();
    for (const [variant, writes] of apply) this.#checkWords(variant, writes);
    return {
      ...{ kind, command, apply, revert },
      requires: command.requires.map((one) => ({ ...one, register: this.#register(one.register) })),
      registers: uniqueRegisters([...all, ...revert].filter(({ verify }) => verify)),
      value: this.#only(all, WORDS[kind === "mode" ? "powerSetpoint" : kind]),
      timer: this.#only(all, "lease"),
    };
  }

  #checkChannel(): void {
    const { profile, command, where } = this.#context;
    if (profile.channels[command.channel] === undefined)
      throw invalidProfile(where, "no such channel", oneOf(profile.channels, command.channel));
    const { shortestSeconds, longestSeconds } = command.lease;
    if (shortestSeconds > longestSeconds)
      throw invalidProfile(where, "the shortest lease is longer than the longest", {
        got: `${shortestSeconds} and ${longestSeconds} s`,
      });
  }

  #checkVariants(): void {
    const { kind, command, where } = this.#context;
    const given = Object.keys(command.apply);
    const fits =
      kind === "mode"
        ? given.length > 0 && given.every((one) => Object.hasOwn(CONTROL_MODES, one))
        : kind === "powerSetpoint"
          ? given.every((one) => ["any", "into", "outOf", "zero"].includes(one)) &&
            (given.includes("any")
              ? given.length === 1
              : given.some((one) => one === "into" || one === "outOf"))
          : given.length === 1 && given[0] === "any";
    if (fits) return;
    throw invalidProfile(`${where}.apply`, "these are not the cases of this kind", {
      expected: EXPECTED_VARIANTS[kind],
      got: given.join(", "),
    });
  }

  #checkRatings(): void {
    const { profile, points, command, where } = this.#context;
    for (const rating of [command.maxImport, command.maxExport]) {
      if (rating === undefined) continue;
      const quantities = isLiteral(rating)
        ? [UNITS[rating.unit].quantity]
        : namesOf(rating).map((name) => points.get(name)?.quantity);
      for (const [at, quantity] of quantities.entries()) {
        if (quantity === "power") continue;
        const name = isLiteral(rating) ? rating.unit : namesOf(rating)[at];
        throw quantity === undefined
          ? invalidProfile(where, "no such point", oneOf(profile.points, name ?? ""))
          : invalidProfile(where, `${name} is no power`, { expected: "a unit of power", got: quantity });
      }
    }
  }

  #checkRevert(revert: readonly CompiledWrite[]): void {
    const { command, where, kind } = this.#context;
    if (revert.some(({ value }) => typeof value === "string"))
      throw invalidProfile(`${where}.revert`, "what ends a command does not hang on its value", {
        expected: "raw values",
      });
    if (!revert.some(({ verify }) => verify) && command.revertsTo === "automatic")
      throw invalidProfile(`${where}.revert`, "nothing ends the command, and nothing shows that it is over", {
        hint: "give what to write, or say revertsTo: before",
      });
    if (kind === "stateOfChargeReserve" && command.revertsTo !== "before")
      throw invalidProfile(where, "a reserve is the owner's setting", { expected: "revertsTo: before" });
  }

  /** Each case writes its value exactly once, and the lease in all cases or in none. */
  #checkWords(variant: CommandVariant, writes: readonly CompiledWrite[]): void {
    const { kind, where, command } = this.#context;
    const place = `${where}.apply.${variant}`;
    const word = kind === "mode" ? undefined : WORDS[kind];
    const words = writes.flatMap(({ value }) => (typeof value === "string" ? [value] : []));
    const wrong = words.find((one) => one !== word && one !== "lease");
    if (wrong !== undefined)
      throw invalidProfile(place, `${wrong} is not what ${kind} asks for`, {
        expected: word ?? "raw values",
      });
    const needed = variant === "zero" || word === undefined ? 0 : 1;
    const count = words.filter((one) => one === word).length;
    if (count !== needed)
      throw invalidProfile(place, "the value is written once", {
        expected: `${needed} write of ${word}`,
        got: String(count),
      });
    const timed = Object.values(command.apply).filter((one) => one.some(({ value }) => value === "lease"));
    if (timed.length > 0 && words.filter((one) => one === "lease").length !== 1)
      throw invalidProfile(place, "the lease is written in one case and not in another");
    if (variant === "any" && kind === "powerSetpoint") this.#checkSigned(writes, place);
  }

  #checkSigned(writes: readonly CompiledWrite[], place: string): void {
    const value = writes.find((one) => one.value === "power")?.register.register;
    if (value === undefined || (value.positive !== undefined && value.type.startsWith("s"))) return;
    throw invalidProfile(place, "one case for both directions needs a signed register", {
      expected: "type s16 or s32, and positive: import or export",
      got: value.type,
    });
  }

  #writes(writes: readonly CommandWrite[]): readonly CompiledWrite[] {
    return writes.map(({ register: name, value, verify }) => {
      const register = this.#register(name);
      const [least, most] = RANGES[register.register.type];
      const { where } = this.#context;
      if (typeof value === "number" && (value < least || value > most))
        throw invalidProfile(where, `${name} cannot hold this`, {
          expected: `${least} to ${most}`,
          got: String(value),
        });
      if (typeof value === "string" && !WORD_UNITS[value].includes(register.register.unit))
        throw invalidProfile(where, `${name} is no ${value}`, {
          expected: `a unit ${WORD_UNITS[value].join(" or ")}`,
          got: register.register.unit,
        });
      return { register, value, verify };
    });
  }

  #register(name: string): CompiledRegister {
    const { registers, where } = this.#context;
    const found = registers.get(name);
    if (found !== undefined) return found;
    throw invalidProfile(where, "no such register of control", oneOf(Object.fromEntries(registers), name));
  }

  #only(writes: readonly CompiledWrite[], word: CommandWord): CompiledRegister | undefined {
    return writes.find(({ value }) => value === word)?.register;
  }
}

const EXPECTED_VARIANTS: Readonly<Record<ControlKind, string>> = {
  powerSetpoint: '"any", or "into" and "outOf", perhaps with "zero"',
  ...{ importLimit: '"any"', exportLimit: '"any"', stateOfChargeReserve: '"any"' },
  mode: `some of ${Object.keys(CONTROL_MODES).join(", ")}`,
};

function uniqueRegisters(writes: readonly CompiledWrite[]): readonly CompiledRegister[] {
  return [...new Map(writes.map(({ register }) => [register.name, register] as const)).values()];
}

function namesOf(value: ProfileValue | Literal): readonly string[] {
  return isLiteral(value) ? [] : termsOf(value).map(({ name }) => name);
}
