/** Why a reading was not simply accepted: a stable code, and a sentence with value, unit and limit. */
export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

/** Every reason there is. Each has its section in docs/quality-codes.md, for whoever stands before the meter. */
export const REASON_CODES = [
  /** A value that is no integer, or a digest that is none: a fault of the driver. */
  "malformed",
  "power-range",
  "voltage-range",
  "current-range",
  "frequency-range",
  "state-of-charge-range",
  /** The state of charge moved faster than any battery charges. */
  "state-of-charge-jump",
  /** A live value shows a pattern that stands for "no value". */
  "value-fill",
  "register-range",
  /** A register shows a pattern that stands for "no value". */
  "register-fill",
  /** A register went down. */
  "register-down",
  /** Registers show zero that had a value, or that were never seen with one. */
  "register-zero",
  /** A register rose by more than can have flowed. */
  "register-jump",
  /** A register stands although the power must have moved it. */
  "register-frozen",
  /** Some of the channel's registers are missing. */
  "registers-incomplete",
  /** A register that the channel is not known to have. */
  "register-appeared",
  /** Values of one snapshot contradict each other, as the driver found. */
  "contradiction",
  /** The register of the one direction counts while the power shows the other. */
  "power-direction",
  /** No value has changed for longer than a live meter stands still. */
  "frozen",
  /** The telegram that was sealed last, once more. */
  "duplicate",
  /** The meter's own clock shows less than before. */
  "meter-time-back",
  /** The meter's own clock says that the values are old. */
  "stale",
  /** Nothing is left that could be sealed. */
  "empty",
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

export function reason(code: ReasonCode, message: string): Reason {
  return { code, message };
}
