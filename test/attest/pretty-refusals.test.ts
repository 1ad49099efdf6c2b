import { describe, expect, it } from "vitest";
import { fromHex } from "../../attest/bytes.ts";
import type { CborValue } from "../../attest/cbor.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { sealedFromJson, sealedToJson } from "../../attest/pretty.ts";
import { leafFromJson, leafToJson } from "../../attest/pretty-leaf.ts";
import { evidenceExample } from "./evidence-example.ts";
import { squeezed } from "./pretty-kit.ts";
import { problemOf, refusalOf } from "./refusal.ts";

type Refused = readonly [
  what: string,
  from: string | RegExp,
  to: string,
  said: {
    readonly code: string;
    readonly where: string;
    readonly expected?: unknown;
    readonly got?: unknown;
  },
];

const SALT = "00112233445566778899aabbccddeeff";
const salt = Uint8Array.from(SALT.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const reading: Leaf = {
  ...{ kind: "reading", seq: 5, timeMs: 7, timeQuality: 3, channel: 1, status: 2, salt },
  ...{ importMwh: 1000, voltageMv: [230_000, 231_000], extensions: new Map([[70, Uint8Array.of(1)]]) },
};
const tamper: Leaf = { kind: "tamper", seq: 5, timeMs: 7, timeQuality: 3, input: "lid é", state: 1, salt };
const opaque: Leaf = {
  ...{ kind: "opaque", number: 40, seq: 5, timeMs: 7, timeQuality: 3, salt },
  body: new Map<number, CborValue>([
    [6, Uint8Array.of(0xab)],
    [7, [1, "a"]],
  ]),
};

function expectRefused(leaf: Leaf, [, from, to, { code, ...detail }]: Refused): void {
  const json = leafToJson(leaf);
  const wrong = json.replace(from, to);
  expect(wrong).not.toBe(json);
  expect(problemOf(() => leafFromJson(wrong))).toMatchObject({ code, detail });
}

describe("leafFromJson refuses, in a reading,", () => {
  it.each<Refused>([
    [
      "an unknown property",
      '"seq"',
      '"timeIso": "1970", "seq"',
      {
        ...{ code: "json-property", where: "$.timeIso", got: '"1970"' },
      },
    ],
    [
      "a property of another kind",
      '"importMwh"',
      '"state": 1, "importMwh"',
      {
        ...{ code: "json-property", where: "$.state", expected: expect.stringContaining("importMwh") },
      },
    ],
    ["no kind", /"kind": "reading",/, "", { code: "json-missing", where: "$.kind", got: "nothing" }],
    [
      "a kind by number",
      '"reading"',
      "0",
      { code: "json-type", where: "$.kind", expected: "a text", got: "0" },
    ],
    [
      "a kind that there is not",
      '"reading"',
      '"wish"',
      {
        ...{
          code: "json-kind",
          where: "$.kind",
          expected: expect.stringContaining("logManifest"),
          got: '"wish"',
        },
      },
    ],
    ["a kind that every object has", '"reading"', '"constructor"', { code: "json-kind", where: "$.kind" }],
    ["no salt", /,\s*"salt": ".*?"/, "", { code: "json-missing", where: "$.salt", expected: '"salt"' }],
    ["the same property twice", '"seq": 5', '"seq": 5, "seq": 5', { code: "json-duplicate", where: "$.seq" }],
    [
      "a name that every object has",
      '"seq"',
      '"__proto__": {}, "seq"',
      {
        ...{ code: "json-property", where: "$.__proto__" },
      },
    ],
    [
      "properties in another order",
      /"seq": 5,\s*"timeMs": 7/,
      '"timeMs": 7, "seq": 5',
      {
        ...{ code: "json-order", where: "$.timeMs", expected: '"seq" before it', got: '"timeMs"' },
      },
    ],
    [
      "a number as text",
      '"seq": 5',
      '"seq": "5"',
      {
        ...{
          code: "field",
          where: "$.seq",
          expected: "an unsigned integer up to 2^53-1",
          got: "text of 1 characters",
        },
      },
    ],
    [
      "a negative register",
      '"importMwh": 1000',
      '"importMwh": -1',
      { code: "field", where: "$.importMwh", got: "-1" },
    ],
    [
      "a number above 2^53-1",
      '"importMwh": 1000',
      '"importMwh": 9007199254740992',
      {
        ...{ code: "json-number", where: "$.importMwh", got: "9007199254740992" },
      },
    ],
    ["a number far above", "1000", "1".repeat(400), { code: "json-number", where: "$.importMwh" }],
    ["a fraction", "1000", "1000.5", { code: "json-number", where: "$.importMwh", got: "1000.5" }],
    ["a fraction of nothing", "1000", "1000.0", { code: "json-number", where: "$.importMwh", got: "1000.0" }],
    ["an exponent", "1000", "1e3", { code: "json-number", where: "$.importMwh", got: "1e3" }],
    ["minus zero", "1000", "-0", { code: "json-number", where: "$.importMwh", got: "-0" }],
    ["a leading zero", "1000", "01000", { code: "json-number", where: "$.importMwh", got: "01000" }],
    ["a lone minus", "1000", "-", { code: "json-number", where: "$.importMwh", got: "-" }],
    ["null", "1000", "null", { code: "json-type", where: "$.importMwh", got: "null" }],
    ["true", "1000", "true", { code: "json-type", where: "$.importMwh", got: "true" }],
    [
      "a list where a number belongs",
      "1000",
      "[1000]",
      { code: "field", where: "$.importMwh", got: "a list of 1" },
    ],
    [
      "a map where a number belongs",
      "1000",
      "{}",
      { code: "json-type", where: "$.importMwh", got: "a map of 0" },
    ],
    ["an empty list", /\[.*\]/, "[]", { code: "field", where: "$.voltageMv", got: "a list of 0" }],
    ["a list with text", /\[.*\]/, '["1"]', { code: "field", where: "$.voltageMv" }],
    ["a list with a map", /\[.*\]/, "[1, {}]", { code: "json-type", where: "$.voltageMv[1]" }],
    ["a list with a fraction", /\[.*\]/, "[1, 0.5]", { code: "json-number", where: "$.voltageMv[1]" }],
    [
      "upper-case hex",
      "aabb",
      "AABB",
      { code: "json-hex", where: "$.salt", got: expect.stringContaining("AABB") },
    ],
    ["an odd digit", "aabb", "aab", { code: "json-hex", where: "$.salt" }],
    ["white space in hex", "aabb", "aa bb", { code: "json-hex", where: "$.salt" }],
    [
      "15 bytes of salt",
      "aabb",
      "aa",
      { code: "field", where: "$.salt", expected: "16 bytes", got: "15 bytes" },
    ],
    ["a salt that is a number", `"${SALT}"`, "5", { code: "json-type", where: "$.salt", expected: "a text" }],
    ["status 0", '"status": 2', '"status": 0', { code: "leaf-zero-status", where: "$.status" }],
    [
      "time quality 5",
      '"timeQuality": 3',
      '"timeQuality": 5',
      {
        ...{ code: "leaf-time-quality", where: "$.timeQuality", expected: "0 to 4", got: "5" },
      },
    ],
    ["no extension at all", '"70": "01"', "", { code: "json-form", where: "$.extensions" }],
    ["an extension below 64", '"70"', '"63"', { code: "leaf-extension", where: "$.extensions" }],
    [
      "an extension by another key",
      '"70"',
      '"070"',
      { code: "json-key", where: "$.extensions.070", got: '"070"' },
    ],
    ["an extension by name", '"70"', '"hex"', { code: "json-key", where: "$.extensions.hex" }],
    [
      "an extension above 2^53-1",
      '"70"',
      '"9007199254740992"',
      {
        ...{ code: "json-key", where: "$.extensions.9007199254740992" },
      },
    ],
    ["an extension that is a number", '"01"', "1", { code: "json-type", where: "$.extensions.70" }],
    [
      "extensions out of order",
      '"70"',
      '"71": "", "70"',
      {
        ...{ code: "json-order", where: "$.extensions.70", expected: "a key above 71", got: "70" },
      },
    ],
    [
      "more than 4096 bytes",
      '"01"',
      `"${"00".repeat(4096)}"`,
      {
        ...{ code: "leaf-size", where: "$", expected: "at most 4096 bytes" },
      },
    ],
    ["a body", '"extensions"', '"body": {}, "extensions"', { code: "json-property", where: "$.body" }],
  ])("%s", (...refused) => {
    expectRefused(reading, refused);
  });
});

describe("leafFromJson refuses, in a text,", () => {
  it.each<Refused>([
    [
      "an escape that need not be",
      "lid",
      "\\u006cid",
      {
        ...{ code: "json-text", where: "$.input", expected: 'lid é"', got: '\\u006cid é"' },
      },
    ],
    ["a solidus escaped", "lid", "\\/lid", { code: "json-text", where: "$.input" }],
    ["an escape in upper case", "lid", "\\u001B", { code: "json-text", where: "$.input" }],
    [
      "a long escape for a line feed",
      "lid",
      "\\u000a",
      { code: "json-text", where: "$.input", expected: 'n é"' },
    ],
    [
      "a bare character that steers terminals",
      "lid",
      "\u009b",
      {
        ...{ code: "json-text", where: "$.input", got: 'bare U+009b é"' },
      },
    ],
    ["a bare change of direction", "lid", "\u202e", { code: "json-text", where: "$.input" }],
    ["half a surrogate pair", "lid", "\\ud83d", { code: "json-text", where: "$.input" }],
    ["half a surrogate pair, bare", "lid", "\ud83d", { code: "json-text", where: "$.input" }],
    [
      "more than 128 bytes of UTF-8",
      "lid",
      "é".repeat(63),
      {
        ...{ code: "field", where: "$.input", expected: "text of at most 128 bytes" },
      },
    ],
    ["bytes where text belongs", '"lid é"', '{"hex": "00"}', { code: "json-type", where: "$.input" }],
    ["an escaped name", '"input"', '"\\u0069nput"', { code: "json-text", where: "$" }],
  ])("%s", (...refused) => {
    expectRefused(tamper, refused);
  });
});

describe("leafFromJson refuses, in an opaque leaf,", () => {
  it.each<Refused>([
    ["no number", '"number": 40,', "", { code: "json-missing", where: "$.number" }],
    ["an assigned number", "40", "3", { code: "leaf-kind", where: "$.number" }],
    ["a number that is text", "40", '"40"', { code: "json-type", where: "$.number", expected: "a number" }],
    ["no body", /,\s*"body".*(?=\})/s, "", { code: "json-missing", where: "$.body" }],
    ["a common key in its body", '"6"', '"5"', { code: "leaf-unknown-key", where: "$.body" }],
    ["an extension in its body", '"7"', '"64"', { code: "leaf-unknown-key", where: "$.body" }],
    ["a key with a sign", '"6"', '"-6"', { code: "json-key", where: "$.body.-6" }],
    ["keys out of order", '"6"', '"8"', { code: "json-order", where: "$.body.7", expected: "a key above 8" }],
    ["a key twice", '"7"', '"6"', { code: "json-duplicate", where: "$.body.6" }],
    [
      "a property of bytes",
      '"hex": "ab"',
      '"hex": "ab", "1": 1',
      { code: "json-property", where: "$.body.6.1" },
    ],
    ["bytes in upper case", '"ab"', '"AB"', { code: "json-hex", where: "$.body.6.hex", got: '"AB"' }],
    ["bytes that are no text", '"ab"', "1", { code: "json-type", where: "$.body.6.hex" }],
    ["a map with a name", '"hex"', '"base64"', { code: "json-key", where: "$.body.6.base64" }],
    ["more depth than a leaf has", /\[\s*1,/, "[[[[]]],", { code: "json-depth", where: "$.body.7[0][0][0]" }],
    ["minus zero", /\[\s*1,/, "[-0,", { code: "json-number", where: "$.body.7[0]" }],
  ])("%s", (...refused) => {
    expectRefused(opaque, refused);
  });

  it("nothing of the deepest leaf that is decoded", () => {
    const json = leafToJson(opaque).replace(/\[\s*1,/, "[[[]],");
    expect(squeezed(leafToJson(leafFromJson(json)))).toBe(squeezed(json));
  });
});

describe("what is neither leaf nor object", () => {
  it.each<[string, string, string]>([
    ["a number", "5", "json-type"],
    ["an empty map", "{}", "json-form"],
    ["a map of something else", '{"verdict": "valid"}', "json-form"],
    ["a list of numbers", "[5]", "json-type"],
    ["a list of lists", "[[]]", "json-type"],
  ])("is refused: %s", (_, json, code) => {
    expect(refusalOf(() => sealedFromJson(json))).toBe(code);
  });

  it("is refused as bytes, too", async () => {
    const proof = fromHex((await evidenceExample()).get("proof") ?? "", "proof");
    expect(refusalOf(() => sealedToJson(proof.slice(0, -1)))).toBe("proof-format");
    expect(refusalOf(() => sealedToJson(Uint8Array.of(5)))).toBe("leaf-type");
    expect(refusalOf(() => sealedToJson(Uint8Array.of(0xd2, 0)))).toBe("cose-shape");
  });
});
