import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { namedRefusalOf } from "./codes.ts";
import { evidenceOf } from "./evidence.ts";
import { isLong, PATIENCE_MS } from "./runs.ts";
import { real } from "./suites.ts";
import { type Verifier, verifiersOf } from "./verifiers.ts";

/** Every bit of a small object of each kind; of others so many, or every one in a long run (KILOWITNESS_FUZZ_RUNS). */
const SMALL_BYTES = 256;
const SOME = 100;

const { world, ...rest } = await evidenceOf(real);

/** How far one place that is tried lies from the next, so that about so many are. */
function stride(which: number, places: number): number {
  const isWhole = which === 0 && places <= 8 * SMALL_BYTES;
  return isLong || isWhole ? 1 : Math.ceil(places / SOME) | 1;
}

function requireRefused({ verify }: Verifier, bytes: Uint8Array, what: string): void {
  if (namedRefusalOf(() => verify(world.suite, bytes)) === undefined) expect(what).toBe("refused");
}

describe.each(verifiersOf({ world, ...rest }))("the verifier of: $name", (verifier) => {
  const { name, samples } = verifier;

  it("refuses every single flipped bit", { timeout: PATIENCE_MS }, () => {
    let [tried, bits] = [0, 0];
    for (const [which, sample] of samples.entries()) {
      bits += 8 * sample.length;
      for (let bit = 0; bit < 8 * sample.length; bit += stride(which, 8 * sample.length), tried++) {
        const flipped = sample.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        requireRefused(verifier, flipped, `bit ${bit} of ${which}`);
      }
    }
    expect(tried).toBeGreaterThan(50);
    console.log(`fuzz: ${name}: ${tried} of ${bits} flipped bits refused`);
  });

  it("refuses what is cut short anywhere, and what is longer", { timeout: PATIENCE_MS }, () => {
    let tried = 0;
    for (const [which, sample] of samples.entries()) {
      for (let length = 0; length < sample.length; length += stride(which, 8 * sample.length), tried++)
        requireRefused(verifier, sample.subarray(0, length), `${length} bytes of ${which}`);
      for (const more of [sample.subarray(0, 1), sample, Uint8Array.of(0), new Uint8Array(1_048_576)])
        requireRefused(verifier, concatBytes(sample, more), `${more.length} bytes behind ${which}`);
    }
    console.log(`fuzz: ${name}: ${tried} cuts refused`);
  });
});
