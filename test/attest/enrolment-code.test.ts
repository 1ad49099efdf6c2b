import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { CODE_ALPHABET, codeProof, normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { hmacSha256, nativeSuite } from "../../attest/native.ts";
import { hmacSha256 as portableHmac, portableSuite } from "../../attest/portable.ts";
import { Problem } from "../../attest/problem.ts";

const CODE = "7K3M9QXA2VTD";

describe("an enrolment code", () => {
  it("is 12 of the 32 signs that Crockford chose", () => {
    expect(new Set(CODE_ALPHABET).size).toBe(32);
    expect(CODE_ALPHABET).not.toMatch(/[ILOU]/);
    expect([...CODE_ALPHABET].sort().join("")).toBe(CODE_ALPHABET);
  });

  it.each([
    ["7K3M-9QXA-2VTD"],
    ["  7k3m 9qxa 2vtd\n"],
    ["7K3M\u20139QXA\u20112VTD"],
    ["7-K-3-M-9-Q-X-A-2-V-T-D-"],
  ])("is the same however it is written: %j", (text) => {
    expect(normaliseEnrolmentCode(text)).toBe(CODE);
  });

  it("is the same with look-alikes for its digits, in either case", () => {
    const looks: Readonly<Record<string, readonly string[]>> = {
      0: ["0", "o", "O"],
      1: ["1", "i", "I", "l", "L"],
    };
    const sign = fc.constantFrom(...CODE_ALPHABET).chain((character) =>
      fc.record({
        character: fc.constant(character),
        written: fc.constantFrom(...(looks[character] ?? [character, character.toLowerCase()])),
        behind: fc.constantFrom("", "", "-", " "),
      }),
    );
    fc.assert(
      fc.property(fc.array(sign, { minLength: 12, maxLength: 12 }), (signs) => {
        const written = signs.map((one) => one.written + one.behind).join("");
        expect(normaliseEnrolmentCode(written)).toBe(signs.map(({ character }) => character).join(""));
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["eleven", "7K3M9QXA2VT"],
    ["thirteen", `${CODE}0`],
    ["a U", "7K3M9QXA2VTU"],
    ["a point", "7K3M.9QXA.2VT"],
    ["a letter that becomes Latin in upper case", "7K3M9QXA2VT\u017f"],
    ["a dotless i", "7K3M9QXA2VT\u0131"],
    ["a letter that becomes two", "7K3M9QXA2V\u00df"],
    ["a full-width digit", "7K3M9QXA2VT\uff11"],
  ])("is refused with %s, and not repeated in the message", (_name, text) => {
    const refused = refusal(text);
    expect(refused.code).toBe("enrolment-code-format");
    expect(refused.message).not.toContain("7K3M9");
  });
});

describe("the proof of a code", () => {
  const statement = Uint8Array.from({ length: 200 }, (_, at) => at);

  it("is what Python's hmac and hashlib make of it", () => {
    // hmac.new(sha256(b"7K3M9QXA2VTD").digest(), sha256(bytes(range(200))).digest(), sha256).hexdigest()
    const expected = "bf051ebe408801118d0144c059f0ab5e683e83df94ef333022c7b687c419beb5";
    expect(toHex(codeProof(hmacSha256, nativeSuite, "7k3m-9qxa-2vtd", statement))).toBe(expected);
    expect(toHex(codeProof(portableHmac, portableSuite, CODE, statement))).toBe(expected);
  });

  it("is another one for another code or statement", () => {
    const made = (code: string, bytes: Uint8Array): string =>
      toHex(codeProof(hmacSha256, nativeSuite, code, bytes));
    const proofs = [
      made(CODE, statement),
      made("7K3M9QXA2VTE", statement),
      made(CODE, statement.subarray(1)),
    ];
    expect(new Set(proofs).size).toBe(3);
  });

  it("is not made of what is no code", () => {
    expect(() => codeProof(hmacSha256, nativeSuite, "secret", statement)).toThrow(
      expect.objectContaining({ code: "enrolment-code-format" }),
    );
  });
});

function refusal(text: string): Problem {
  try {
    normaliseEnrolmentCode(text);
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
  }
  throw new Error("was not refused");
}
