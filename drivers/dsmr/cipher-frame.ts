/**
 * Head of an encrypted P1 frame (DLMS general-glo-ciphering, as meters in Luxembourg and Austria send it):
 *
 *     DB  08  8 bytes of system title  82  2 bytes of length  30  4 bytes of counter  …
 *
 * `undefined` stands for any byte.
 */
const HEAD: readonly (number | undefined)[] = [0xdb, 0x08, ...Array(8), 0x82, undefined, undefined, 0x30];

/** Recognises the head of an encrypted frame, so that its bytes are not taken for a bad cable. */
export class CipherFrameDetector {
  #matched = 0;

  /** True when this byte completes a head. */
  take(byte: number): boolean {
    const expected = HEAD[this.#matched];
    if (expected === undefined || expected === byte) this.#matched += 1;
    else this.#matched = byte === HEAD[0] ? 1 : 0;
    if (this.#matched < HEAD.length) return false;
    this.#matched = 0;
    return true;
  }
}
