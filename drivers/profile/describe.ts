import type { ChannelDescription } from "../driver.ts";
import { approximate, type Rational, times, truncated } from "../modbus/rational.ts";
import { present } from "../present.ts";
import { ratingOf } from "./battery.ts";
import type { CompiledPoint, CompiledProfile } from "./compiled.ts";
import { literalValue, type Values } from "./evaluate.ts";
import type { ProfileChannel, ProfileValue, Ratio } from "./profile.ts";
import { inReadingUnits, type SignOverride } from "./readings.ts";
import { termsOf } from "./terms.ts";
import { verificationOf } from "./verification.ts";

export interface DescriptionContext {
  readonly compiled: CompiledProfile;
  /** Everything that the profile reads, once. */
  readonly values: Values;
  readonly signs: SignOverride;
  /** Snapshots that this device does not have. */
  readonly missing: ReadonlySet<string>;
}

/** The channels of a device as it shows itself now; one of which nothing can be read is left out. */
export function describeChannels(context: DescriptionContext): readonly ChannelDescription[] {
  return Object.entries(context.compiled.profile.channels).flatMap(([name, channel]) =>
    describeChannel(context, name, channel),
  );
}

function describeChannel(
  context: DescriptionContext,
  name: string,
  channel: ProfileChannel,
): ChannelDescription[] {
  const { compiled, values } = context;
  const quantities = QUANTITIES.filter((quantity) => hasValue(context, channel[quantity]));
  if (quantities.length === 0) return [];
  const energy = channel.import ?? channel.export;
  const sign = context.signs[name] === undefined ? channel.sign?.source : `configuration: positive.${name}`;
  return [
    present<ChannelDescription>({
      name,
      role: channel.role,
      quantities,
      resolutionMwh: energy === undefined ? undefined : resolutionOf(values, channel),
      rolloverMwh: energy === undefined ? undefined : rolloverOf(compiled, values, channel),
      maxImportMw: ratingOf(values, channel.maxImport),
      maxExportMw: ratingOf(values, channel.maxExport),
      signSource: sign,
      signVerified: signSeen(context, name, channel),
      ctRatio: ratioOf(values, channel.ctRatio),
      vtRatio: ratioOf(values, channel.vtRatio),
      accuracyClass: channel.accuracyClass,
      profileDigest: compiled.digest,
    }),
  ];
}

const QUANTITIES = ["import", "export", "power", "stateOfCharge"] as const;

function hasValue({ compiled, missing }: DescriptionContext, value: ProfileValue | undefined): boolean {
  if (value === undefined) return false;
  return termsOf(value).every(({ name }) => !missing.has(compiled.points.get(name)?.point.snapshot ?? ""));
}

/** Undefined where there is no power whose sign could be doubted. A configured sign is the installer's own finding. */
function signSeen(context: DescriptionContext, name: string, channel: ProfileChannel): boolean | undefined {
  if (channel.power === undefined) return undefined;
  if (context.signs[name] !== undefined) return true;
  return verificationOf(context.compiled.profile).signsSeen.includes(name);
}

function resolutionOf(values: Values, channel: ProfileChannel): number | undefined {
  const steps = [channel.import, channel.export].flatMap((value) => {
    const number = value === undefined ? { absent: "" } : inReadingUnits(values.value(value));
    return "absent" in number ? [] : [number.value.resolution];
  });
  return steps.length === 0 ? undefined : Math.max(...steps);
}

/** Where the registers begin again at 0: as documented, or as their width and scale give it. */
function rolloverOf(
  { points }: CompiledProfile,
  values: Values,
  channel: ProfileChannel,
): number | undefined {
  const { modulus, wraps } = channel.counter;
  if (!wraps) return undefined;
  if (modulus !== undefined) return whole(literalValue(modulus));
  const terms = [channel.import, channel.export].flatMap((value) =>
    value === undefined ? [] : [termsOf(value)],
  );
  // A sum of registers wraps where none of them does.
  if (terms.some((list) => list.length > 1)) return undefined;
  const all = terms.flat().map(({ name }) => wrapOf(points.get(name), values));
  return all.every((one) => one === all[0]) ? all[0] : undefined;
}

const WIDTHS = { u16: 16, s16: 15, u32: 32, s32: 31, u64: 64, s64: 63 } as const;

function wrapOf(compiled: CompiledPoint | undefined, values: Values): number | undefined {
  if (compiled === undefined || compiled.point.bits !== undefined) return undefined;
  const { type, registers = 2 } = compiled.point;
  if (type === "float32" || type === "float64" || type === "text") return undefined;
  const steps = type === "bcd" ? 10n ** BigInt(4 * registers) : 1n << BigInt(WIDTHS[type]);
  const now = values.value(compiled.name);
  // Only the step is used; it carries a scale register's present value.
  return "absent" in now ? undefined : whole(times(now.value.step, { numerator: steps, denominator: 1n }));
}

function whole(value: Rational): number | undefined {
  const number = Number(truncated(value));
  return Number.isSafeInteger(number) ? number : undefined;
}

function ratioOf(values: Values, ratio: Ratio | undefined): readonly [number, number] | undefined {
  if (ratio === undefined) return undefined;
  if (typeof ratio === "string") return fraction(values, ratio);
  const [over, under] = ratio;
  const [a, b] = [fraction(values, over), fraction(values, under)];
  if (a === undefined || b === undefined) return undefined;
  return reduced(BigInt(a[0]) * BigInt(b[1]), BigInt(a[1]) * BigInt(b[0]));
}

/** An exact number above zero as a fraction in lowest terms. */
function fraction(values: Values, part: string | number): readonly [number, number] | undefined {
  if (typeof part === "number") return [part, 1];
  const exact = values.asked(part) ? values.value(part) : { absent: "not asked for" };
  if ("absent" in exact) return undefined;
  return reduced(exact.value.value.numerator, exact.value.value.denominator);
}

function reduced(numerator: bigint, denominator: bigint): readonly [number, number] | undefined {
  if (numerator <= 0n || denominator <= 0n) return undefined;
  const divisor = commonDivisor(numerator, denominator);
  const pair = [Number(numerator / divisor), Number(denominator / divisor)] as const;
  return pair.every(Number.isSafeInteger) ? pair : undefined;
}

function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b);
}

/** Values of all settings, to tell a change; the wording is for messages. */
export function settingsOf({ points }: CompiledProfile, values: Values): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const { name, point } of points.values()) {
    if (point.kind !== "setting" || !values.asked(name)) continue;
    const number = values.value(name);
    if (!("absent" in number)) settings.set(name, String(approximate(number.value.value)));
  }
  return settings;
}
