import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { verifyProof } from "../../../attest/proof-verify.ts";
import { judge } from "../../../attest/verdict.ts";
import { assembled, Tape } from "./assemble.ts";
import { namedRefusalOf } from "./codes.ts";
import { evidenceOf } from "./evidence.ts";
import { mutated } from "./mutate.ts";
import { choices, fuzz, type Outcome, PATIENCE_MS } from "./runs.ts";
import { counting, hollow, real, type Work } from "./suites.ts";
import { Truth } from "./truth.ts";
import { type Verifier, verifiersOf } from "./verifiers.ts";

/** KILOWITNESS_FUZZ_RUNS=100000 npx vitest run test/attest/fuzz: so many cases of each property, see README.md. */

const honest = await evidenceOf(real);
const truth = new Truth(honest);
const liars = await evidenceOf(hollow);

/** What checking costs at most, whatever the bytes are: everything in proportion to their number. */
function requireBounded({ hashes, hashedBytes, keys, signatures }: Work, { length }: Uint8Array): void {
  expect(hashes).toBeLessThanOrEqual(8 + length / 8);
  expect(hashedBytes).toBeLessThanOrEqual(1024 + 16 * length);
  expect(keys).toBeLessThanOrEqual(2 + length / 64);
  expect(signatures).toBeLessThanOrEqual(1 + length / 128);
}

/** Refused with a code that the format names, or taken as the one way to write what it says, at a bounded cost. */
function checkedOnce({ verify, again }: Verifier, evidence: typeof honest, bytes: Uint8Array): Outcome {
  const { suite, work } = counting(evidence.world.suite);
  const code = namedRefusalOf(() => verify(suite, bytes));
  requireBounded(work, bytes);
  if (code === undefined) expect(toHex(again(bytes))).toBe(toHex(bytes));
  return code;
}

describe.each(verifiersOf(honest))("the verifier of: $name", (verifier) => {
  const { name, samples } = verifier;

  it("takes what is true", () => {
    for (const sample of samples) expect(checkedOnce(verifier, honest, sample)).toBeUndefined();
    for (const sample of samples) truth.require(sample);
  });

  it("takes nothing that was not said, however it was changed", { timeout: PATIENCE_MS }, () => {
    const drawn = fc.tuple(fc.constantFrom(...samples), choices);
    fuzz(`${name}, changed`, { cases: 80, of: drawn }, ([sample, changes]) => {
      const bytes = mutated(sample, changes, honest.donors);
      const code = checkedOnce(verifier, honest, bytes);
      if (code === undefined) truth.require(bytes);
      return code;
    });
  });

  it("takes nothing made of nothing", { timeout: PATIENCE_MS }, () => {
    const drawn = fc.tuple(fc.constantFrom(...samples), fc.nat(20), fc.uint8Array({ maxLength: 300 }));
    fuzz(`${name}, of nothing`, { cases: 40, of: drawn }, ([sample, kept, rest]) => {
      const code = checkedOnce(verifier, honest, Uint8Array.of(...sample.subarray(0, 3 * kept), ...rest));
      expect(code).toBeDefined();
      return code;
    });
  });
});

describe.each(verifiersOf(liars))("the verifier of: $name, where every signature is good", (verifier) => {
  const { name, samples, nearly = [] } = verifier;

  it("keeps its word whatever was signed", { timeout: PATIENCE_MS }, () => {
    const drawn = fc.tuple(fc.constantFrom(...samples, ...nearly), choices);
    fuzz(`${name}, signed`, { cases: 120, of: drawn }, ([sample, changes]) =>
      checkedOnce(verifier, liars, mutated(sample, changes, liars.donors)),
    );
  });
});

describe("a proof put together of what is true", () => {
  it("says nothing that is not", { timeout: PATIENCE_MS }, () => {
    const policy = { deviceKeys: [], nodeKeys: [], witnesses: 1 };
    const { suite } = honest.world;
    const tapes = fc.array(fc.noBias(fc.nat()), { minLength: 40, maxLength: 60 });
    fuzz("proof, put together", { cases: 800, of: tapes }, (tape) => {
      const bytes = assembled(honest, new Tape(tape));
      const code = namedRefusalOf(() => judge(suite, verifyProof(suite, bytes), policy));
      if (code === undefined) truth.require(bytes);
      return code;
    });
  });
});
