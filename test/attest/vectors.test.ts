import { describe, expect, it } from "vitest";
import { LEAF_KINDS } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { reportCount } from "../kit/vectors.ts";
import { allDrafts } from "./vectors/all.ts";
import { documentedCodes, NOT_HERE, OWN_CODES } from "./vectors/codes.ts";
import { vectorOf, writeVector } from "./vectors/draft.ts";
import { loadVectors, vectorNames, vectorText } from "./vectors/files.ts";
import { CHECKS, remembering, runVector } from "./vectors/run.ts";
import { isFields } from "./vectors/schema.ts";

const vectors = loadVectors();
const drafts = allDrafts();
const bad = vectors.filter(({ expect: said }) => said["valid"] === false);

describe("the vectors", () => {
  it.each([
    ["native", nativeSuite],
    ["portable", portableSuite],
  ])("have the outcome that they say, by the %s suite", (name, plain) => {
    const suite = remembering(plain);
    for (const vector of vectors)
      expect({ name: vector.name, ...runVector(suite, vector) }).toEqual({
        ...{ name: vector.name, ...vector.expect },
      });
    reportCount(`attest/vectors, ${name} suite, ${bad.length} of them bad`, vectors.length);
  });

  it("are what the generator makes, text for text", () => {
    expect(drafts.map(({ name }) => name).sort()).toEqual(vectorNames());
    for (const draft of drafts) expect(vectorText(draft.name), draft.name).toBe(writeVector(vectorOf(draft)));
  });

  it("that are bad are good without their one fault", () => {
    const suite = remembering(nativeSuite);
    for (const { name, mended, input, policy } of drafts) {
      if (mended === undefined) continue;
      expect({ name, ...runVector(suite, mended) }).toMatchObject({ name, valid: true });
      expect({ input, policy }, name).not.toEqual({ input: mended.input, policy: mended.policy });
    }
    const mendable = drafts.filter(({ mended }) => mended !== undefined);
    expect(mendable).toHaveLength(bad.length);
  });
});

describe("the names of the vectors", () => {
  it("are the files' own, and say object and fault", () => {
    expect(vectors.map(({ name }) => name)).toEqual(vectorNames());
    for (const { name, object, expect: said } of vectors) {
      const begin = said["valid"] === true ? object : `bad-${object}-`;
      expect(name).toMatch(new RegExp(`^${begin}[a-z0-9-]*$`));
    }
  });

  it("come with one plain sentence each", () => {
    for (const { name, about } of vectors) expect(about, name).toMatch(/^[^\n]{8,110}\.$/);
  });
});

describe("what the vectors cover", () => {
  it("is every object, good and bad, and every kind of leaf", () => {
    const good = vectors.filter(({ expect: said }) => said["valid"] === true);
    const objects = Object.keys(CHECKS).sort();
    expect([...new Set(good.map(({ object }) => object))].sort()).toEqual(objects);
    expect([...new Set(bad.map(({ object }) => object))].sort()).toEqual(objects);
    const kinds = good.flatMap(({ expect: { leaf } }) => (isFields(leaf) ? [leaf["kind"]] : []));
    expect([...new Set(kinds)].sort()).toEqual([...Object.keys(LEAF_KINDS), "opaque"].sort());
    expect(bad.length).toBeGreaterThanOrEqual(60);
  });

  it("is every code and rule that the document lists for a verifier, but for those that are named", () => {
    const refusals = bad.map(({ expect: said }) => String(said["code"]));
    const rules = vectors.flatMap(({ expect: { rule } }) => (typeof rule === "string" ? [rule] : []));
    const seen = new Set([...refusals, ...rules]);
    const known = [...documentedCodes(), ...OWN_CODES];
    const missing = known.filter((code) => !seen.has(code));
    expect(missing.sort()).toEqual(Object.keys(NOT_HERE).sort());
    expect([...seen].filter((code) => !known.includes(code))).toEqual([]);
    console.log(`vectors: ${seen.size} codes and rules; not covered: ${missing.join(", ")}`);
  });
});
