import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogRules, restoreRules } from "../../../attest/log-rules.ts";
import { namedRefusalOf } from "./codes.ts";
import { evidenceOf } from "./evidence.ts";
import { mutatedJson } from "./mutate-json.ts";
import { choices, fuzz, PATIENCE_MS } from "./runs.ts";
import { real } from "./suites.ts";

/** KILOWITNESS_FUZZ_RUNS=100000 npx vitest run test/attest/fuzz: so many cases of each property, see README.md. */

const { world } = await evidenceOf(real);
const { identity } = world.first.rules;
const empty = new LogRules(world.suite, identity);
const texts = [world.first.rules, world.second.rules, empty].map((rules) => rules.toText());

function restored(text: string): string {
  return restoreRules(world.suite, identity, text).toText();
}

/** The outline of saved state: what stands there may be anything, but not in place of something else. */
const OUTLINE: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  version: fc.jsonValue().filter((value) => value !== 1),
  size: fc.jsonValue().filter((value) => typeof value !== "number"),
  peaks: fc.jsonValue().filter((value) => !Array.isArray(value)),
  channels: fc.jsonValue().filter((value) => !Array.isArray(value)),
};

describe("saved state of a log", () => {
  it("is restored as it was", () => {
    for (const text of texts) expect(restored(text)).toBe(text);
  });

  it("is refused with another outline", { timeout: PATIENCE_MS }, () => {
    const change = fc.oneof(
      ...Object.entries(OUTLINE).map(([name, value]) => fc.tuple(fc.constant(name), value)),
    );
    const drawn = fc.tuple(fc.constantFrom(...texts), change);
    fuzz("saved state, outline", { cases: 300, of: drawn }, ([text, [name, value]]) => {
      const code = namedRefusalOf(() => restored(JSON.stringify({ ...JSON.parse(text), [name]: value })));
      expect(code).toMatch(/^(rules-version|tree-frontier)$/);
      return code;
    });
  });

  it("is refused with another size or another number of peaks", { timeout: PATIENCE_MS }, () => {
    const drawn = fc.tuple(fc.constantFrom(...texts), fc.oneof(fc.maxSafeInteger(), fc.double()));
    fuzz("saved state, size", { cases: 300, of: drawn }, ([text, size]) => {
      const saved: { readonly peaks: readonly unknown[] } = JSON.parse(text);
      const code = namedRefusalOf(() => restored(JSON.stringify({ ...saved, size })));
      if (code === undefined) expect(ones(size)).toBe(saved.peaks.length);
      else expect(code).toMatch(/^(rules-version|tree-frontier)$/);
      return code;
    });
  });

  it("is refused with another value anywhere, or restored for good", { timeout: PATIENCE_MS }, () => {
    const samples = texts.map((text) => new TextEncoder().encode(text));
    const drawn = fc.tuple(fc.constantFrom(...samples), choices);
    fuzz("saved state, values", { cases: 400, of: drawn }, ([sample, changes]) => {
      const text = new TextDecoder().decode(mutatedJson(sample, changes));
      let again = "";
      const code = namedRefusalOf(() => {
        again = restored(text);
      });
      if (code === undefined) expect(restored(again)).toBe(again);
      else expect(code).toMatch(/^(json|rules-version|tree-frontier)$/);
      return code;
    });
  });

  it("is refused when it is cut short, or other text", { timeout: PATIENCE_MS }, () => {
    const cut = fc
      .tuple(fc.constantFrom(...texts), fc.nat())
      .map(([text, at]) => text.slice(0, at % text.length));
    fuzz("saved state, cut", { cases: 300, of: fc.oneof(cut, fc.string(), fc.json()) }, (text) => {
      const code = namedRefusalOf(() => restored(text));
      expect(code).toMatch(/^(json|rules-version)$/);
      return code;
    });
  });
});

/** Number of binary 1s: a tree of that size has so many peaks. */
function ones(size: number): number {
  return size.toString(2).replaceAll("0", "").length;
}
