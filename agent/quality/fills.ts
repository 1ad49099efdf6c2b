/*
 * Patterns that devices send in place of a value: all ones ("not implemented", unsigned), all but the highest bit (the
 * same, signed, as in the ABB B23's manual, 9.2), only the highest bit (SunSpec), and 0xFFE5.
 */

/** The patterns in 16, 24, 32, 48 and 53 bits. */
const REGISTER_FILLS: readonly number[] = [
  0xffe5,
  ...[16, 24, 32, 48].flatMap((bits) => [2 ** bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1]),
  Number.MAX_SAFE_INTEGER,
];
/** From steps of 1 mWh to steps of 1 MWh. */
const REGISTER_SCALES = 9;

/** Live values are read from one word or two. */
const LIVE_FILLS: readonly number[] = [
  0xffe5,
  ...[16, 32].flatMap((bits) => [2 ** bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1]),
];
/** From steps of a thousandth (mV, mA, mHz, mW) to steps of a thousand (kW). */
const LIVE_SCALES = 6;
/** A value this near to the last one, as 1/N of it, is where it naturally went. */
const NATURAL_PART = 4;

/** Whether a register shows, in steps of any power of ten, what devices send for "no value". */
export function isFill(energyMwh: number): boolean {
  return showsOne(REGISTER_FILLS, energyMwh, REGISTER_SCALES);
}

/**
 * The same for a power, voltage, current, frequency or state of charge, in thousandths of its unit. These pass such
 * numbers by chance, so one that lies near the value `before` is no fill: 327.67 V after 328 V, but not after 230 V.
 */
export function isLiveFill(value: number, before: number | undefined): boolean {
  if (!showsOne(LIVE_FILLS, Math.abs(value), LIVE_SCALES)) return false;
  return before === undefined || Math.abs(value - before) * NATURAL_PART > Math.abs(before);
}

function showsOne(fills: readonly number[], value: number, scales: number): boolean {
  for (let scale = 0; scale <= scales; scale += 1) {
    const steps = value / 10 ** scale;
    if (!Number.isInteger(steps)) return false;
    if (fills.includes(steps)) return true;
  }
  return false;
}
