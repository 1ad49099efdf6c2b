import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { namedRefusalOf } from "./codes.ts";
import { type Decoder, decodersOf } from "./decoders.ts";
import { evidenceOf } from "./evidence.ts";
import { mutated } from "./mutate.ts";
import { mutatedJson } from "./mutate-json.ts";
import { choices, fuzz, type Outcome, PATIENCE_MS } from "./runs.ts";
import { real } from "./suites.ts";

/** KILOWITNESS_FUZZ_RUNS=100000 npx vitest run test/attest/fuzz: so many cases of each property, see README.md. */

const evidence = await evidenceOf(real);

/** Refused with a code that the format names and the decoder's description allows, or taken as the one way to write it. */
function requireOneWay({ read, normal, codes, mostBytes = Infinity }: Decoder, bytes: Uint8Array): Outcome {
  let write: (() => Uint8Array) | undefined;
  const code = namedRefusalOf(() => {
    write = read(bytes);
  });
  if (write === undefined) expect(code).toMatch(codes);
  else {
    expect(toHex(write())).toBe(toHex(normal?.(bytes) ?? bytes));
    expect(bytes.length).toBeLessThanOrEqual(mostBytes);
  }
  return code;
}

describe.each(decodersOf(evidence))("the decoder of $name", (decoder) => {
  const { name, samples, isJson = false } = decoder;

  it("takes what was written, as it was written", () => {
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) expect(requireOneWay(decoder, sample)).toBeUndefined();
  });

  it("refuses what was changed, or it is the one way to write something else", {
    timeout: PATIENCE_MS,
  }, () => {
    const drawn = fc.tuple(fc.constantFrom(...samples), choices, fc.boolean());
    fuzz(`${name}, changed`, { cases: 400, of: drawn }, ([sample, changes, byValue]) => {
      const bytes =
        isJson && byValue ? mutatedJson(sample, changes) : mutated(sample, changes, evidence.donors);
      return requireOneWay(decoder, bytes);
    });
  });

  it("refuses what was made of nothing", { timeout: PATIENCE_MS }, () => {
    const drawn = fc.tuple(fc.constantFrom(...samples), fc.nat(8), fc.uint8Array({ maxLength: 300 }));
    fuzz(`${name}, of nothing`, { cases: 150, of: drawn }, ([sample, kept, rest]) =>
      requireOneWay(decoder, Uint8Array.of(...sample.subarray(0, 3 * kept), ...rest)),
    );
  });
});
