import { type FlexibilityReading, type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, Doubt, Snapshot } from "../driver.ts";
import { approximate, compare, negated, plus, type Rational, rational, times } from "../modbus/rational.ts";
import { type Decoded, type ExactNumber, type ScaledNumber, scaled } from "../modbus/registers.ts";
import { present } from "../present.ts";
import { type BatteryRatings, batteryFlexibility } from "./battery.ts";
import type { CompiledProfile } from "./compiled.ts";
import type { Values } from "./evaluate.ts";
import type { ProfileChannel, ProfileCheck, ProfileValue } from "./profile.ts";

/** Direction of positive power by channel, where the configuration says otherwise than the profile. */
export type SignOverride = Readonly<Record<string, "import" | "export">>;

export interface ReadingContext {
  readonly compiled: CompiledProfile;
  readonly values: Values;
  readonly described: readonly ChannelDescription[];
  readonly signs: SignOverride;
  /** By channel. */
  readonly ratings: ReadonlyMap<string, BatteryRatings>;
}

/** What the answers of one reading say: a channel whose values were not asked for, or are all absent, has no reading. */
export function snapshotOf(context: ReadingContext): Snapshot {
  const { compiled, values, described } = context;
  const absent: string[] = [];
  const readings: MeterReading[] = [];
  const flexibility: FlexibilityReading[] = [];
  for (const description of described) {
    const channel = compiled.profile.channels[description.name];
    if (channel === undefined) continue;
    const reader = new ChannelReader(context, { channel, description, absent });
    readings.push(...reader.reading());
    const { name } = description;
    const ratings = context.ratings.get(name) ?? {};
    flexibility.push(...batteryFlexibility({ values, channel, name, ratings }));
  }
  const doubts = compiled.profile.checks.flatMap((check) => doubtOf(context, check));
  const frames = [values.frame];
  return { readings, flexibility, absent, ...(doubts.length === 0 ? {} : { doubts }), frames };
}

interface ReadChannel {
  readonly channel: ProfileChannel;
  readonly description: ChannelDescription;
  readonly absent: string[];
}

class ChannelReader {
  readonly #context: ReadingContext;
  readonly #read: ReadChannel;

  constructor(context: ReadingContext, read: ReadChannel) {
    this.#context = context;
    this.#read = read;
  }

  /** No reading or one. */
  reading(): MeterReading[] {
    const { channel, description } = this.#read;
    const into = this.#scaled("import", channel.import);
    const out = this.#scaled("export", channel.export);
    const values = present<Omit<MeterReading, "channel" | "evidence">>({
      importMwh: into?.value,
      exportMwh: out?.value,
      activePowerMw: this.#power(),
      stateOfChargePpm: this.#scaled("state of charge", channel.stateOfCharge)?.value,
      voltageMv: this.#phases("voltage", channel.voltage),
      currentMa: this.#phases("current", channel.current),
      frequencyMhz: this.#scaled("frequency", channel.frequency)?.value,
    });
    if (Object.keys(values).length === 0) return [];
    const resolution = largest(into?.resolution, out?.resolution);
    const extra = present<Pick<MeterReading, "resolutionMwh" | "status">>({
      resolutionMwh: resolution === description.resolutionMwh ? undefined : resolution,
      status: this.#status(into ?? out),
    });
    return [{ channel: description.name, ...values, ...extra, evidence: this.#context.values.evidence }];
  }

  #power(): number | undefined {
    const { channel, description } = this.#read;
    if (channel.power === undefined || channel.sign === undefined) return undefined;
    const power = this.#scaled("power", channel.power);
    const positive = this.#context.signs[description.name] ?? channel.sign.positive;
    return power === undefined || positive === "import" || power.value === 0 ? power?.value : -power.value;
  }

  /** A one-phase device of a three-phase profile has no second and third; one that is missing between is a gap. */
  #phases(what: string, names: readonly string[] | undefined): number[] | undefined {
    const all = (names ?? []).map((name, at) => this.#scaled(`${what} L${at + 1}`, name)?.value);
    const last = all.findLastIndex((value) => value !== undefined);
    // A direction of current stands in the power; a reading's current is a magnitude.
    const known = all.slice(0, last + 1).flatMap((value) => (value === undefined ? [] : [Math.abs(value)]));
    return known.length === 0 || known.length <= last ? undefined : known;
  }

  #scaled(what: string, value: ProfileValue | undefined): ScaledNumber | undefined {
    const { values } = this.#context;
    if (value === undefined || !values.asked(value)) return undefined;
    const number = inReadingUnits(values.value(value));
    if ("value" in number) return number.value;
    this.#read.absent.push(`${this.#read.description.name} ${what}: ${number.absent}`);
    return undefined;
  }

  #status(energy: ScaledNumber | undefined): number | undefined {
    const { channel } = this.#read;
    const state = channel.status === undefined ? undefined : this.#context.values.state(channel.status);
    const sum = channel.tariffSum && energy !== undefined ? READING_STATUS.tariffSum : 0;
    if (state === undefined) return sum === 0 ? undefined : sum;
    return (
      sum |
      (state === "fault" ? READING_STATUS.deviceFault : state === "standby" ? READING_STATUS.standby : 0)
    );
  }
}

/** A sum that is not what it should be, as values of different instants in one block are not. */
function doubtOf({ compiled, values }: ReadingContext, check: ProfileCheck): Doubt[] {
  const { sum, equals, tolerance, channel, affects } = check;
  if (!values.asked([...sum, equals])) return [];
  const [added, total] = [values.value(sum), values.value(equals)];
  if ("absent" in added || "absent" in total) return [];
  const unit = compiled.points.get(equals);
  const unitFactor = unit?.unitFactor ?? rational(1);
  const allowed = plus(
    times(rational(tolerance.absolute), unitFactor),
    times(magnitude(total.value.value), rational(`${tolerance.percent}/100`)),
  );
  const difference = magnitude(plus(added.value.value, negated(total.value.value)));
  if (compare(difference, allowed) <= 0n) return [];
  const shown = (value: Rational): string =>
    `${approximate(value) / approximate(unitFactor)} ${unit?.point.unit ?? ""}`;
  const message = `${sum.join(" + ")} is ${shown(added.value.value)}, ${equals} is ${shown(total.value.value)}; tolerance ${shown(allowed)}`;
  return [{ channel, quantities: affects, message }];
}

/** A value in whole mW, mWh, mV, mA, mHz or ppm, with its step. */
export function inReadingUnits(exact: Decoded<ExactNumber>): Decoded<ScaledNumber> {
  return "absent" in exact ? exact : scaled(exact.value, rational(1));
}

function magnitude(value: Rational): Rational {
  return value.numerator < 0n ? negated(value) : value;
}

function largest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
