import type { DecodedTelegram, Framer } from "./telegram.ts";

/** What the grid operator handed out for an encrypted meter, 16 bytes each. Never in a message, never in a log. */
export interface TelegramKeys {
  /** Global unicast encryption key. */
  readonly key?: Uint8Array;
  /** Without it an authenticated telegram is read, and said to be unverified. */
  readonly authenticationKey?: Uint8Array;
}

/** Telegrams of one protocol taken apart, for whoever wants to see all that stands in them. */
export interface TelegramDecoder {
  readonly name: "dsmr" | "sml" | "dlms" | "iec62056" | "mbus" | "vedirect" | "speedwire";
  /** One line: whose meters speak so. */
  readonly summary: string;
  createFramer(): Framer;
  /** What one telegram of the framer says; some carry several lists. Throws the Problem that refuses it. */
  decode(telegram: Uint8Array, keys: TelegramKeys): readonly DecodedTelegram[];
}
