import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { type PlannedRead, planReads, type ReadLimits } from "../../../drivers/modbus/plan-reads.ts";
import type { TableRange, WantedRange } from "../../../drivers/modbus/wanted.ts";

const want = (start: number, count: number, more: Partial<WantedRange> = {}): WantedRange => ({
  ...{ table: "holding", start, count, intervalMs: 1000 },
  ...more,
});
const readable = (start: number, count: number): TableRange => ({ table: "holding", start, count });
const places = (plan: readonly PlannedRead[]): number[][] => plan.map(({ start, count }) => [start, count]);

describe("planning reads", () => {
  it("joins neighbours, and reads nothing that nobody wants while nothing else is known to be readable", () => {
    expect(places(planReads([want(0, 2), want(2, 2), want(6, 1)]))).toEqual([
      [0, 4],
      [6, 1],
    ]);
  });

  it("reads over gaps within a readable block, and never across its border", () => {
    const limits = { readable: [readable(0, 10), readable(10, 90)] };
    expect(places(planReads([want(0, 2), want(8, 2), want(10, 2), want(60, 2)], limits))).toEqual([
      [0, 10],
      [10, 52],
    ]);
  });

  it("keeps to the longest gap and the most registers", () => {
    const limits = { readable: [readable(0, 200)], maxGap: 4, maxRegisters: 20 };
    expect(places(planReads([want(0, 2), want(6, 2), want(13, 2), want(15, 16)], limits))).toEqual([
      [0, 8],
      [13, 18],
    ]);
  });

  it("reads the fewest registers of all plans with as few requests", () => {
    const limits = { readable: [readable(0, 100)], maxRegisters: 40 };
    expect(places(planReads([want(0, 1), want(39, 1), want(41, 1)], limits))).toEqual([
      [0, 1],
      [39, 3],
    ]);
  });

  it("lets a slow range ride along, and gives it a request of its own where it cannot", () => {
    const slow = { intervalMs: 60_000 };
    const plan = planReads([want(0, 2), want(2, 2, slow), want(300, 2, slow)]);
    expect(plan).toEqual([
      { table: "holding", start: 0, count: 4, intervalMs: 1000, serves: [0, 1] },
      { table: "holding", start: 300, count: 2, intervalMs: 60_000, serves: [2] },
    ]);
  });

  it("never takes a group apart, nor reads it less often than its most urgent range", () => {
    const limits = { readable: [readable(0, 100)], maxRegisters: 30 };
    const group = { group: "energy" };
    const plan = planReads(
      [want(0, 2), want(20, 2, { ...group, intervalMs: 5000 }), want(40, 2, group)],
      limits,
    );
    expect(plan).toContainEqual({
      ...{ table: "holding", start: 20, count: 22, intervalMs: 1000 },
      serves: [1, 2],
    });
    expect(plan).toHaveLength(2);
  });

  it("keeps tables apart", () => {
    const plan = planReads([want(0, 2), want(2, 2, { table: "input" }), want(0, 1900, { table: "coils" })]);
    expect(plan.map(({ table, count }) => `${table} ${count}`)).toEqual([
      "holding 2",
      "input 2",
      "coils 1900",
    ]);
  });

  it.each<[string, readonly WantedRange[], ReadLimits]>([
    ["more than a request can carry", [want(0, 126)], {}],
    ["more than the device allows", [want(0, 21)], { maxRegisters: 20 }],
    ["what is not readable", [want(8, 4)], { readable: [readable(0, 10)] }],
    [
      "a group across a border",
      [want(8, 1, { group: "a" }), want(10, 1, { group: "a" })],
      { readable: [readable(0, 10), readable(10, 9)] },
    ],
    [
      "a group with a gap that is too long",
      [want(0, 1, { group: "a" }), want(9, 1, { group: "a" })],
      { readable: [readable(0, 10)], maxGap: 7 },
    ],
    [
      "a group with a gap of which nothing is known",
      [want(0, 1, { group: "a" }), want(2, 1, { group: "a" })],
      {},
    ],
    ["a group of two tables", [want(0, 1, { group: "a" }), want(1, 1, { group: "a", table: "input" })], {}],
    ["no registers", [want(0, 0)], {}],
    ["registers beyond the last", [want(65535, 2)], {}],
  ])("refuses %s", (_name, wanted, limits) => {
    expect(() => planReads(wanted, limits)).toThrow(
      expect.objectContaining({ constructor: Problem, code: "modbus-plan" }),
    );
  });

  it("plans the 342 registers of an energy meter in an instant", () => {
    const values = Array.from({ length: 171 }, (_, at) =>
      want(2 * at, 2, { intervalMs: at % 3 === 0 ? 1000 : at % 3 === 1 ? 10_000 : 60_000 }),
    );
    const plan = planReads(values, { readable: [readable(0, 342)], maxRegisters: 80 });
    expect(plan.flatMap(({ serves }) => serves).sort((a, b) => a - b)).toEqual(values.map((_, at) => at));
  });
});

interface Case {
  readonly wanted: readonly WantedRange[];
  readonly limits: ReadLimits;
}

const PLACES = 14;
const range = fc
  .tuple(fc.integer({ min: 0, max: PLACES - 1 }), fc.integer({ min: 1, max: 4 }))
  .map(([start, count]) => ({ start, count: Math.min(count, PLACES - start) }));
