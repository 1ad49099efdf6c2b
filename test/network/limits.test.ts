import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { sourceOf } from "../../network/limits/address.ts";
import { CheckpointPace } from "../../network/limits/checkpoint-pace.ts";
import { RateLimit } from "../../network/limits/rate-limit.ts";
import { FakeDevice } from "../kit/device.ts";

describe("a rate", () => {
  /** A bucket of tokens, told in plain words: the other way to say the same. */
  class Bucket {
    #tokens: number;
    #atMs = 0;
    readonly #periodMs: number;
    readonly #burst: number;

    constructor(periodMs: number, burst: number) {
      this.#periodMs = periodMs;
      this.#burst = burst;
      this.#tokens = burst;
    }

    take(nowMs: number): boolean {
      this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) / this.#periodMs);
      this.#atMs = nowMs;
      if (this.#tokens < 1) return false;
      this.#tokens -= 1;
      return true;
    }
  }

  it("allows what a bucket of tokens does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(200), { maxLength: 200 }),
        (exponent, burst, steps) => {
          // Powers of two, so that both sides count exactly.
          const periodMs = 2 ** exponent;
          let nowMs = 1000;
          const rate = new RateLimit({ periodMs, burst, names: 4, nowMs: () => nowMs });
          const bucket = new Bucket(periodMs, burst);
          bucket.take(nowMs);
          rate.take("a");
          for (const step of steps) {
            nowMs += step >> 3;
            expect(rate.has("a")).toBe(rate.has("a"));
            expect(rate.take("a")).toBe(bucket.take(nowMs));
          }
        },
      ),
    );
  });

  it("is each name's own, for as many names as it keeps", () => {
    const rate = new RateLimit({ periodMs: 1000, burst: 1, names: 3, nowMs: () => 5000 });
    expect(["a", "b", "c", "a"].map((name) => rate.take(name))).toEqual([true, true, true, false]);
    for (let i = 0; i < 1000; i++) rate.take(`x${i}`);
    expect(rate.size).toBe(3);
    expect(rate.take("a")).toBe(true);
  });

  it("says how long it is before its time, one behind the other", () => {
    let nowMs = 0;
    const rate = new RateLimit({ periodMs: 1000, burst: 2, names: 1, nowMs: () => nowMs });
    expect([1, 2, 3, 4].map(() => rate.takeLate("a"))).toEqual([0, 0, 1000, 2000]);
    nowMs = 10_000;
    expect(rate.takeLate("a")).toBe(0);
  });
});

describe("the pace of checkpoints", () => {
  const NOW = Date.UTC(2026, 5, 1);

  async function batchAt(issuedAtMs: number, leaves = 100): Promise<BatchMessage> {
    const device = new FakeDevice().open();
    const checkpoint = await signCheckpoint(device.signer, device.rules.logId, {
      ...device.checkpoint(),
      issuedAtMs,
    });
    return { type: "batch", epoch: 1, firstSeq: 0, leaves: new Uint8Array(leaves), checkpoint };
  }

  /** Waits of so many batches one after another, each handed over when the one before was done. */
  function waits(batch: BatchMessage, count: number, perMinute = 60): number[] {
    let monotonicMs = 0;
    const pace = new CheckpointPace(perMinute, { nowMs: () => NOW, monotonicMs: () => monotonicMs });
    return Array.from({ length: count }, () => {
      const waitMs = pace.waitMs("key", batch);
      monotonicMs += waitMs;
      return waitMs;
    });
  }

  it("lets five minutes' worth through at once, and then one a second", async () => {
    const all = waits(await batchAt(NOW), 310);
    expect(all.slice(0, 300)).toEqual(Array(300).fill(0));
    expect(all.slice(300)).toEqual(Array(10).fill(1000));
    expect(waits(await batchAt(NOW), 20, 1).slice(4, 7)).toEqual([0, 60_000, 60_000]);
  });

  it("never makes a backlog wait: six hours of minutes, and what was signed in large pieces", async () => {
    expect(Math.max(...waits(await batchAt(NOW - 300_001), 5000))).toBe(0);
    expect(Math.max(...waits(await batchAt(NOW, 16_384), 5000))).toBe(0);
    expect(Math.max(...waits(await batchAt(NOW - 300_000), 302))).toBe(1000);
    expect(Math.max(...waits(await batchAt(NOW, 16_383), 302))).toBe(1000);
  });

  it("makes no exception for a clock that is ahead, nor for bytes that are no checkpoint", async () => {
    expect(Math.max(...waits(await batchAt(NOW + 86_400_000), 302))).toBe(1000);
    const batch = await batchAt(NOW);
    expect(Math.max(...waits({ ...batch, checkpoint: new Uint8Array(7) }, 302))).toBe(1000);
  });
});

describe("where limits count a connection for", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["2001:db8:0:0:1::", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["unknown", "unknown"],
  ])("%s is %s", (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});
