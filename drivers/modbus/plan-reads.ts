import { Problem } from "../../attest/problem.ts";
import { mostReadable, type Table } from "./request.ts";
import { type Part, runsOf, type Span, spansOf, type TableRange, type WantedRange } from "./wanted.ts";

/** What a device lets be read. */
export interface ReadLimits {
  /** The most registers a request may ask for, up to 125; default 125. */
  readonly maxRegisters?: number;
  /** The most bits a request may ask for, up to 2000; default 2000. */
  readonly maxBits?: number;
  /**
   * Blocks within each of which a request may read anything; none may cross their borders. Left out: nothing is known
   * to be readable but what is wanted, and nothing else is read.
   */
  readonly readable?: readonly TableRange[];
  /** The most registers in a row that nobody wants and that are read along. Left out: as many as it takes. */
  readonly maxGap?: number;
}

/** One request, and the wanted ranges that are taken from it: each of them is taken from exactly one. */
export interface PlannedRead extends TableRange {
  readonly intervalMs: number;
  /** Indices into the wanted ranges. */
  readonly serves: readonly number[];
}

/**
 * The fewest requests (per time, where the intervals differ), and of all plans with as few the one that reads the fewest
 * registers. A register that is not readable is never asked for, and a range or a group is never taken apart. A slow
 * range rides along with an urgent request where that saves its own.
 *
 * @throws Problem `modbus-plan` when a range or a group cannot be read in one request within the limits
 */
export function planReads(wanted: readonly WantedRange[], limits: ReadLimits = {}): readonly PlannedRead[] {
  const spans = spansOf(wanted);
  const tables = [...new Set(wanted.map((range) => range.table))];
  return tables.flatMap((table) => {
    const own = spans.filter((span) => span.table === table);
    return new TablePlanner(table, own, limits).plan();
  });
}

/** A request under consideration: `pace` is an index into the intervals, 0 the shortest. */
interface Window {
  readonly start: number;
  readonly end: number;
  readonly pace: number;
}

/** Windows for everything that is still to be read, with the registers that they cost per time. */
interface Tail {
  readonly registers: number;
  readonly window: Window | undefined;
  readonly next: Tail | undefined;
}

const NOTHING: Tail = { registers: 0, window: undefined, next: undefined };

/** Requests per time are sums of fractions. */
const ROUNDING = 1e-9;

/** What the rest of a plan depends on. */
interface State {
  /** The first span that no window holds yet. */
  readonly span: Span;
  readonly at: number;
  /** Of each pace: spans that end there or before are read already. */
  readonly reach: readonly number[];
  readonly key: string;
}

/**
 * Walks the spans in the order of their starts. The first span that no window holds yet must get one, which best begins
 * where the span begins. For the fewest requests the longest such window is as good as any, so only its pace is a
 * choice; for the fewest registers all ends are tried that keep the requests as few. Each state is solved once.
 */
class TablePlanner {
  readonly #table: Table;
  readonly #spans: readonly Span[];
  readonly #most: number;
  readonly #blocks: readonly Part[] | undefined;
  readonly #maxGap: number;
  readonly #runs: readonly Part[];
  readonly #intervals: readonly number[];
  readonly #paces: readonly number[];
  readonly #windows = new Map<number, readonly Window[]>();
  readonly #fewest = new Map<string, number>();
  readonly #solved = new Map<string, Tail>();

