/** How a CRC-16 is made whose bits are reversed because the least significant one goes first. */
export function reflectedCrc16(polynomial: number): (bytes: Uint8Array, start: number) => number {
  const table = Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
  return (bytes, start) => {
    let crc = start;
    for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
    return crc;
  };
}

/** x16 + x12 + x5 + 1. */
const remainder = reflectedCrc16(0x8408);

/** CRC-16/X-25 (ISO/IEC 13239, HCS and FCS of HDLC; DIN EN 62056-46): starts and ends inverted. Check value: `123456789` gives 0x906E. */
export function crc16X25(bytes: Uint8Array): number {
  return remainder(bytes, 0xffff) ^ 0xffff;
}

/** CRC-16/KERMIT: the same polynomial from 0, nothing inverted. Check value: `123456789` gives 0x2189. */
export function crc16Kermit(bytes: Uint8Array): number {
  return remainder(bytes, 0);
}
