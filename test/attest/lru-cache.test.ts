import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LruCache } from "../../attest/lru-cache.ts";

describe("LRU cache", () => {
  it("keeps exactly the keys used last, whatever the order of use", () => {
    const uses = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), uses, (limit, keys) => {
        const cache = new LruCache<number, string>(limit);
        for (const key of keys) expect(cache.getOrCompute(key, () => `value ${key}`)).toBe(`value ${key}`);
        const kept = [...new Set(keys.toReversed())].slice(0, limit);
        expect(cache.size).toBe(kept.length);
        let computed = 0;
        for (const key of kept) cache.getOrCompute(key, () => `again ${computed++}`);
        expect(computed).toBe(0);
      }),
    );
  });

  it("keeps nothing of a computation that fails", () => {
    const cache = new LruCache<string, number>(2);
    const fail = (): number => {
      throw new RangeError("no value");
    };
    expect(() => cache.getOrCompute("key", fail)).toThrow(RangeError);
    expect(cache.size).toBe(0);
    expect(cache.getOrCompute("key", () => 5)).toBe(5);
  });
});
