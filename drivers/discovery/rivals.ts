/** "1-0:1.8.1(": all groups of the code but the sixth, as P1 prints them (DSMR 3.0 P1, 6.10). */
const P1_CODE = /^\d+-\d+:\d+\.\d+\.\d+\(/m;
/** "*255(": the sixth group, which P1 never prints. One changed character makes a P1 code of a whole one. */
const SIXTH_GROUP = /\*\d{1,3}\(/;
/** `!` and the checksum behind it, since DSMR 4. */
const P1_CHECKSUM = /^![0-9A-Fa-f]{1,4}\r?$/m;

/**
 * Whether a telegram that a driver can read is of its kind. A P1 telegram without a checksum and a readout that a meter
 * pushes (IEC 62056-21 mode D) have one form, and either driver takes both: a readout prints codes with their sixth group
 * ("1-0:1.8.1*255"), or without the first two ("1.8.1").
 */
export function isOfKind(driver: string, telegram: Uint8Array): boolean {
  if (driver !== "dsmr-p1" && driver !== "iec62056-21") return true;
  // Where characters have their parity in the highest bit it is no part of them.
  const text = new TextDecoder("latin1").decode(telegram.map((byte) => byte & 0x7f));
  // What begins otherwise is ciphered.
  const hasP1Codes = P1_CODE.test(text) && !SIXTH_GROUP.test(text);
  const isP1 = !text.startsWith("/") || P1_CHECKSUM.test(text) || hasP1Codes;
  return isP1 === (driver === "dsmr-p1");
}
