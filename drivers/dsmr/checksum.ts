/** x16 + x15 + x2 + 1, bits reversed because the least significant bit goes first. */
const POLYNOMIAL = 0xa001;

const TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/**
 * CRC-16/ARC as a P1 telegram carries it: over the raw bytes from `/` to `!`, both included, start value 0, no
 * final XOR (DSMR 5.0.2 P1 companion standard, 6.2). Check value: `123456789` gives 0xBB3D.
 */
export function crc16Arc(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return crc;
}
