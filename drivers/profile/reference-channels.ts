import type { CompiledPoint } from "./compiled.ts";
import type { Literal, Profile, ProfileChannel, ProfileValue } from "./profile.ts";
import { invalidProfile, oneOf } from "./reference-points.ts";
import { isLiteral, ratioPoints, termsOf } from "./terms.ts";
import { type Quantity, UNITS } from "./units.ts";

/** A profile and its compiled points. */
export interface Resolved {
  readonly profile: Profile;
  readonly points: ReadonlyMap<string, CompiledPoint>;
}

/** Throws Problem `profile-invalid` where a channel, a check or the identity names what is not there or does not fit. */
export function checkChannels(resolved: Resolved, file: string): void {
  const { profile } = resolved;
  if (Object.keys(profile.channels).length === 0) throw invalidProfile(file, "there is no channel");
  for (const [name, channel] of Object.entries(profile.channels))
    new ChannelCheck(resolved, `${file}: channels.${name}`).check(channel);
  for (const [index, check] of profile.checks.entries())
    new ChannelCheck(resolved, `${file}: checks.${index}`).checkSum(check);
  checkIdentity(resolved, file);
}

function checkIdentity({ profile, points }: Resolved, file: string): void {
  const { make, model, serial, firmware, match, requires } = profile.identity;
  const named = [make, model, serial, firmware].flatMap((text) =>
    typeof text === "object" ? [text.point] : [],
  );
  for (const name of [...named, ...[...match, ...requires].flatMap((rule) => rule.point ?? [])])
    if (!points.has(name))
      throw invalidProfile(`${file}: identity`, "no such point", oneOf(profile.points, name));
}

class ChannelCheck {
  readonly #resolved: Resolved;
  readonly #where: string;

  constructor(resolved: Resolved, where: string) {
    this.#resolved = resolved;
    this.#where = where;
  }

  check(channel: ProfileChannel): void {
    this.#value(channel.power, "power");
    this.#energies(channel);
    this.#one(channel.stateOfCharge, "share");
    for (const name of channel.voltage ?? []) this.#one(name, "voltage");
    for (const name of channel.current ?? []) this.#one(name, "current");
    this.#one(channel.frequency, "frequency");
    this.#status(channel.status);
    for (const rating of [channel.maxImport, channel.maxExport]) this.#rating(rating, "power");
    for (const ratio of [channel.ctRatio, channel.vtRatio])
      for (const name of ratio === undefined ? [] : ratioPoints(ratio)) this.#setting(name);
    const { battery } = channel;
    this.#rating(battery?.capacity, "energy");
    for (const rating of [battery?.maxCharge, battery?.maxDischarge]) this.#rating(rating, "power");
    this.#value(battery?.setpoint, "power");
    if (typeof battery?.reserve === "string") this.#one(battery.reserve, "share");
    if (channel.counter.modulus !== undefined) this.#rating(channel.counter.modulus, "energy");
  }

  checkSum(check: Profile["checks"][number]): void {
    const { profile } = this.#resolved;
    if (profile.channels[check.channel] === undefined)
      throw invalidProfile(this.#where, "no such channel", oneOf(profile.channels, check.channel));
    const total = this.#point(check.equals);
    this.#together([...check.sum, check.equals]);
    for (const name of check.sum) this.#one(name, total.quantity);
  }

  #energies(channel: ProfileChannel): void {
    const intervals = [channel.import, channel.export].flatMap((value) => {
      if (value === undefined) return [];
      this.#value(value, "energy");
      return termsOf(value).map((term) => this.#counter(term));
    });
    if (new Set(intervals).size > 1)
      throw invalidProfile(this.#where, "import and export are read at different intervals", {
        expected: "both at the same",
        got: intervals.join(", "),
      });
  }

  #counter({ name, negative }: { readonly name: string; readonly negative: boolean }): string {
    const { point, snapshot } = this.#point(name);
    if (negative) throw invalidProfile(this.#where, "registers are never subtracted", { got: `-${name}` });
    if (point.kind !== "counter")
      throw invalidProfile(this.#where, `${name} is no register`, {
        expected: "kind: counter",
        got: point.kind,
      });
    if (snapshot.interval === "identify")
      throw invalidProfile(this.#where, `${name} is read only once`, { got: "interval: identify" });
    return String(snapshot.interval);
  }

  #value(value: ProfileValue | undefined, quantity: Quantity): void {
    if (value === undefined) return;
    const names = termsOf(value).map((term) => term.name);
    for (const name of names) this.#one(name, quantity);
    this.#together(names);
  }

  #rating(value: ProfileValue | Literal | undefined, quantity: Quantity): void {
    if (value === undefined) return;
    if (!isLiteral(value)) this.#value(value, quantity);
    else if (UNITS[value.unit].quantity !== quantity)
      throw invalidProfile(this.#where, "the unit does not fit", { expected: quantity, got: value.unit });
  }

  #status(name: string | undefined): void {
    if (name === undefined) return;
    if (this.#point(name).point.values === undefined)
      throw invalidProfile(this.#where, `${name} does not say what its values mean`, {
        expected: '"values"',
      });
  }

  /** Ratios have to be noticed when they change. */
  #setting(name: string): void {
    const { point } = this.#point(name);
    if (point.kind !== "setting")
      throw invalidProfile(this.#where, `${name} is no setting`, {
        expected: "kind: setting",
        got: point.kind,
      });
  }

  #one(name: string | undefined, quantity: Quantity): void {
    if (name === undefined) return;
    const { quantity: got, point } = this.#point(name);
    if (got !== quantity)
      throw invalidProfile(this.#where, `${name} does not fit`, {
        expected: `a unit of ${quantity}`,
        got: point.unit,
      });
  }

  #together(names: readonly string[]): void {
    const snapshots = [...new Set(names.map((name) => this.#point(name).point.snapshot))];
    if (snapshots.length > 1)
      throw invalidProfile(this.#where, "values that are combined are of different snapshots", {
        expected: "one snapshot, which is one request",
        got: snapshots.join(", "),
      });
  }

  #point(name: string): CompiledPoint {
    const { points, profile } = this.#resolved;
    const found = points.get(name);
    if (found === undefined) throw invalidProfile(this.#where, "no such point", oneOf(profile.points, name));
    return found;
  }
}
