/** What a locked meter shows: whole kWh. */
export const LOCKED_MWH = 1_000_000;

/**
 * The step of registers that their digits prove, mWh: never finer than the exponent they were sent with, and never finer
 * than what they show.
 *
 * A meter that nobody has unlocked with its PIN shows whole kWh. Captures of the same meters locked and unlocked (ISKRA
 * MT631, ITRON OpenWay 3.HZ, Holley DTZ541: devZer0/libsml-testing @ a3c7869) and others locked (eBZ DD3 ibid., Landis+Gyr
 * E320: arendst/Tasmota issue 24472) send exponent 3 then. No source rules out a meter that keeps its exponent and sends
 * zeros, as meters with IEC 62056-21 do; hence the digits must show the step, in each telegram for itself: one that ends in
 * zeros by chance is said to be coarser than it is, never finer. A register of 0 shows nothing.
 *
 * @param sentMwh the step of the exponent
 * @param registersMwh the registers of one telegram
 */
export function provenStep(sentMwh: number, registersMwh: readonly number[]): number {
  let step = LOCKED_MWH;
  while (registersMwh.some((value) => value % step !== 0)) step /= 10;
  return Math.max(sentMwh, step);
}
