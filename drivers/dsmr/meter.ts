import type { TelegramKeys } from "../telegram/decoder.ts";
import { ListeningMeter, type ListeningSurroundings } from "../telegram/listening-meter.ts";
import type { ListeningOptions } from "../telegram/listening-options.ts";
import { P1Protocol } from "./protocol.ts";

/** What a {@link P1Meter} is told about its meter. */
export interface P1Options extends ListeningOptions {
  readonly winterOffsetMinutes: number;
  readonly keys?: TelegramKeys | undefined;
}

/** A meter with a P1 port: it sends a telegram every 1 to 10 s, and every good one is delivered. */
export class P1Meter extends ListeningMeter {
  constructor({ winterOffsetMinutes, keys, ...listening }: P1Options, surroundings: ListeningSurroundings) {
    super(new P1Protocol({ winterOffsetMinutes, keys }), listening, surroundings);
  }
}
