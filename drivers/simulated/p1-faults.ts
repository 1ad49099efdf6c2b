import { type WireFaultName, withTelegramFault } from "./telegram-faults.ts";

/** What can happen to a telegram on its way, by name. */
export type P1Fault = Extract<WireFaultName, "noise" | "wrong-checksum" | "truncated" | "lost-bytes">;
export const P1_FAULTS: readonly P1Fault[] = ["noise", "wrong-checksum", "truncated", "lost-bytes"];

/**
 * What arrives instead of `telegram`. `noise` leaves the telegram whole and puts bytes before it; the others leave no
 * good telegram.
 */
export function withFault(telegram: Uint8Array, fault: P1Fault): Uint8Array {
  const [arrives] = withTelegramFault([telegram], fault, withOtherDigit) ?? [];
  return arrives ?? telegram;
}

/** Another last digit before the exclamation mark: still a telegram to the eye, no longer to its checksum. */
export function withOtherDigit(telegram: Uint8Array): Uint8Array {
  const covered = telegram.subarray(0, telegram.lastIndexOf(0x21));
  const at = covered.findLastIndex((byte) => byte >= 0x30 && byte <= 0x39);
  return telegram.map((byte, index) => (index === at ? byte ^ 0x01 : byte));
}
