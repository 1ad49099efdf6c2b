import { compare, ONE, type Rational, rational, times } from "../modbus/rational.ts";
import type { CompiledProfile } from "../profile/compiled.ts";
import type {
  Literal,
  Profile,
  ProfileChannel,
  ProfilePoint,
  ProfileValue,
  Ratio,
} from "../profile/profile.ts";
import { isLiteral, termsOf } from "../profile/terms.ts";
import { BATTERY } from "./home.ts";
import type { SitePlan } from "./physical-site.ts";
import { fitSite, nameplate } from "./profile-fit.ts";
import {
  identificationObjects,
  identityValue,
  keepingRules,
  otherIdentityValue,
  rulesOf,
} from "./profile-identity.ts";
import { inReadingUnit, type Shown, SimulatedPoint, ZERO } from "./profile-point.ts";
import { chooseScales, type ScaleChoice, scaleOf } from "./profile-scales.ts";

/** Everything about a simulated device that does not change with time. */
export interface Simulation {
  readonly compiled: CompiledProfile;
  readonly points: ReadonlyMap<string, SimulatedPoint>;
  readonly site: SitePlan;
  /** What is not measured: codes, texts, scales, ratings, ratios. */
  readonly fixed: ReadonlyMap<string, Shown>;
  /** Objects of Read Device Identification, where the profile asks for them. */
  readonly objects: ReadonlyMap<number, string> | undefined;
  /** The serial number as another device has it; undefined where the profile reads none. */
  readonly otherSerial: ReadonlyMap<string, Shown> | undefined;
  /** The transformer ratio doubled; undefined where the profile reads none. */
  readonly otherRatio: ReadonlyMap<string, Shown> | undefined;
}

/** Decides what a simulated device of this profile is. Throws Problem `simulate-…` where none can be. */
export function planSimulation(compiled: CompiledProfile): Simulation {
  const { profile } = compiled;
  const scales = chooseScales(profile);
  const points = simulatedPoints(profile, scales);
  const site = fitSite(profile, points);
  const fixed = new FixedValues({ profile, points, scales, divisor: site.divisor });
  return {
    compiled,
    points,
    site,
    fixed: fixed.all(),
    objects: identificationObjects(profile),
    otherSerial: fixed.otherSerial(),
    otherRatio: fixed.otherRatio(),
  };
}

/** Settings first, because others are multiplied by what they show. */
function simulatedPoints(
  profile: Profile,
  scales: ReadonlyMap<string, ScaleChoice>,
): ReadonlyMap<string, SimulatedPoint> {
  const made = (factorOf: (point: ProfilePoint) => Rational): ReadonlyMap<string, SimulatedPoint> =>
    new Map(
      Object.entries(profile.points).map(
        ([name, point]) => [name, new SimulatedPoint(profile, name, factorOf(point))] as const,
      ),
    );
  const points = made((point) => scaleOf(point, scales));
  const settings = new FixedValues({ profile, points, scales, divisor: 1 }).all();
  return made((point) =>
    (point.times ?? []).reduce(
      (factor, name) => times(factor, settings.get(name)?.value ?? ONE),
      scaleOf(point, scales),
    ),
  );
}

interface Context {
  readonly profile: Profile;
  readonly points: ReadonlyMap<string, SimulatedPoint>;
  readonly scales: ReadonlyMap<string, ScaleChoice>;
  readonly divisor: number;
}

const USUAL_TEXT = "SIMULATED";

class FixedValues {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  all(): ReadonlyMap<string, Shown> {
    const { points, scales } = this.#context;
    const ratings = this.#ratings();
    const ratios = this.#ratios();
    return new Map(
      [...points].map(([name, point]) => {
        const scale = scales.get(name);
        const value = ratings.get(name) ?? ratios.get(name);
        if (scale !== undefined) return [name, point.showRaw(scale.raw) ?? plain(point)] as const;
        if (this.#isIdentity(name)) return [name, identityValue(this.#context.profile, point)] as const;
        if (value !== undefined && point.holds([value, value])) return [name, point.show(value)] as const;
        return [name, plain(point)] as const;
      }),
    );
  }

