import { crc16Kermit, crc16X25 } from "../telegram/crc16.ts";

/**
 * The two bytes, read most significant first, that may stand behind `bytes`: X-25 goes out least significant byte first
 * (BSI TR-03109-1, Annex IV part b). Meters of Holley (DTZ541) send KERMIT instead, and most significant byte first:
 * volkszaehler/libsml issue 75 and `sml_message.c`; two messages in spacemanspiff2007/SmlLib issue 22 agree.
 */
export function sentChecksums(bytes: Uint8Array): readonly [x25: number, kermit: number] {
  const x25 = crc16X25(bytes);
  return [((x25 & 0xff) << 8) | (x25 >>> 8), crc16Kermit(bytes)];
}
