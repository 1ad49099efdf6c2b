import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Unplaced } from "../../../attest/leaf.ts";
import { BOUNDARY, type Commitment } from "../../../attest/leaf-flexibility.ts";
import { restoreRules } from "../../../attest/log-rules.ts";
import { EPOCH_MS, LogBuilder, QUARTER_MS } from "../../kit/log-builder.ts";
import { refusalOf } from "../refusal.ts";

interface Wanted {
  readonly channel: number;
  readonly boundary: number;
  /** In quarters of an hour after the log's begin. */
  readonly from: number;
  readonly count: number;
}

function commitment(log: LogBuilder, { channel, boundary, from, count }: Wanted): Unplaced<Commitment> {
  return {
    ...{ kind: "commitment", ...log.time(), channel, boundary, fromMs: EPOCH_MS + from * QUARTER_MS },
    ...{ intervalMs: QUARTER_MS, deltaMwh: new Array<number>(count).fill(-1000) },
    ...{ termsDigest: new Uint8Array(32), counterparty: new Uint8Array(3) },
  };
}

function logWithChannels(): LogBuilder {
  const log = new LogBuilder();
  for (const channel of [1, 2, 3]) log.manifest({ channel, name: `channel ${channel}` });
  return log;
}

/** Straight from the sentence: one per boundary and interval, and a site's holds those of its devices. */
function clash(one: Wanted, other: Wanted): boolean {
  const quarters = (wanted: Wanted): number[] =>
    Array.from({ length: wanted.count }, (_, at) => wanted.from + at);
  const together = quarters(one).some((quarter) => quarters(other).includes(quarter));
  const site = one.boundary === BOUNDARY.site || other.boundary === BOUNDARY.site;
  return together && (site || one.channel === other.channel);
}

const wanted = fc.record<Wanted>({
  channel: fc.integer({ min: 1, max: 3 }),
  boundary: fc.constantFrom(BOUNDARY.device, BOUNDARY.site),
  from: fc.integer({ min: 4, max: 20 }),
  count: fc.integer({ min: 1, max: 5 }),
});

describe("commitments of a log", () => {
  it("never promise the energy of one boundary twice for one time", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.array(wanted, { maxLength: 12 }), (all) => {
        const log = logWithChannels();
        const taken: Wanted[] = [];
        for (const next of all) {
          const expected = taken.some((other) => clash(other, next)) ? "commitment-overlap" : undefined;
          const code = refusalOf(() => log.append(commitment(log, next)));
          expect(code).toBe(expected);
          if (code === undefined) taken.push(next);
          else refused += 1;
        }
      }),
    );
    expect(refused).toBeGreaterThan(50);
  });

  it("are known to rules that were read back from text", () => {
    const log = logWithChannels();
    const next = { channel: 1, boundary: BOUNDARY.device, from: 4, count: 2 };
    log.append(commitment(log, next));
    const restored = restoreRules(log.suite, log.rules.identity, log.rules.toText());
    const { leaf, bytes } = log.place(commitment(log, next));
    expect(refusalOf(() => restored.apply(leaf, bytes))).toBe("commitment-overlap");
    expect(restored.toText()).toBe(log.rules.toText());
  });

  it("are free again once they have ended", () => {
    const log = logWithChannels();
    log.append(commitment(log, { channel: 1, boundary: BOUNDARY.site, from: 4, count: 2 }));
    log.timeMs = EPOCH_MS + 6 * QUARTER_MS;
    for (let at = 0; at < 64; at++)
      log.append(commitment(log, { channel: 1, boundary: BOUNDARY.device, from: 6 + at, count: 1 }));
    const one = commitment(log, { channel: 2, boundary: BOUNDARY.device, from: 6, count: 1 });
    expect(refusalOf(() => log.append(one))).toBe("commitments");
  });

  it("are of whole intervals", () => {
    const log = logWithChannels();
    const whole = commitment(log, { channel: 1, boundary: BOUNDARY.device, from: 4, count: 1 });
    expect(refusalOf(() => log.append({ ...whole, fromMs: whole.fromMs + 1 }))).toBe("commitment-interval");
    expect(refusalOf(() => log.append({ ...whole, intervalMs: 0 }))).toBe("commitment-interval");
  });
});
