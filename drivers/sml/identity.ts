import { hexText } from "../telegram/text.ts";

/** Both stand before identifications of DIN 43863-5; 06 and others stand before numbers of the makers' own. */
const IDENTITY_KINDS: readonly number[] = [0x09, 0x0a];
const IDENTITY_BYTES = 10;
const MAX_NUMBER = 99_999_999;

/**
 * The identification that is printed on a meter, `1 EMH00 1234 5678`: what it measures, its maker, a block and a number
 * (DIN 43863-5:2012-04, 3.1 to 3.4; as the ten bytes of a server identification: 0A, one byte, three letters, one byte
 * printed in hexadecimal, four bytes; mtdcr/pysml `sml/__init__.py` reads them alike). Undefined for bytes of any other
 * scheme.
 */
export function identityText(bytes: Uint8Array): string | undefined {
  const [kind = 0, medium = 0] = bytes;
  if (bytes.length !== IDENTITY_BYTES || !IDENTITY_KINDS.includes(kind)) return undefined;
  const maker = Buffer.from(bytes.subarray(2, 5)).toString("latin1");
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(6);
  if (medium < 1 || medium > 15 || !/^[A-Z]{3}$/.test(maker) || number > MAX_NUMBER) return undefined;
  const digits = number.toString().padStart(8, "0");
  const block = hexText(bytes.subarray(5, 6));
  return `${hexText(bytes.subarray(1, 2)).slice(1)} ${maker}${block} ${digits.slice(0, 4)} ${digits.slice(4)}`;
}

/** The identification as it is printed, or in hexadecimal where it follows another scheme. */
export function meterIdText(bytes: Uint8Array): string {
  return identityText(bytes) ?? hexText(bytes);
}

/** What an octet string most likely says: an identification, printable ASCII, else its bytes in hexadecimal. */
export function octetText(bytes: Uint8Array): string {
  const printable = bytes.every((byte) => byte >= 0x20 && byte <= 0x7e);
  return identityText(bytes) ?? (printable ? Buffer.from(bytes).toString("latin1") : hexText(bytes));
}

/** Numbers that DZG gave to its meters of the family DVS74 before it mended them (volkszaehler/libsml pull request 136). */
const DZG_SIGN_RANGES: readonly (readonly [first: number, last: number])[] = [
  [42_000_000, 48_999_999],
  [55_000_000, 58_999_999],
];

/** Whether a meter may be one of those that send a power of up to three bytes as signed that is not. */
export function hasUncertainSign(identity: string): boolean {
  const number = /^1 DZG00 (\d{4}) (\d{4})$/.exec(identity);
  if (number === null) return false;
  const value = Number(`${number[1]}${number[2]}`);
  return DZG_SIGN_RANGES.some(([first, last]) => value >= first && value <= last);
}
