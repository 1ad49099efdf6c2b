import { describe, expect, it } from "vitest";
import { textLike } from "../../../drivers/simulated/profile-pattern.ts";

describe("a text like a pattern", () => {
  it.each([
    ["SUN2000", "SUN2000"],
    ["^(?:SP[12]|ZP[12]|SM2E)", "SP1"],
    ["^SMA(?<kind>-\\d{3})?$", "SMA-000"],
    ["^\\d{8,10}$", "00000000"],
    ["[^0A-Z1]x+\\.y*", "ax.y"],
    ["^[A-F]{2}\\w\\s?-(a|b|)$", "AAA -a"],
    [".+ PLUS$", "A PLUS"],
    ["^x{2,}?\\/\\bend$", "xx/end"],
  ])("%s is %s", (pattern, text) => {
    expect(textLike(pattern, 1)).toBe(text);
    expect(text).toMatch(new RegExp(pattern, "u"));
  });

  it("repeats what may be there any number of times", () => {
    expect(textLike("^[A-Z]*-\\d+$", 0)).toBe("-0");
    expect(textLike("^[A-Z]*-\\d+$", 4)).toBe("AAAA-0000");
  });

  it.each(["^(?=x)x", "(a)\\1", "^a$b", "[", "(", "\\p{L}", "a{3"])("is not found for %s", (pattern) => {
    expect(textLike(pattern, 1)).toBeUndefined();
  });
});
