import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson, writeJson } from "../../attest/pretty-text.ts";
import { squeezed } from "./pretty-kit.ts";
import { problemOf, refusalOf } from "./refusal.ts";

describe("text that is no JSON", () => {
  it.each([
    ["nothing", "", "line 1, column 1", "a value", "the end"],
    ["a word", "reading", "line 1, column 1", "a value", '"reading"'],
    ["an open map", '{\n  "seq": 5', "line 2, column 11", '"," or "}"', "the end"],
    ["an open list", "[1", "line 1, column 3", '"," or "]"', "the end"],
    ["an open text", '"abc', "line 1, column 1", "a text with an end", '"\\"abc"'],
    ["a comma too many", '{"a": 1,}', "line 1, column 9", "the name of a property in quotes", '"}"'],
    ["a comma too many in a list", "[1,]", "line 1, column 4", "a value", '"]"'],
    ["a name without quotes", "{a: 1}", "line 1, column 2", "the name of a property in quotes", '"a: 1}"'],
    ["no colon", '{"a" 1}', "line 1, column 6", '":"', '"1}"'],
    ["two values", "1 2", "line 1, column 3", "nothing after the value", '"2"'],
    ["a comment", "1 // one", "line 1, column 3", "nothing after the value", '"// one"'],
    ["a byte order mark", "\ufeff1", "line 1, column 1", "a value", '"\ufeff1"'],
    ["another white space", "\u00a01", "line 1, column 1", "a value", '"\u00a01"'],
    [
      "a bare line feed in a text",
      '"a\nb"',
      "line 1, column 1",
      "a text without bare control characters and unknown escapes",
      '"\\"a\\nb\\""',
    ],
    [
      "an unknown escape",
      '"\\x41"',
      "line 1, column 1",
      "a text without bare control characters and unknown escapes",
      '"\\"\\\\x41\\""',
    ],
  ])("is refused with its place: %s", (_, json, where, expected, got) => {
    const detail = { where, expected, got };
    expect(problemOf(() => parseJson(json))).toMatchObject({ code: "json-syntax", detail });
  });

  it("is refused before it is too deep", () => {
    expect(refusalOf(() => parseJson("[".repeat(100_000)))).toBe("json-depth");
    expect(refusalOf(() => parseJson('{"a":'.repeat(100_000)))).toBe("json-depth");
    expect(parseJson("[".repeat(128) + "]".repeat(128))).toBeDefined();
  });

  it("takes what JSON.parse takes, where evidence has it, and says the same", () => {
    const { tie } = fc.letrec((again) => ({
      tie: fc.oneof(
        { maxDepth: 4 },
        fc.maxSafeInteger().filter((number) => !Object.is(number, -0)),
        fc.string({ unit: "binary" }),
        fc.array(again("tie"), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: "binary" }), again("tie"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tie, (value) => {
        const escaped = JSON.stringify(value).replaceAll(
          /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
          (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
        );
        expect(JSON.parse(writeJson(parseJson(escaped)))).toEqual(value);
        expect(squeezed(writeJson(parseJson(escaped)))).toBe(escaped);
      }),
    );
  });
});
