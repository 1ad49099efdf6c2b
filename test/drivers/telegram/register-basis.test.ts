import { describe, expect, it } from "vitest";
import { RegisterBasis } from "../../../drivers/telegram/register-basis.ts";

const METER = { make: "ABC", model: "", serial: "1", firmware: "" };

/** Which directions are doubted of telegrams with these codes, one after another. */
function doubted(...telegrams: readonly (readonly string[])[]): readonly string[] {
  const basis = new RegisterBasis();
  return telegrams.map((codes) =>
    basis
      .doubts(METER, codes)
      .flatMap(({ quantities }) => quantities)
      .join(" "),
  );
}

describe("what a meter's registers are made of", () => {
  const [T1, T2, TOTAL] = ["1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:1.8.0*255"];

  it.each([
    [
      "all tariffs, each time",
      [
        [T1, T2],
        [T2, T1],
      ],
      ["", ""],
    ],
    ["a tariff that is missing", [[T1, T2], [T1], [T1, T2]], ["", "import", ""]],
    ["a tariff that comes to be known", [[T1], [T1, T2], [T1]], ["", "", "import"]],
    ["tariffs in place of the total", [[TOTAL, T1, T2], [T1, T2], [TOTAL]], ["", "import", ""]],
    ["the total in place of tariffs", [[T1, T2], [TOTAL], [T1, T2]], ["", "", "import"]],
    ["a total beside changing tariffs", [[TOTAL, T1, T2], [TOTAL, T1], [TOTAL]], ["", "", ""]],
    ["telegrams without registers between", [[T1, T2], ["1-0:16.7.0*255"], [T1]], ["", "", "import"]],
    [
      "both directions",
      [
        [T1, T2, "2.8.1", "2.8.2"],
        ["1.8.1", "2.8.2"],
      ],
      ["", "import export"],
    ],
    ["registers of another period", [[T1, "1-0:1.8.2*01"], [T1]], ["", ""]],
  ])("is %s", (_what, telegrams, expected) => {
    expect(doubted(...telegrams)).toEqual(expected);
  });

  it("is another meter's own matter", () => {
    const basis = new RegisterBasis();
    basis.doubts(METER, [T1, T2]);
    expect(basis.doubts({ ...METER, serial: "2" }, [T1])).toEqual([]);
    expect(basis.doubts(undefined, [T2])).toHaveLength(1);
    basis.forget();
    expect(basis.doubts(undefined, [T2])).toEqual([]);
  });
});
