import { describe, expect, it } from "vitest";
import { indicatorSchema } from "../../firmware-bridge/indicator/settings.ts";
import { relaySchema } from "../../firmware-bridge/relay/relay-options.ts";
import { enclosureSchema } from "../../firmware-bridge/tamper/settings.ts";

const ONE = { use: "switch", lines: [{ line: 5 }], powerW: 3_500 };
const TWO = { use: "sg-ready", lines: [{ line: 5 }, { line: 6 }], powerW: 3_500 };

describe("what a configuration asks for in vain", () => {
  it.each([
    [{ ...TWO, onExit: "closed" }, "onExit"],
    [{ ...TWO, onLoss: "closed" }, "onLoss"],
    [{ ...ONE, orderedStart: true }, "orderedStart"],
  ])("is refused of a relay: %j", (relay, key) => {
    const { error } = relaySchema.safeParse(relay);
    expect(error?.issues.map(({ path }) => path)).toEqual([[key]]);
  });

  it("is taken where it means something", () => {
    for (const relay of [
      { ...ONE, onExit: "closed", onLoss: "closed" },
      { ...TWO, onExit: "open", onLoss: "open", orderedStart: true },
    ])
      expect(relaySchema.safeParse(relay).error).toBeUndefined();
  });

  it("is refused of lamps that are one", () => {
    expect(indicatorSchema.safeParse({ lamps: ["a", "b", "a"] }).error?.issues).toMatchObject([
      { path: ["lamps"], message: expect.stringContaining("three different lamps") },
    ]);
    expect(indicatorSchema.safeParse({ lamps: ["a", "b", "c"] }).success).toBe(true);
  });
});

describe("the name of an enclosure", () => {
  it.each(["lid\nclosed", "lid\u001b[31m", "lid\u2028", "\u0085lid"])(
    "is one line, and is not %j",
    (name) => {
      expect(enclosureSchema.safeParse({ name, line: 5 }).error?.issues).toMatchObject([
        { path: ["name"], message: "expected one line of text, without control characters" },
      ]);
    },
  );

  it("may be in any script", () => {
    for (const name of ["lid", "terminal cover", "Gehäuse", "蓋"])
      expect(enclosureSchema.safeParse({ name, line: 5 }).success).toBe(true);
  });
});