  otherSerial(): ReadonlyMap<string, Shown> | undefined {
    const { profile, points } = this.#context;
    const { serial } = profile.identity;
    const point = typeof serial === "object" ? points.get(serial.point) : undefined;
    const other = point === undefined ? undefined : otherIdentityValue(profile, point);
    return point === undefined || other === undefined ? undefined : new Map([[point.name, other]]);
  }

  otherRatio(): ReadonlyMap<string, Shown> | undefined {
    const { profile, points } = this.#context;
    const now = this.all();
    for (const name of this.#ratios().keys()) {
      const point = points.get(name);
      const double = times(now.get(name)?.value ?? ZERO, rational(2));
      const shown = point === undefined ? undefined : keepingRules(profile, point, double);
      if (shown !== undefined) return new Map([[name, shown]]);
    }
    return undefined;
  }

  #isIdentity(name: string): boolean {
    const { profile } = this.#context;
    const { make, model, serial, firmware } = profile.identity;
    const texts = [make, model, serial, firmware];
    return (
      texts.some((text) => typeof text === "object" && text.point === name) ||
      rulesOf(profile, name).length > 0
    );
  }

  /** Ratings by point, each alone. */
  #ratings(): ReadonlyMap<string, Rational> {
    const { profile } = this.#context;
    return new Map(Object.values(profile.channels).flatMap((channel) => this.#ratingsOf(channel)));
  }

  #ratingsOf({
    role,
    maxImport,
    maxExport,
    battery = {},
  }: ProfileChannel): readonly (readonly [string, Rational])[] {
    const { divisor } = this.#context;
    const { capacity, reserve, maxCharge, maxDischarge } = battery;
    const named = (
      rating: ProfileValue | Literal | undefined,
      value: (point: SimulatedPoint) => Rational,
    ): (readonly [string, Rational])[] =>
      rating === undefined || isLiteral(rating)
        ? []
        : termsOf(rating).flatMap(({ name }, at) => {
            const point = this.#context.points.get(name);
            return point === undefined ? [] : [[name, at === 0 ? value(point) : ZERO] as const];
          });
    const limit = (): Rational => rational(BATTERY.limitMw / divisor);
    return [
      ...named(maxImport, (point) => nameplate(point, role, "import")),
      ...named(maxExport, (point) => nameplate(point, role, "export")),
      ...named(capacity, () => rational(BATTERY.capacityMwh / divisor)),
      ...named(reserve, () => rational(BATTERY.reservePpm)),
      ...named(maxCharge, limit),
      ...named(maxDischarge, limit),
    ];
  }

  /** Points of transformer ratios, so that each is 1 to 1; the primary one first. */
  #ratios(): ReadonlyMap<string, Rational> {
    const { profile } = this.#context;
    const ratios = Object.values(profile.channels).flatMap(({ ctRatio, vtRatio }) => [
      ...this.#oneToOne(ctRatio),
      ...this.#oneToOne(vtRatio),
    ]);
    return new Map(ratios);
  }

  #oneToOne(ratio: Ratio | undefined): readonly (readonly [string, Rational])[] {
    const parts = ratio === undefined ? [] : [ratio].flat();
    const literal = parts.find((part) => typeof part === "number");
    return parts.flatMap((part) => {
      const point = typeof part === "string" ? this.#context.points.get(part) : undefined;
      if (point === undefined) return [];
      const one = literal === undefined ? inReadingUnit(1, point.point.unit) : rational(literal);
      return [[point.name, one] as const];
    });
  }
}

/** A setting of 1, a state that is good, any text, else 0: as much as its registers allow. */
function plain(point: SimulatedPoint): Shown {
  const { kind, values = {}, unit } = point.point;
  if (point.isText) {
    const text = USUAL_TEXT.slice(0, point.textBytes);
    return point.showText(text) ?? point.showBits(0n);
  }
  const [good] = Object.entries(values).flatMap(([raw, word]) =>
    word === "ok" && raw !== "else" ? [raw] : [],
  );
  const wanted = kind === "setting" ? inReadingUnit(1, unit) : ZERO;
  const [least] = point.range;
  if (good !== undefined) return point.showRaw(BigInt(good)) ?? point.showBits(0n);
  if (point.holds([wanted, wanted])) return point.show(wanted);
  return compare(least, ZERO) > 0n ? point.show(least) : point.showBits(0n);
}