const limitsOf = fc.record({
  maxRegisters: fc.integer({ min: 4, max: 9 }),
  readable: fc.option(
    fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 5, max: PLACES }))
        .map(([start, count]) => readable(start, Math.min(count, PLACES - start))),
      { minLength: 1, maxLength: 3 },
    ),
    { nil: undefined },
  ),
  maxGap: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
});

const cases: fc.Arbitrary<Case> = fc
  .tuple(
    fc.array(
      fc.record({
        range,
        intervalMs: fc.constantFrom(1000, 1500, 4000),
        group: fc.option(fc.constantFrom("a", "b"), { nil: undefined, freq: 3 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    limitsOf,
  )
  .map(([ranges, { readable: blocks, maxGap, maxRegisters }]) => ({
    wanted: ranges.map(({ range: { start, count }, intervalMs, group }) =>
      want(start, count, { intervalMs, ...(group === undefined ? {} : { group }) }),
    ),
    limits: {
      maxRegisters,
      ...(maxGap === undefined ? {} : { maxGap }),
      ...(blocks === undefined ? {} : { readable: blocks }),
    },
  }));

/** Whether the device lets a request be made, register by register. */
function allowed(start: number, count: number, { wanted, limits }: Case): boolean {
  if (count > (limits.maxRegisters ?? 125)) return false;
  const asked = Array.from({ length: count }, (_, at) => start + at);
  const isWanted = (register: number): boolean =>
    wanted.some((w) => w.start <= register && register < w.start + w.count);
  const { readable: blocks } = limits;
  if (blocks === undefined) return asked.every(isWanted);
  if (!blocks.some((b) => b.start <= start && start + count <= b.start + b.count)) return false;
  let gap = 0;
  return asked.every((register) => {
    gap = isWanted(register) ? 0 : gap + 1;
    return gap <= (limits.maxGap ?? Number.POSITIVE_INFINITY);
  });
}

/** Sets of ranges that must come from one request. */
function indivisible(wanted: readonly WantedRange[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  wanted.forEach(({ group }, at) => {
    const key = group ?? `alone ${at}`;
    groups.set(key, [...(groups.get(key) ?? []), at]);
  });
  return [...groups.values()];
}

interface Cost {
  readonly requests: number;
  readonly registers: number;
}

function costOf(reads: readonly { readonly count: number; readonly intervalMs: number }[]): Cost {
  return {
    requests: reads.reduce((sum, read) => sum + 12_000 / read.intervalMs, 0),
    registers: reads.reduce((sum, read) => sum + (12_000 / read.intervalMs) * read.count, 0),
  };
}

/** Every way to put the ranges into requests; undefined when there is none. */
function bruteForce(given: Case): Cost | undefined {
  let best: Cost | undefined;
  const consider = (bins: readonly (readonly number[])[]): void => {
    const reads = bins.map((members) => {
      const ranges = members.flatMap((at) => given.wanted[at] ?? []);
      const start = Math.min(...ranges.map((r) => r.start));
      const end = Math.max(...ranges.map((r) => r.start + r.count));
      return { start, count: end - start, intervalMs: Math.min(...ranges.map((r) => r.intervalMs)) };
    });
    if (!reads.every((read) => allowed(read.start, read.count, given))) return;
    const cost = costOf(reads);
    if (best === undefined || cost.requests < best.requests) best = cost;
    else if (cost.requests === best.requests && cost.registers < best.registers) best = cost;
  };
  const place = (left: readonly (readonly number[])[], bins: readonly (readonly number[])[]): void => {
    const [first, ...rest] = left;
    if (first === undefined) {
      consider(bins);
      return;
    }
    place(rest, [...bins, first]);
    bins.forEach((bin, at) => {
      place(rest, bins.toSpliced(at, 1, [...bin, ...first]));
    });
  };
  place(indivisible(given.wanted), []);
  return best;
}

describe("planning reads against every possible plan", () => {
  it("finds the fewest requests, then the fewest registers, and keeps every limit", () => {
    let planned = 0;
    fc.assert(
      fc.property(cases, (given) => {
        const best = bruteForce(given);
        if (best === undefined) {
          expect(() => planReads(given.wanted, given.limits)).toThrow(Problem);
          return;
        }
        planned += 1;
        const plan = planReads(given.wanted, given.limits);
        for (const read of plan) expect(allowed(read.start, read.count, given)).toBe(true);
        for (const together of indivisible(given.wanted)) {
          const from = plan.filter((read) => together.some((at) => read.serves.includes(at)));
          expect(from).toHaveLength(1);
          for (const at of together) expectServed(from[0], given.wanted[at]);
        }
        const cost = costOf(plan);
        expect(cost.requests).toBeCloseTo(best.requests, 6);
        expect(cost.registers).toBeCloseTo(best.registers, 6);
      }),
      { numRuns: 2000 },
    );
    expect(planned).toBeGreaterThan(600);
  });
});

function expectServed(read: PlannedRead | undefined, range: WantedRange | undefined): void {
  if (read === undefined || range === undefined) throw new Error("a range is not planned");
  expect(read.start).toBeLessThanOrEqual(range.start);
  expect(read.start + read.count).toBeGreaterThanOrEqual(range.start + range.count);
  expect(read.intervalMs).toBeLessThanOrEqual(range.intervalMs);
}
