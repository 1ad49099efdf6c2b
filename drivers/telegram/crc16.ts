/** x16 + x12 + x5 + 1, bits reversed because the least significant bit goes first. */
const POLYNOMIAL = 0x8408;

const TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

function remainder(bytes: Uint8Array, start: number): number {
  let crc = start;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return crc;
}

/** CRC-16/X-25 (ISO/IEC 13239, HCS and FCS of HDLC; DIN EN 62056-46): starts and ends inverted. Check value: `123456789` gives 0x906E. */
export function crc16X25(bytes: Uint8Array): number {
  return remainder(bytes, 0xffff) ^ 0xffff;
}

/** CRC-16/KERMIT: the same polynomial from 0, nothing inverted. Check value: `123456789` gives 0x2189. */
export function crc16Kermit(bytes: Uint8Array): number {
  return remainder(bytes, 0);
}
