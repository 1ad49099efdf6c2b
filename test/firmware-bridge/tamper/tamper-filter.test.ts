import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TamperState } from "../../../firmware-bridge/tamper/tamper.ts";
import { type TamperChange, TamperFilter } from "../../../firmware-bridge/tamper/tamper-filter.ts";

const TIMES = { openedNs: 50n, closedNs: 1000n };

function filter(state: TamperState = "closed"): TamperFilter {
  return new TamperFilter(TIMES, { state, sinceNs: 0n });
}

function opened(sinceNs: bigint): TamperChange {
  return { state: "opened", sinceNs };
}

function closed(sinceNs: bigint): TamperChange {
  return { state: "closed", sinceNs };
}

describe("a contact", () => {
  it("is opened when it has been open for long enough, and since when it was", () => {
    const one = filter();
    expect(one.push(opened(100n))).toBeUndefined();
    expect(one.dueNs()).toBe(150n);
    expect(one.settle(149n)).toBeUndefined();
    expect(one.settle(150n)).toEqual(opened(100n));
    expect(one.settle(9999n)).toBeUndefined();
    expect(one.state).toBe("opened");
  });

  it("has bounced when it was open for less", () => {
    const one = filter();
    one.push(opened(100n));
    expect(one.push(closed(149n))).toBeUndefined();
    expect(one.settle(9999n)).toBeUndefined();
  });

  it("was opened when its edges come late and tell of it", () => {
    const one = filter();
    one.push(opened(100n));
    expect(one.push(closed(150n))).toEqual(opened(100n));
    expect(one.settle(1150n)).toEqual(closed(150n));
  });

  it("that rattles is one opening", () => {
    const one = filter();
    const told = Array.from({ length: 50 }, (_, at) => {
      const atNs = BigInt(at) * 500n;
      return [one.push(opened(atNs)), one.push(closed(atNs + 250n))];
    }).flat();
    expect(told.filter((change) => change !== undefined)).toEqual([opened(0n)]);
    expect(one.settle(100_000n)).toEqual(closed(49n * 500n + 250n));
  });

  it("keeps the time of its first edge when one is told twice", () => {
    const one = filter("opened");
    one.push(closed(100n));
    one.push(closed(600n));
    expect(one.settle(1100n)).toEqual(closed(100n));
  });
});

describe("whatever the edges are", () => {
  const edges = fc.array(fc.record({ afterNs: fc.bigInt({ min: 0n, max: 2000n }), isOpen: fc.boolean() }), {
    maxLength: 60,
  });

  it("changes alternate, in their order, and each was stable for its time; the last level is what is told at last", () => {
    fc.assert(
      fc.property(edges, (given) => {
        const one = filter();
        const told: TamperChange[] = [];
        let nowNs = 0n;
        let last: TamperState = "closed";
        for (const { afterNs, isOpen } of given) {
          nowNs += afterNs;
          last = isOpen ? "opened" : "closed";
          const change = one.push({ state: last, sinceNs: nowNs });
          if (change !== undefined) told.push(change);
        }
        const end = one.settle(nowNs + 10_000n);
        if (end !== undefined) told.push(end);
        expect(one.state).toBe(last);
        told.forEach((change, at) => {
          const before = told[at - 1];
          expect(change.state).toBe(before?.state === "opened" ? "closed" : "opened");
          if (before === undefined) return;
          const leastNs = before.state === "opened" ? TIMES.openedNs : TIMES.closedNs;
          expect(change.sinceNs - before.sinceNs).toBeGreaterThanOrEqual(leastNs);
        });
      }),
    );
  });
});
