import { randomInt } from "node:crypto";
import { CODE_ALPHABET, CODE_LENGTH, normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { nativeSuite } from "../../attest/native.ts";

const GROUP = /.{4}(?=.)/g;

/** A fresh code as it is handed out, such as `7K3M-9QXA-2VTD`. */
export function newEnrolmentCode(): string {
  const characters = Array.from(
    { length: CODE_LENGTH },
    () => CODE_ALPHABET[randomInt(CODE_ALPHABET.length)],
  );
  return characters.join("").replace(GROUP, "$&-");
}

/** What the node keeps of a code: SHA-256 of its normal form, the key that proofs of it are made with. */
export function codeKeyOf(code: string): Uint8Array {
  return nativeSuite.sha256(new TextEncoder().encode(normaliseEnrolmentCode(code)));
}
