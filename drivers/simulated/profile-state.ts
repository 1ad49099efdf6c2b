import type { Profile, StateWord } from "../profile/profile.ts";
import { isListed, rulesOf } from "./profile-identity.ts";
import type { Shown, SimulatedPoint } from "./profile-point.ts";

export interface StateContext {
  readonly profile: Profile;
  readonly point: SimulatedPoint;
  /** What the measured points show; those whose direction this point says have a sign. */
  readonly shown: ReadonlyMap<string, Shown>;
  readonly word: StateWord;
}

/** Small numbers that are tried for a state that nobody describes. */
const FEW = 16;

/**
 * A raw value that says the direction of every magnitude that asks for it, keeps the rules of the identity and means
 * the word, where one does. Undefined where there is none.
 */
export function stateRaw(context: StateContext): bigint | undefined {
  const { point, word } = context;
  const possible = candidatesOf(context).filter(
    (raw) =>
      point.showRaw(raw) !== undefined &&
      isListed(context.profile, point.name, raw) &&
      saysDirections(context, raw),
  );
  const { values } = point.point;
  const means = (raw: bigint): StateWord | undefined => values?.[String(raw)] ?? values?.["else"];
  return (
    possible.find((raw) => means(raw) === word) ?? possible.find((raw) => means(raw) === "ok") ?? possible[0]
  );
}

function saysDirections({ profile, point, shown }: StateContext, raw: bigint): boolean {
  return Object.entries(profile.points).every(([name, { negativeWhen }]) => {
    const value = shown.get(name);
    if (negativeWhen?.point !== point.name || value === undefined || value.value.numerator === 0n)
      return true;
    return negativeWhen.equals.map(BigInt).includes(raw) === value.negative;
  });
}

function candidatesOf({ profile, point }: StateContext): readonly bigint[] {
  const described = Object.keys(point.point.values ?? {}).filter((key) => key !== "else");
  const ruled = rulesOf(profile, point.name).flatMap(({ equals }) => equals ?? []);
  const directions = Object.values(profile.points).flatMap(({ negativeWhen }) =>
    negativeWhen?.point === point.name ? negativeWhen.equals : [],
  );
  const whole = [...described, ...ruled.map(String), ...directions.map(String)].filter((text) =>
    /^-?\d+$/.test(text),
  );
  const all = whole.map(BigInt);
  const few = Array.from({ length: FEW }, (_, at) => BigInt(at));
  return [...new Set([...all.slice(0, described.length), ...few, ...all, ...all.map((raw) => raw + 1n)])];
}
