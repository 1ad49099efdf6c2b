import type { BaselineRequest } from "../../../attest/baseline/baseline.ts";

/**
 * The same methods a second time, in plain floating point and by a table of local times that `Intl` writes out, sharing
 * nothing with the code under test: no offsets, no fractions, no day numbers.
 */

interface Rule {
  readonly days: number;
  readonly otherDays: number;
  readonly back: number;
  readonly look: number;
  readonly pick: (ranked: string[]) => string[];
  readonly window?: { readonly hours: number; readonly gap: number; readonly add: boolean };
}

const all = (ranked: string[]): string[] => ranked;
const h10 = { days: 10, otherDays: 4, back: 1, look: 45, pick: all };
const RULES: Readonly<Record<string, Rule>> = {
  "h10/1": h10,
  "h10-sda20/1": { ...h10, window: { hours: 3, gap: 1, add: false } },
  "h5of10-sda20/1": {
    ...h10,
    back: 2,
    pick: (ranked) => ranked.slice(0, 5),
    window: { hours: 2, gap: 2, add: false },
  },
  "h4of5-saa/1": {
    ...h10,
    ...{ days: 5, otherDays: 5, pick: (ranked) => ranked.slice(0, 4) },
    window: { hours: 3, gap: 1, add: true },
  },
  "mid8of10/1": { ...h10, otherDays: 10, look: 60, pick: (ranked) => ranked.slice(1, -1) },
};

const clocks = new Map<string, (ms: number) => string>();

/** What a clock shows, kept for the next request. */
function clockOf(timeZone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  const shown = new Map<number, string>();
  const clock = (ms: number): string => {
    const text = shown.get(ms) ?? format.format(ms);
    shown.set(ms, text);
    return text;
  };
  clocks.set(timeZone, clocks.get(timeZone) ?? clock);
  return clocks.get(timeZone) ?? clock;
}

/** Energies by what the wall clock shows, "2026-03-29 02:15"; the second time of a repeated hour ends in "#2". */
class Wall {
  readonly #energies = new Map<string, number>();
  readonly #days = new Map<string, number>();
  readonly #skipMinutes: number;

  constructor({ energyAt, intervalMs, calendar, windows }: BaselineRequest) {
    this.#skipMinutes = calendar.zone.name === "Australia/Lord_Howe" ? 30 : 60;
    const shownAt = clockOf(calendar.zone.name);
    const endMs = (windows.at(-1)?.toMs ?? 0) + 86_400_000;
    const beginMs = endMs - 70 * 86_400_000;
    for (let ms = beginMs - (beginMs % intervalMs); ms < endMs; ms += intervalMs) {
      const shown = shownAt(ms);
      const key = this.#energies.has(shown) ? `${shown}#2` : shown;
      this.#energies.set(key, energyAt(ms) ?? Number.NaN);
      const day = shown.slice(0, 10);
      this.#days.set(day, (this.#days.get(day) ?? 0) + (energyAt(ms) ?? Number.NaN));
      this.keys.set(ms, key);
    }
  }

  readonly keys = new Map<number, string>();

  isComplete(day: string): boolean {
    return !Number.isNaN(this.#days.get(day) ?? Number.NaN);
  }

  /** Where the clock has skipped the time: as much later on it as it was put forward. */
  at(day: string, time: string): number {
    const tries = [time, time.slice(0, 5), later(time, this.#skipMinutes)];
    const found = tries.find((each) => this.#energies.has(`${day} ${each}`));
    return this.#energies.get(`${day} ${found}`) ?? Number.NaN;
  }
}

function later(time: string, minutes: number): string {
  const total = Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5)) + minutes;
  return `${String(Math.floor(total / 60)).padStart(2, "0")}:${String(total % 60).padStart(2, "0")}`;
}

/** The baseline in mWh, not rounded. */
export function oracleBaseline(request: BaselineRequest): number[] {
  const rule = RULES[request.method];
  if (rule === undefined) throw new Error(`no such rule: ${request.method}`);
  const wall = new Wall(request);
  const starts = startsOf(request);
  const eventDay = (wall.keys.get(starts[0] ?? 0) ?? "").slice(0, 10);
  const times = starts.map((ms) => (wall.keys.get(ms) ?? "").slice(11));
  const days = rule.pick(rankedDays(request, wall, { rule, eventDay, times }));
  const usual = (time: string): number => mean(days.map((day) => wall.at(day, time)));
  const baseline = times.map(usual);
  return rule.window === undefined
    ? baseline
    : moved(request, wall, { baseline, usual, window: rule.window });
}

function startsOf({ windows, intervalMs }: BaselineRequest): number[] {
  const starts: number[] = [];
  for (const { fromMs, toMs } of windows) for (let ms = fromMs; ms < toMs; ms += intervalMs) starts.push(ms);
  return starts;
}

function rankedDays(
  { calendar }: BaselineRequest,
  wall: Wall,
  {
    rule,
    eventDay,
    times,
  }: { readonly rule: Rule; readonly eventDay: string; readonly times: readonly string[] },
): string[] {
  const off = (set: ReadonlySet<number>, day: string): boolean => set.has(Date.parse(day) / 86_400_000);
  const works = (day: string): boolean =>
    ![0, 6].includes(new Date(day).getUTCDay()) && !off(calendar.holidays, day);
  const found: string[] = [];
  for (let back = rule.back; back <= rule.look; back++) {
    const day = new Date(Date.parse(eventDay) - back * 86_400_000).toISOString().slice(0, 10);
    if (works(day) !== works(eventDay) || off(calendar.excluded, day) || !wall.isComplete(day)) continue;
    if (found.length < (works(eventDay) ? rule.days : rule.otherDays)) found.push(day);
  }
  if (rule.pick === all) return found;
  const energy = (day: string): number => times.reduce((sum, time) => sum + wall.at(day, time), 0);
  return found.sort((a, b) => energy(b) - energy(a));
}

interface Moved {
  readonly baseline: readonly number[];
  readonly usual: (time: string) => number;
  readonly window: { readonly hours: number; readonly gap: number; readonly add: boolean };
}

function moved(request: BaselineRequest, wall: Wall, { baseline, usual, window }: Moved): number[] {
  const { intervalMs, energyAt, noticeMs } = request;
  const startMs = request.windows[0]?.fromMs ?? 0;
  const wantedMs = Math.min(startMs - window.gap * 3_600_000, noticeMs ?? startMs);
  const endMs = wantedMs - (wantedMs % intervalMs);
  const today = (wall.keys.get(startMs) ?? "").slice(0, 10);
  const inWindow = [...wall.keys].filter(
    ([ms, key]) => ms < endMs && ms >= endMs - window.hours * 3_600_000 && key.startsWith(today),
  );
  if (inWindow.length === 0) return [...baseline];
  const was = mean(inWindow.map(([ms]) => energyAt(ms) ?? Number.NaN));
  const usually = mean(inWindow.map(([, key]) => usual(key.slice(11))));
  if (window.add) return baseline.map((mwh) => Math.max(0, mwh + was - usually));
  const ratio = usually <= 0 ? 1 : Math.min(1.2, Math.max(0.8, was / usually));
  return baseline.map((mwh) => mwh * ratio);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
