import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "../../attest/bytes.ts";
import type { Field } from "../../attest/field.ts";
import { LEAF_KINDS, type Leaf } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../attest/leaf-fields.ts";
import { sealedFromJson, sealedToJson } from "../../attest/pretty.ts";
import { leafFromJson, leafToJson, leavesFromJson, leavesToJson } from "../../attest/pretty-leaf.ts";
import { Problem } from "../../attest/problem.ts";
import { evidenceExample } from "./evidence-example.ts";
import { rotation } from "./key-life-kit.ts";
import { changed, KINDS, leafOf, opaqueLeaf, plain, squeezed } from "./pretty-kit.ts";
import { problemOf, refusalOf } from "./refusal.ts";

const anyLeaf: fc.Arbitrary<Leaf> = fc.oneof(...KINDS.map(leafOf), opaqueLeaf);
const example = await evidenceExample();
const COMMON = { seq: 0, timeMs: 0, timeQuality: 0, salt: new Uint8Array(16) } as const;

function bytesOf(name: string): Uint8Array {
  return fromHex(example.get(name) ?? "", name);
}

describe("the JSON of a leaf", () => {
  it("is, for the reading of the evidence format, what its notes say", () => {
    expect(sealedToJson(bytesOf("reading"))).toBe(`{
  "kind": "reading",
  "seq": 5,
  "timeMs": ${Date.UTC(2026, 0, 5, 12, 15)},
  "timeQuality": 3,
  "channel": 1,
  "importMwh": 1234597750,
  "exportMwh": 89000,
  "activePowerMw": 123000,
  "evidence": "dc0e9c3658a1a3ed1ec94274d8b19925",
  "salt": "0ddadb0ef021ce7f46bc671799176e05"
}`);
  });

  it.each(["reading", "close", "log-manifest", "channel-manifest"])(
    "leads back to the example's %s",
    (name) => {
      expect(toHex(sealedFromJson(sealedToJson(bytesOf(name))))).toBe(example.get(name));
    },
  );

  it.each(Object.keys(LEAF_KINDS))(
    "of kind %s says its properties in the order of their keys, and leads back",
    (kind) => {
      const fields = KINDS.filter((known) => known === kind).map(leafOf);
      expect(fields).toHaveLength(1);
      fc.assert(
        fc.property(fc.oneof(...fields), (leaf) => {
          const json = leafToJson(leaf);
          expect(JSON.parse(json)).toEqual(plain(leaf));
          expect(keysOf(leaf, Object.keys(JSON.parse(json)))).toEqual(keysOf(leaf).sort((a, b) => a - b));
          expect(toHex(encodeLeaf(leafFromJson(json)))).toBe(toHex(encodeLeaf(leaf)));
        }),
        { numRuns: 60 },
      );
    },
  );

  it("of kinds 32 to 63 leads back, and keeps text, bytes and maps apart", () => {
    fc.assert(
      fc.property(opaqueLeaf, (leaf) => {
        expect(toHex(encodeLeaf(leafFromJson(leafToJson(leaf))))).toBe(toHex(encodeLeaf(leaf)));
      }),
      { numRuns: 300 },
    );
    const body = new Map([[6, ["05", Uint8Array.of(5), 5, [], new Map(), new Map([[5, "hex"]])]]]);
    expect(JSON.parse(leafToJson({ kind: "opaque", number: 40, body, ...COMMON }))).toMatchObject({
      ...{ kind: "opaque", number: 40, body: { 6: ["05", { hex: "05" }, 5, [], {}, { 5: "hex" }] } },
    });
  });

  it("shows nothing that steers a terminal", () => {
    const steering = [
      [0x00, 0x1f],
      [0x7f, 0x9f],
      [0x61c],
      [0x200e, 0x200f],
      [0x2028, 0x202e],
      [0x2066, 0x2069],
      [0xfeff],
    ];
    const all = steering.flatMap(([first = 0, last = first]) =>
      Array.from({ length: last - first + 1 }, (_, at) => String.fromCodePoint(first + at)),
    );
    for (const input of all) {
      const json = leafToJson({ kind: "tamper", input, state: 1, ...COMMON });
      expect(json).toMatch(/^[ -~\n]*$/);
      expect(JSON.parse(json).input).toBe(input);
    }
    expect(all).toHaveLength(32 + 33 + 1 + 2 + 7 + 4 + 1);
  });

  it("writes a signed object out that stands in a leaf", async () => {
    const order = await rotation();
    const leaf: Leaf = { kind: "dispatch", channel: 1, order, ...COMMON };
    const json = leafToJson(leaf);
    expect(JSON.parse(json).order.payload.acceptance.payload.lastSize).toBe(500);
    expect(toHex(encodeLeaf(leafFromJson(json)))).toBe(toHex(encodeLeaf(leaf)));
    const inHex = json.replace(/"order": \{.*\n {2}\}/s, `"order": "${toHex(order)}"`);
    expect(problemOf(() => leafFromJson(inHex))).toMatchObject({
      ...{ code: "json-form", detail: { where: "$.order" } },
    });
  });

  it("is written of leaves only", () => {
    const leaf: Leaf = { kind: "tamper", input: "lid", state: 1, ...COMMON, seq: 0.5 };
    expect(refusalOf(() => leafToJson(leaf))).toBe("field");
  });

  it("is taken in one form only, up to white space, whatever is changed", () => {
    let taken = 0;
    const cases = anyLeaf.map(leafToJson).chain((json) => changed(json));
    fc.assert(
      fc.property(cases, (json) => {
        const leaf = readOrRefused(json);
        if (leaf === undefined) return;
        taken += 1;
        expect(squeezed(json)).toBe(squeezed(leafToJson(leaf)));
      }),
      { numRuns: 4000 },
    );
    expect(taken).toBeGreaterThan(400);
    expect(taken).toBeLessThan(3000);
  });

  it("may have any white space between its tokens", () => {
    fc.assert(
      fc.property(anyLeaf, fc.constantFrom("", " ", "\t", "\r\n", "  \n"), (leaf, space) => {
        const tokens = squeezed(leafToJson(leaf)).match(/"(?:[^"\\]|\\.)*"|[-0-9]+|[{}[\]:,]/g) ?? [];
        const json = `${space}${tokens.join(space)}${space}`;
        expect(toHex(encodeLeaf(leafFromJson(json)))).toBe(toHex(encodeLeaf(leaf)));
      }),
    );
  });
});