  constructor(table: Table, spans: readonly Span[], limits: ReadLimits) {
    const bits = table === "coils" || table === "discrete";
    this.#table = table;
    this.#spans = spans;
    this.#most = Math.min(
      (bits ? limits.maxBits : limits.maxRegisters) ?? mostReadable(table),
      mostReadable(table),
    );
    this.#blocks = limits.readable
      ?.filter((block) => block.table === table)
      .map(({ start, count }) => ({ start, end: start + count }));
    this.#maxGap = limits.readable === undefined ? 0 : (limits.maxGap ?? Number.POSITIVE_INFINITY);
    this.#runs = runsOf(spans.flatMap((span) => span.parts));
    this.#intervals = [...new Set(spans.map((span) => span.intervalMs))].sort((a, b) => a - b);
    this.#paces = spans.map((span) => this.#intervals.indexOf(span.intervalMs));
  }

  plan(): readonly PlannedRead[] {
    for (const span of this.#spans) if (this.#limitFrom(span.start) < span.end) throw this.#unreadable(span);
    const windows: Window[] = [];
    for (let tail: Tail | undefined = this.#cheapest(this.#first()); tail; tail = tail.next)
      if (tail.window !== undefined) windows.push(tail.window);
    return this.#assign(windows);
  }

  #first(): State | undefined {
    return this.#stateFrom(
      0,
      this.#intervals.map(() => 0),
    );
  }

  #stateFrom(from: number, reach: readonly number[]): State | undefined {
    for (let at = from; at < this.#spans.length; at++) {
      const span = this.#spans[at];
      if (span === undefined || span.end <= (reach[this.#paces[at] ?? 0] ?? 0)) continue;
      const relevant = reach.map((end) => Math.max(end, span.start));
      return { span, at, reach: relevant, key: `${at}:${relevant.join()}` };
    }
    return undefined;
  }

  #after({ at, reach }: State, { end, pace }: Window): State | undefined {
    return this.#stateFrom(
      at,
      reach.map((before, p) => (p >= pace ? Math.max(before, end) : before)),
    );
  }

  /** The fewest requests per time from a state on. */
  #requests(state: State | undefined): number {
    if (state === undefined) return 0;
    const known = this.#fewest.get(state.key);
    if (known !== undefined) return known;
    const all = this.#windowsFrom(state);
    const longest = all.at(-1)?.end;
    const through = all.filter((window) => window.end === longest);
    const fewest = Math.min(...through.map((window) => this.#requestsWith(state, window)));
    this.#fewest.set(state.key, fewest);
    return fewest;
  }

  #requestsWith(state: State, window: Window): number {
    return this.#weight(window.pace) + this.#requests(this.#after(state, window));
  }

  /** The fewest registers per time of all ways with the fewest requests. */
  #cheapest(state: State | undefined): Tail {
    if (state === undefined) return NOTHING;
    const known = this.#solved.get(state.key);
    if (known !== undefined) return known;
    const fewest = this.#requests(state);
    let best: Tail | undefined;
    for (const window of this.#windowsFrom(state)) {
      if (this.#requestsWith(state, window) > fewest * (1 + ROUNDING)) continue;
      const next = this.#cheapest(this.#after(state, window));
      const registers = next.registers + this.#weight(window.pace) * (window.end - window.start);
      if (best === undefined || registers < best.registers) best = { registers, window, next };
    }
    const solved = best ?? NOTHING;
    this.#solved.set(state.key, solved);
    return solved;
  }

  /** Every window that begins with the state's span and ends with one that can be reached, the longest last. */
  #windowsFrom({ span: first, at }: State): readonly Window[] {
    const known = this.#windows.get(at);
    if (known !== undefined) return known;
    const limit = this.#limitFrom(first.start);
    const slowest = this.#paces[at] ?? 0;
    const inside = this.#spans.flatMap((span, index) =>
      span.start >= first.start && span.end <= limit
        ? [{ end: span.end, pace: this.#paces[index] ?? 0 }]
        : [],
    );
    const ends = [...new Set(inside.map(({ end }) => end))].filter((end) => end >= first.end);
    const windows = ends
      .sort((a, b) => a - b)
      .flatMap((end) => {
        const held = inside.filter((span) => span.end <= end && span.pace <= slowest);
        const paces = [...new Set(held.map(({ pace }) => pace))];
        return paces.map((pace) => ({ start: first.start, end, pace }));
      });
    this.#windows.set(at, windows);
    return windows;
  }

  /** The furthest end of a request that begins there. */
  #limitFrom(start: number): number {
    const block = this.#blocks === undefined ? Number.POSITIVE_INFINITY : this.#blockEnd(start);
    let run = this.#runs.findIndex((part) => part.start <= start && start < part.end);
    for (let next = this.#runs[run + 1]; next !== undefined; next = this.#runs[run + 1]) {
      if (next.start - (this.#runs[run]?.end ?? 0) > this.#maxGap) break;
      run += 1;
    }
    return Math.min(start + this.#most, block, this.#runs[run]?.end ?? start);
  }

  #blockEnd(start: number): number {
    const around = this.#blocks?.filter((block) => block.start <= start && start < block.end) ?? [];
    return Math.max(start, ...around.map((block) => block.end));
  }

  /** Requests in the time of the longest interval. */
  #weight(pace: number): number {
    return (this.#intervals.at(-1) ?? 1) / (this.#intervals[pace] ?? 1);
  }

  #assign(windows: readonly Window[]): readonly PlannedRead[] {
    const serves = windows.map((): number[] => []);
    for (const [index, span] of this.#spans.entries()) {
      const pace = this.#paces[index] ?? 0;
      const holding = windows.flatMap((window, at) =>
        window.start <= span.start && span.end <= window.end && window.pace <= pace ? [at] : [],
      );
      // Not more often than asked for, where there is a choice.
      const slowest = holding.toSorted((a, b) => (windows[b]?.pace ?? 0) - (windows[a]?.pace ?? 0))[0] ?? 0;
      serves[slowest]?.push(...span.members);
    }
    return windows.map(({ start, end, pace }, at) => ({
      ...{ table: this.#table, start, count: end - start },
      intervalMs: this.#intervals[pace] ?? 0,
      serves: (serves[at] ?? []).toSorted((a, b) => a - b),
    }));
  }

  #unreadable({ start, end, members }: Span): Problem {
    return new Problem("modbus-plan", "these registers cannot be read in one request", {
      where: `${this.#table} ${start}-${end - 1}${members.length > 1 ? " (a group)" : ""}`,
      expected: `at most ${this.#most} registers within one readable block, gaps of at most ${this.#maxGap}`,
      got: `${end - start} registers`,
      hint: "take the range or the group apart, or say what else the device lets be read",
    });
  }
}
