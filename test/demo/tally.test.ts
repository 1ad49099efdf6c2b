import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTallies, type Registers, Tally } from "../../bin/demo/tally.ts";

interface Seen {
  readonly channel: string;
  readonly importMwh: number | undefined;
}

const seen = fc.record({
  channel: fc.constantFrom("grid", "solar"),
  importMwh: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
});
const readings = fc.array(seen, { maxLength: 30 });

describe("comparing the three counts", () => {
  it("finds nothing lost when the node holds all, in any order", () => {
    fc.assert(
      fc.property(readings, (all) => {
        const stored = tallyOf(all.toReversed());
        expect(compareTallies(tallyOf(all), { accepted: tallyOf(all), stored })).toEqual({
          lost: 0,
          unserved: 0,
        });
      }),
    );
  });

  it("finds each reading that the node does not hold, also among equal ones", () => {
    fc.assert(
      fc.property(readings, fc.integer({ min: 0, max: 30 }), (all, count) => {
        const missing = Math.min(count, all.length);
        const stored = tallyOf(all.slice(missing));
        expect(compareTallies(tallyOf(all), { accepted: tallyOf(all), stored }).lost).toBe(missing);
      }),
    );
  });

  it("does not count what the agent never accepted", () => {
    const served = tallyOf([grid(1), grid(2), grid(2)]);
    const accepted = tallyOf([grid(2)]);
    expect(compareTallies(served, { accepted, stored: new Tally() })).toEqual({ lost: 1, unserved: 0 });
  });

  it("says when registers were accepted that no device served", () => {
    const accepted = tallyOf([grid(1), grid(9)]);
    const stored = accepted;
    expect(compareTallies(tallyOf([grid(1)]), { accepted, stored })).toEqual({ lost: 0, unserved: 1 });
  });

  it("tells an absent register from zero", () => {
    const accepted = tallyOf([grid(0)]);
    const stored = tallyOf([grid(undefined)]);
    expect(compareTallies(tallyOf([grid(0)]), { accepted, stored }).lost).toBe(1);
  });
});

function grid(importMwh: number | undefined): Seen {
  return { channel: "grid", importMwh };
}

function tallyOf(all: readonly Seen[]): Tally {
  const tally = new Tally();
  for (const { channel, importMwh } of all) {
    const registers: Registers = importMwh === undefined ? {} : { importMwh };
    tally.add(channel, registers);
  }
  return tally;
}
