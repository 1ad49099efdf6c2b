/** Why a reading was not simply accepted: a stable code, and a sentence with value, unit and limit. */
export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

/** Every reason there is. */
export type ReasonCode =
  /** A value that is no integer, or a digest that is none: a fault of the driver. */
  | "malformed"
  | "power-range"
  | "voltage-range"
  | "current-range"
  | "frequency-range"
  | "state-of-charge-range"
  | "register-range"
  /** A register shows a pattern that stands for "no value". */
  | "register-fill"
  /** A register went down. */
  | "register-down"
  /** Registers that had a value show zero. */
  | "register-zero"
  /** A register rose by more than can have flowed. */
  | "register-jump"
  /** Some of the channel's registers are missing. */
  | "registers-incomplete"
  /** A register that the channel is not known to have. */
  | "register-appeared"
  /** Nothing is left that could be sealed. */
  | "empty";

export function reason(code: ReasonCode, message: string): Reason {
  return { code, message };
}
