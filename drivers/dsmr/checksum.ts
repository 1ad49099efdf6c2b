import { reflectedCrc16 } from "../telegram/crc16.ts";

/** x16 + x15 + x2 + 1. */
const remainder = reflectedCrc16(0xa001);

/**
 * CRC-16/ARC as a P1 telegram carries it: over the raw bytes from `/` to `!`, both included, start value 0, no
 * final XOR (DSMR 5.0.2 P1 companion standard, 6.2). Check value: `123456789` gives 0xBB3D.
 */
export function crc16Arc(bytes: Uint8Array): number {
  return remainder(bytes, 0);
}
