/** x16 + x12 + x5 + 1, the most significant bit first. */
const POLYNOMIAL = 0x1021;

const TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  return crc;
});

/**
 * CRC-16/XMODEM: from 0, nothing inverted or reflected. Check value: `123456789` gives 0x31C3.
 *
 * @param from another beginning, as other checksums of this polynomial have it
 */
export function crc16Xmodem(bytes: Uint8Array, from = 0): number {
  let crc = from;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >>> 8) ^ byte] ?? 0);
  return crc;
}
