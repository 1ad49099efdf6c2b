import type { Problem } from "../../attest/problem.ts";
import type { Decimal } from "./text.ts";

/** One value of a telegram as it stands there, before anybody makes a reading of it. */
export interface TelegramValue {
  /** OBIS code ("1-0:1.8.0*255"), label ("V"), or what the protocol names a record by. */
  readonly code: string;
  /** Decimal text, exact, or the text itself where the value is none. */
  readonly text: string;
  /** As the protocol has it: "Wh", "W", "V", "m³". Absent where there is none. */
  readonly unit?: string;
  /** The number behind the text: digits times ten to the exponent, in the unit. Absent where it is no number. */
  readonly scaled?: Decimal;
}

/** What one whole telegram says. */
export interface DecodedTelegram {
  readonly meterId?: string;
  /** The meter's own clock, where it says it: UTC ms, or its local text where its zone is not known. */
  readonly meterTimeMs?: number;
  readonly meterTimeText?: string;
  readonly values: readonly TelegramValue[];
}

/** What a stream of bytes was cut into: a whole telegram, or something that is refused, each with where it began. */
export type Framed =
  | { readonly kind: "telegram"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "refused"; readonly offset: number; readonly problem: Problem };

/** Cuts a stream into telegrams, however it comes in pieces. It keeps no more than its own bound of bytes. */
export interface Framer {
  push(bytes: Uint8Array): readonly Framed[];
  /** The stream ended: what is left of a telegram is refused. */
  end(): readonly Framed[];
}
