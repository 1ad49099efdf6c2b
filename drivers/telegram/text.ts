/** A decimal number: digits times ten to the exponent. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** All digits that were sent, and no others: 2274 tenths are `227.4`, 5 tens are `50`, -5 tenths are `-0.5`. */
export function decimalText({ digits, exponent }: Decimal): string {
  if (exponent >= 0) return (digits * 10n ** BigInt(exponent)).toString();
  const sign = digits < 0n ? "-" : "";
  const shown = (digits < 0n ? -digits : digits).toString().padStart(1 - exponent, "0");
  return `${sign}${shown.slice(0, exponent)}.${shown.slice(exponent)}`;
}

/** Two hexadecimal digits a byte, in the order in which they came. */
export function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").toUpperCase();
}

/** Two hexadecimal digits. */
export function hex2(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/** Four hexadecimal digits. */
export function hex4(word: number): string {
  return word.toString(16).toUpperCase().padStart(4, "0");
}

/** `A-B:C.D.E*F` of the six octets of an OBIS code (IEC 62056-6-1). */
export function obisText(octets: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = octets;
  return `${a}-${b}:${c}.${d}.${e}*${f}`;
}
