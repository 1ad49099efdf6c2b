import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Edge } from "../../../firmware-bridge/gpio/line.ts";
import { PulseFilter } from "../../../firmware-bridge/pulse/pulse-filter.ts";

const US = 1000n;
const MS = 1_000_000n;
const LIMITS = { minPulseNs: 20n * MS, minGapNs: 20n * MS };

/** Levels and how long each lasts, in microseconds, from a time on. */
function edges(lasting: readonly (readonly [active: boolean, us: number])[], fromNs = 5n): Edge[] {
  let timeNs = fromNs;
  return lasting.map(([active, us]) => {
    const edge = { active, timeNs };
    timeNs += BigInt(us) * US;
    return edge;
  });
}

function counted(of: readonly Edge[], filter = new PulseFilter(LIMITS)): bigint[] {
  return of.map((edge) => filter.push(edge)).filter((beganNs) => beganNs !== undefined);
}

const END = [false, 0] as const;

describe("a pulse", () => {
  it.each([
    ["of the least width", [[true, 20_000], END], 1],
    ["a microsecond less", [[true, 19_999], END], 0],
    ["and one after the least gap", [[true, 30_000], [false, 20_000], [true, 30_000], END], 2],
    ["and what follows a microsecond sooner", [[true, 30_000], [false, 19_999], [true, 30_000], END], 1],
    ["in three parts", [[true, 12_000], [false, 900], [true, 900], [false, 3_000], [true, 12_000], END], 1],
    ["of hours, as a reed contact may rest", [[true, 9_000_000_000], END], 1],
    ["that has not ended", [[true, 30_000]], 0],
    ["that was there before anybody looked", [[false, 500_000], [true, 30_000], END], 1],
    ["that was there, with a bounce at its end", [[false, 2_000], [true, 30_000], END], 0],
    ["twice told to rise", [[true, 15_000], [true, 15_000], END], 1],
    ["twice told to fall", [[true, 30_000], [false, 30_000], [false, 30_000], [true, 30_000], END], 2],
  ] as const)("%s", (_name, lasting, expected) => {
    expect(counted(edges(lasting))).toHaveLength(expected);
  });

  it("begins where its first edge was", () => {
    const lasting = [
      [true, 1_000],
      [false, 500],
      [true, 29_000],
      [false, 900_000],
      [true, 30_000],
      END,
    ] as const;
    expect(counted(edges(lasting, 7n))).toEqual([7n, 7n + 930_500n * US]);
  });

  it("is told apart from what is too short and from edges that are told twice", () => {
    const filter = new PulseFilter(LIMITS);
    const lasting = [
      [true, 1_000],
      [false, 90_000],
      [true, 500],
      [true, 29_500],
      [false, 90_000],
      [true, 5],
      END,
    ] as const;
    expect(counted(edges(lasting), filter)).toHaveLength(1);
    filter.push({ active: true, timeNs: 1_000n * MS });
    expect([filter.tooShort, filter.repeated]).toEqual([2, 1]);
  });
});

/** Contact bounce: it goes to and fro for less than 5 ms before the level stays (IEC 62053-31, 4.1.3.4). */
function bouncing(active: boolean, us: number, turns: readonly number[]): [boolean, number][] {
  const parts = turns.flatMap((turn, index): [boolean, number][] => [
    [index % 2 === 0 ? active : !active, turn],
  ]);
  const even = parts.length % 2 === 0 ? parts : parts.slice(0, -1);
  const used = even.reduce((sum, [, turn]) => sum + turn, 0);
  return [...even, [active, us - used]];
}

const turns = fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 8 });
const standard = fc.array(
  fc.record({
    onUs: fc.integer({ min: 30_000, max: 500_000 }),
    offUs: fc.integer({ min: 30_000, max: 10_000_000 }),
    rising: turns,
    falling: turns,
  }),
  { maxLength: 20 },
);

describe("any pulses that the standard allows", () => {
  it("are counted once each, however their contacts bounce", () => {
    fc.assert(
      fc.property(standard, (given) => {
        const lasting = given.flatMap(({ onUs, offUs, rising, falling }) => [
          ...bouncing(true, onUs, rising),
          ...bouncing(false, offUs, falling),
        ]);
        expect(counted(edges([...lasting, END]))).toHaveLength(given.length);
      }),
    );
  });

  it("are not more for spikes in the pauses", () => {
    fc.assert(
      fc.property(
        standard,
        fc.array(fc.integer({ min: 1, max: 19_999 }), { maxLength: 20 }),
        (given, spikes) => {
          const lasting = given.flatMap(({ onUs }, index): [boolean, number][] => {
            const spike = spikes[index];
            const pause: [boolean, number][] = [[false, 40_000]];
            return [
              [true, onUs],
              ...pause,
              ...(spike === undefined ? [] : ([[true, spike], ...pause] as typeof pause)),
            ];
          });
          expect(counted(edges([...lasting, END]))).toHaveLength(given.length);
        },
      ),
    );
  });
});
