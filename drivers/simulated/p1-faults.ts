/** What can happen to a telegram on its way, by name. */
export const P1_FAULTS = ["noise", "wrong-checksum", "truncated", "lost-bytes"] as const;
export type P1Fault = (typeof P1_FAULTS)[number];

/** Bytes of a disturbed line, among them a slash, an exclamation mark and bytes of no text. */
const NOISE = Uint8Array.of(
  0xff,
  0x00,
  0x2f,
  0x41,
  0x21,
  0x0d,
  0x0a,
  0xdb,
  0x80,
  0x28,
  0x2f,
  0x2f,
  0x7f,
  0x21,
  0x0a,
);

/**
 * What arrives instead of `telegram`. `noise` leaves the telegram whole and puts bytes before it; the others leave no
 * good telegram.
 */
export function withFault(telegram: Uint8Array, fault: P1Fault): Uint8Array {
  const middle = telegram.length >>> 1;
  switch (fault) {
    case "noise":
      return joined(NOISE, telegram);
    case "wrong-checksum":
      return withOtherDigit(telegram);
    case "truncated":
      return telegram.slice(0, middle);
    case "lost-bytes":
      return joined(telegram.subarray(0, middle), telegram.subarray(middle + 7));
  }
}

/** Another last digit before the exclamation mark: still a telegram to the eye, no longer to its checksum. */
function withOtherDigit(telegram: Uint8Array): Uint8Array {
  const covered = telegram.subarray(0, telegram.lastIndexOf(0x21));
  const at = covered.findLastIndex((byte) => byte >= 0x30 && byte <= 0x39);
  return telegram.map((byte, index) => (index === at ? byte ^ 0x01 : byte));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
