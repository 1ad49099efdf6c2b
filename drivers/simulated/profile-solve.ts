import { Problem } from "../../attest/problem.ts";
import { compare, negated, plus, type Rational, rational, times } from "../modbus/rational.ts";
import type { Profile, ProfileChannel, ProfileCheck, ProfileValue, StateWord } from "../profile/profile.ts";
import { type Term, termsOf } from "../profile/terms.ts";
import type { Boundary, SiteInstant } from "./physical-site.ts";
import { partsOf, positional } from "./profile-fit.ts";
import { over, type Shown, type SimulatedPoint, ZERO } from "./profile-point.ts";
import { stateRaw } from "./profile-state.ts";

/** What the points of a profile are solved from. */
export interface Moment {
  readonly profile: Profile;
  readonly points: ReadonlyMap<string, SimulatedPoint>;
  readonly instant: SiteInstant;
  /** Where set, phases are of another instant: at rest instead of more power than this, else that much higher. mW. */
  readonly tornMw?: number;
  /** What every status point says, whatever flows. */
  readonly status?: StateWord;
}

/** What all measured points of a profile show at one instant: every sum, check and direction of the profile holds. */
export function solve(moment: Moment): ReadonlyMap<string, Shown> {
  return new Solver(moment).solve();
}

interface Sum {
  readonly terms: readonly Term[];
  readonly target: Rational;
  /** Of registers: what they stood at in the beginning; undefined for powers. */
  readonly startMwh?: number;
  readonly where: string;
}

class Solver {
  readonly #moment: Moment;
  readonly #shown = new Map<string, Shown>();

  constructor(moment: Moment) {
    this.#moment = moment;
  }

