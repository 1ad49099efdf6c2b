import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FAULT_FLASHES,
  type Indicated,
  type IndicatedFault,
  type IndicatorFacts,
  indicated,
} from "../../../firmware-bridge/indicator/indicated.ts";
import {
  isLit,
  type Pattern,
  patternOf,
  patternsOf,
  untilChangeMs,
} from "../../../firmware-bridge/indicator/patterns.ts";

const FAULTS = Object.keys(FAULT_FLASHES) as IndicatedFault[];
const STAGES = ["starting", "reading", "sealed", "acknowledged"] as const;
const ALL: readonly Indicated[] = [
  ...STAGES.map((stage) => ({ stage })),
  ...FAULTS.map((fault) => ({ stage: "acknowledged" as const, fault })),
];

/** One character for each 100 ms: what somebody sees who looks for so long. */
function seen(pattern: Pattern, ms: number): string {
  return Array.from({ length: ms / 100 }, (_, at) => (isLit(pattern, at * 100) ? "#" : ".")).join("");
}

describe("one lamp", () => {
  it.each([
    ["starting", "#.#.#.#.#.#.#.#.#.#."],
    ["reading", "#..................."],
    ["sealed", "#...#..............."],
    ["acknowledged", "###################."],
  ] as const)("%s", (stage, text) => {
    expect(seen(patternOf({ stage }), 4000)).toBe(text.repeat(2));
  });

  it.each(FAULTS)("shows %s by its number of long flashes, whatever the stage", (fault) => {
    const flashes = FAULT_FLASHES[fault];
    const text = `${"#####.....".repeat(flashes - 1)}#####${".".repeat(20)}`;
    for (const stage of STAGES)
      expect(seen(patternOf({ stage, fault }), 2 * text.length * 100)).toBe(text.repeat(2));
  });

  it("is never steady, and no two things look alike", () => {
    const looks = ALL.map((each) => seen(patternOf(each), 60_000));
    for (const look of looks) expect(look).toMatch(/#.*\.|\..*#/);
    expect(new Set(looks).size).toBe(ALL.length);
  });
});

describe("three lamps", () => {
  it.each([
    ["starting", "starting", "dark", "dark"],
    ["reading", "once", "dark", "dark"],
    ["sealed", "once", "once", "dark"],
    ["acknowledged", "once", "once", "once"],
  ] as const)("%s", (stage, ...looks: readonly ("starting" | "once" | "dark")[]) => {
    const known = { starting: "#.".repeat(10), once: `#${".".repeat(19)}`, dark: ".".repeat(20) };
    expect(patternsOf({ stage }).map((pattern) => seen(pattern, 2000))).toEqual(
      looks.map((look) => known[look]),
    );
  });

  it("show a fault together, as one lamp does", () => {
    const fault: Indicated = { stage: "sealed", fault: "nodeUnreachable" };
    expect(patternsOf(fault)).toEqual([patternOf(fault), patternOf(fault), patternOf(fault)]);
  });
});

describe("any pattern", () => {
  const pattern = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 })), { maxLength: 8 })
    .map((pairs) => pairs.flat());

  it("stays as it is until it changes, then is the other, and repeats", () => {
    fc.assert(
      fc.property(pattern, fc.integer({ min: 0, max: 1_000_000 }), (given, atMs) => {
        const leftMs = untilChangeMs(given, atMs);
        if (leftMs === undefined) {
          expect(given).toEqual([]);
          return;
        }
        const lit = isLit(given, atMs);
        expect(isLit(given, atMs + leftMs - 1)).toBe(lit);
        expect(isLit(given, atMs + leftMs)).toBe(!lit);
        const periodMs = given.reduce((sum, ms) => sum + ms, 0);
        expect(isLit(given, atMs + periodMs)).toBe(lit);
      }),
    );
  });
});

describe("what is to be shown", () => {
  const fresh: IndicatorFacts = {
    ...{ sinceReadingMs: 10, sinceSealedMs: 20, sinceAcknowledgedMs: 30 },
    ...{ freshReadingMs: 10, freshSealedMs: 20, freshAcknowledgedMs: 30 },
    faults: [],
  };

  it.each([
    ["acknowledged", {}],
    ["sealed", { sinceAcknowledgedMs: 31 }],
    ["reading", { sinceSealedMs: 21 }],
    ["starting", { sinceReadingMs: 11 }],
  ] as const)("is %s as long as everything before it is fresh", (stage, change) => {
    expect(indicated({ ...fresh, ...change })).toEqual({ stage });
  });

  it("is starting before anything has happened", () => {
    const { freshReadingMs, freshSealedMs, freshAcknowledgedMs, faults } = fresh;
    expect(indicated({ freshReadingMs, freshSealedMs, freshAcknowledgedMs, faults })).toEqual({
      stage: "starting",
    });
  });

  it("is the fault with the smallest number", () => {
    const faults = ["storageFailing", "meterSilent", "clockUnknown"] as const;
    expect(indicated({ ...fresh, faults })).toEqual({ stage: "acknowledged", fault: "meterSilent" });
  });
});

describe("docs/indicator.md", () => {
  const page = readFileSync(new URL("../../../docs/indicator.md", import.meta.url), "utf8");

  it("draws every pattern as it is", () => {
    const drawn = [...page.matchAll(/^\| `(?<name>\w+)` \|[^|]*\| `(?<look>[#.]+)` \|/gm)].map(
      ({ groups }) => [groups?.["name"], groups?.["look"]],
    );
    const shown = ALL.map((each) => {
      const pattern = patternOf(each);
      const periodMs = pattern.reduce((sum, ms) => sum + ms, 0);
      return [each.fault ?? each.stage, seen(pattern, Math.max(periodMs, 2000))];
    });
    expect(drawn).toEqual(shown);
  });
});
