import type { HmacSha256 } from "./identity.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

/** Crockford's base 32: no I, L and O, which look like digits, and no U. */
export const CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** 60 bits of the node's choice. */
export const CODE_LENGTH = 12;

const LOOK_ALIKES: Readonly<Record<string, string>> = { O: "0", I: "1", L: "1" };

/**
 * A one-time code as a person typed or scanned it, in the one form that both sides hash: 12 characters of
 * {@link CODE_ALPHABET}. Dashes and white space are only for the eye; O is taken for 0, I and L for 1, as
 * https://www.crockford.com/base32.html has it. The code itself is in no message: it is a secret.
 *
 * @throws Problem `enrolment-code-format`
 */
export function normaliseEnrolmentCode(text: string): string {
  const typed = text.replace(/[\p{Pd}\s]/gu, "");
  const code = typed.toUpperCase().replace(/[OIL]/g, (letter) => LOOK_ALIKES[letter] ?? letter);
  // Before the change of case, by which letters of other alphabets become Latin ones.
  const wrong = /[^0-9A-TV-Z]/i.test(typed);
  if (!wrong && code.length === CODE_LENGTH) return code;
  throw new Problem("enrolment-code-format", "not an enrolment code", {
    expected: `${CODE_LENGTH} letters and digits, such as 7K3M-9QXA-2VTD`,
    got: wrong ? "another character among them" : `${code.length} of them`,
    hint: "type the code as the node's operator handed it out; dashes and case do not matter",
  });
}

/**
 * What shows that a device was given a code, without the code on the wire:
 *
 *     HMAC-SHA-256(SHA-256(code in UTF-8), SHA-256(statement))
 *
 * 32 bytes. The statement holds the node's key and nonce, so that a proof is of use once and nowhere else.
 *
 * @throws Problem `enrolment-code-format`
 */
export function codeProof(hmac: HmacSha256, suite: Suite, code: string, statement: Uint8Array): Uint8Array {
  const key = suite.sha256(new TextEncoder().encode(normaliseEnrolmentCode(code)));
  return hmac(key, suite.sha256(statement));
}