describe("the JSON of leaves back to back", () => {
  it("is a list, and leads back", () => {
    fc.assert(
      fc.property(fc.array(anyLeaf, { maxLength: 5 }), (leaves) => {
        const bytes = concatBytes(...leaves.map(encodeLeaf));
        const json = leavesToJson(bytes);
        expect(JSON.parse(json)).toHaveLength(leaves.length);
        expect(toHex(leavesFromJson(json))).toBe(toHex(bytes));
        expect(toHex(sealedFromJson(sealedToJson(bytes)))).toBe(toHex(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it("says which leaf is wrong", () => {
    const json = leavesToJson(concatBytes(bytesOf("log-manifest"), bytesOf("reading")));
    const problem = problemOf(() => leavesFromJson(json.replace('"channel": 1', '"channel": -1')));
    expect(problem).toMatchObject({ code: "field", detail: { where: "$[1].channel", got: "-1" } });
    expect(refusalOf(() => leavesToJson(bytesOf("reading").slice(0, -1)))).toBe("cbor-truncated");
  });
});

/** The keys on the wire of a leaf's properties, by the names of `names` or in the order of the leaf. */
function keysOf(leaf: Leaf, names: readonly string[] = Object.keys(leaf)): number[] {
  if (leaf.kind === "opaque") throw new Error("opaque leaves have no table");
  const table = new Map<string, Field>(
    Object.entries<Field>({ ...COMMON_FIELDS, ...KIND_FIELDS[leaf.kind] }),
  );
  return names.flatMap((name) => table.get(name)?.key ?? []);
}

function readOrRefused(json: string): Leaf | undefined {
  try {
    return leafFromJson(json);
  } catch (thrown) {
    if (thrown instanceof Problem) return undefined;
    throw thrown;
  }
}