  solve(): ReadonlyMap<string, Shown> {
    const { profile } = this.#moment;
    const channels = Object.entries(profile.channels);
    const sums = channels.flatMap(([name, channel]) => this.#sumsOf(name, channel));
    // What stands alone is settled first; a sum then takes what is left.
    for (const sum of sums) if (sum.terms.length === 1) this.#settle(sum);
    for (const sum of sums) if (sum.terms.length > 1) this.#settle(sum);
    for (const check of profile.checks) this.#check(check);
    for (const [name, channel] of channels) this.#lines(channel, this.#boundary(name));
    this.#states();
    return this.#shown;
  }

  #sumsOf(name: string, channel: ProfileChannel): Sum[] {
    const boundary = this.#boundary(name);
    const { power, import: into, export: out, battery, stateOfCharge } = channel;
    const { powerMw, importMwh, exportMwh, importStartMwh, exportStartMwh } = boundary;
    const sum = (value: ProfileValue | undefined, rest: { target: number; startMwh?: number }): Sum[] =>
      value === undefined
        ? []
        : [{ where: `channel ${name}`, terms: termsOf(value), ...rest, target: rational(rest.target) }];
    return [
      ...sum(power, { target: this.#registered(channel, powerMw) }),
      ...sum(into, { target: importMwh, startMwh: importStartMwh }),
      ...sum(out, { target: exportMwh, startMwh: exportStartMwh }),
      ...sum(stateOfCharge, { target: this.#moment.instant.stateOfChargePpm }),
      ...this.#setpoint(sum(battery?.setpoint, { target: powerMw })),
    ];
  }

  /** A set-point that cannot say the direction says nothing. */
  #setpoint(sums: readonly Sum[]): readonly Sum[] {
    return sums.map((sum) => {
      const holds = sum.terms.every(({ name }) => this.#point(name).holds([sum.target, sum.target]));
      return holds ? sum : { ...sum, target: ZERO };
    });
  }

  #settle({ terms, target, startMwh, where }: Sum): void {
    const open = terms.filter(({ name }) => !this.#shown.has(name));
    const rest = terms.reduce((left, term) => plus(left, negated(this.#valueOf(term))), target);
    if (open.length === 0) this.#requireSettled(rest, { terms, where });
    else if (startMwh === undefined) this.#dividePower(open, rest);
    else this.#divideEnergy(open, rest, startMwh);
  }

  /** Two channels that read one point have to agree about it. */
  #requireSettled(rest: Rational, { terms, where }: Pick<Sum, "terms" | "where">): void {
    const steps = terms.map(({ name }) => magnitude(this.#point(name).step));
    const most = steps.reduce(plus, rational(2));
    if (compare(magnitude(rest), times(most, rational(2))) <= 0n) return;
    throw new Problem("simulate-conflict", "points of this channel already show something else", {
      where,
      got: terms.map(({ name }) => name).join(", "),
      hint: "does another channel, which measures something else, read the same points?",
    });
  }

  /** Parts for those that can show the direction, 0 for the others; the last part makes the sum exact. */
  #dividePower(open: readonly Term[], target: Rational): void {
    const wanted = open.filter(({ negative }) => negative === target.numerator < 0n);
    const active = wanted.length > 0 ? wanted : open;
    for (const { name } of open) if (!active.some((term) => term.name === name)) this.#show(name, ZERO);
    const parts = partsOf(active.length);
    let rest = target;
    for (const [at, { name, negative }] of active.entries()) {
      const share = at === active.length - 1 ? rest : times(target, parts[at] ?? ZERO);
      const { value } = this.#show(name, negative ? negated(share) : share);
      rest = plus(rest, negative ? value : negated(value));
    }
  }

  /** Digits of one number from the coarsest on; or registers of tariffs, of which the first one counts now. */
  #divideEnergy(open: readonly Term[], target: Rational, startMwh: number): void {
    const names = open.map(({ name }) => name);
    const digits = positional(this.#moment.points, names);
    const ordered = digits
      ? [...names].sort((a, b) => Number(compare(this.#point(b).step, this.#point(a).step)))
      : [...names].reverse();
    let rest = target;
    for (const [at, name] of ordered.entries()) {
      const resting = !digits && at < ordered.length - 1;
      const { value } = this.#show(name, resting ? rational(Math.floor(startMwh / names.length)) : rest);
      rest = plus(rest, negated(value));
    }
  }

  #check(check: ProfileCheck): void {
    const { sum, equals, channel } = check;
    const terms = sum.map((name) => ({ name, negative: false }));
    const open = sum.filter((name) => !this.#shown.has(name));
    if (!this.#shown.has(equals)) {
      const added = terms.reduce((all, term) => plus(all, this.#valueOf(term)), ZERO);
      this.#show(equals, open.length === 0 ? this.#torn(added) : rational(this.#truthOf(check)));
    }
    if (open.length === 0) return;
    const target = this.#torn(this.#valueOf({ name: equals, negative: false }));
    const startMwh = this.#moment.tornMw === undefined ? this.#startOf(check) : 0;
    const start = this.#isEnergy(equals) ? { startMwh } : {};
    this.#settle({ terms, target, ...start, where: `check of channel ${channel}` });
  }

  #torn(total: Rational): Rational {
    const { tornMw } = this.#moment;
    if (tornMw === undefined) return total;
    const limit = rational(tornMw);
    if (compare(magnitude(total), limit) > 0n) return ZERO;
    return plus(total, total.numerator < 0n ? negated(limit) : limit);
  }

  #truthOf({ channel, equals, affects }: ProfileCheck): number {
    const boundary = this.#boundary(channel);
    if (this.#isEnergy(equals)) return affects.includes("export") ? boundary.exportMwh : boundary.importMwh;
    const described = this.#moment.profile.channels[channel];
    return described === undefined ? boundary.powerMw : this.#registered(described, boundary.powerMw);
  }

  #startOf({ channel, affects }: ProfileCheck): number {
    const { importStartMwh, exportStartMwh } = this.#boundary(channel);
    return affects.includes("export") ? exportStartMwh : importStartMwh;
  }

  #isEnergy(name: string): boolean {
    return this.#point(name).point.unit.endsWith("Wh");
  }

  /** Power as the device signs it. */
  #registered({ sign }: ProfileChannel, powerMw: number): number {
    return sign?.positive === "export" ? 0 - powerMw : powerMw;
  }

  /** Voltage, frequency, and the current that carries the power of each phase at that voltage. */
  #lines({ voltage = [], current = [], frequency }: ProfileChannel, { powerMw }: Boundary): void {
    const { voltageMv, frequencyMhz } = this.#moment.instant;
    for (const [phase, name] of voltage.entries()) this.#showNear(name, rational(voltageMv[phase] ?? 0));
    if (frequency !== undefined) this.#showNear(frequency, rational(frequencyMhz));
    const parts = partsOf(current.length);
    for (const [phase, name] of current.entries()) {
      if (this.#shown.has(name)) continue;
      const shown = this.#shown.get(voltage[phase] ?? "")?.value ?? ZERO;
      const volts = shown.numerator > 0n ? shown : rational(voltageMv[phase] ?? 230_000);
      const phaseMw = times(rational(Math.abs(powerMw)), parts[phase] ?? ZERO);
      this.#show(name, over(times(phaseMw, rational(1000)), volts));
    }
  }

  /** A point that cannot show it, as that of a battery's voltage, shows the middle of what it can. */
  #showNear(name: string, wanted: Rational): void {
    if (this.#shown.has(name)) return;
    const point = this.#point(name);
    const [least, most] = point.range;
    this.#show(name, point.holds([wanted, wanted]) ? wanted : times(plus(least, most), rational("1/2")));
  }

  /** States, and registers that say the direction of a magnitude. */
  #states(): void {
    const { profile, points, status } = this.#moment;
    const named = Object.values(profile.channels).flatMap((channel) => channel.status ?? []);
    const directions = Object.values(profile.points).flatMap(({ negativeWhen }) => negativeWhen?.point ?? []);
    for (const name of new Set([...named, ...directions])) {
      if (this.#shown.has(name)) continue;
      const raw = stateRaw({
        profile,
        point: this.#point(name),
        shown: this.#shown,
        word: status ?? this.#word(name),
      });
      const shown = raw === undefined ? undefined : points.get(name)?.showRaw(raw);
      if (shown !== undefined) this.#shown.set(name, shown);
      else
        throw new Problem("simulate-state", `no raw value of point ${name} says what it should`, {
          hint: 'check its "values", and the "equals" of what it gives the direction of',
        });
    }
  }

  /** A device at rest stands by: nothing flows in any channel that has this status. */
  #word(name: string): StateWord {
    const channels = Object.entries(this.#moment.profile.channels).filter(
      ([, { status }]) => status === name,
    );
    const rests = channels.every(([channel]) => this.#boundary(channel).powerMw === 0);
    return channels.length > 0 && rests ? "standby" : "ok";
  }

  #valueOf({ name, negative }: Term): Rational {
    const value = this.#shown.get(name)?.value ?? ZERO;
    return negative ? negated(value) : value;
  }

  #show(name: string, value: Rational): Shown {
    const shown = this.#point(name).show(value);
    this.#shown.set(name, shown);
    return shown;
  }

  #point(name: string): SimulatedPoint {
    const point = this.#moment.points.get(name);
    // References were checked when the profile was compiled.
    if (point === undefined) throw new TypeError(`no point ${name}`);
    return point;
  }

  #boundary(channel: string): Boundary {
    const boundary = this.#moment.instant.boundaries.get(channel);
    if (boundary !== undefined) return boundary;
    throw new Problem("simulate-model", "the model has nothing for a channel of the profile", {
      where: `channel ${channel}`,
    });
  }
}

function magnitude(value: Rational): Rational {
  return value.numerator < 0n ? negated(value) : value;
}
