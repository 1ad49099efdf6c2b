import { type P1Fault, withOtherDigit } from "./p1-faults.ts";
import { encodeP1Telegram, type P1State } from "./p1-telegram.ts";
import type { TelegramFault } from "./telegram-faults.ts";
import { startSpeakingMeter, type TelegramMeterHandle } from "./telegram-meter.ts";
import type { TelegramPlace } from "./telegram-place.ts";

/** Where a simulated meter sends its telegrams: a TCP port, or a serial port or pty. */
export type P1Outlet = { readonly host: string; readonly port: number } | { readonly path: string };

/** How a simulated meter behaves. */
export type P1MeterOptions = P1Outlet & {
  readonly periodMs: number;
  /** What the meter shows now; asked once a period. */
  readonly state: () => P1State;
  /** Raw bytes to send instead of an encoded state, for instance a capture's. */
  readonly telegram?: () => Uint8Array;
  /** The fault of the next telegram, or undefined for a good one. */
  readonly fault?: () => P1Fault | undefined;
  /** Called for each telegram that was sent to somebody, with its fault. */
  readonly onServed?: (state: P1State, fault: TelegramFault | undefined) => void;
};

/** A running simulated meter. */
export type P1MeterHandle = TelegramMeterHandle;

/**
 * Starts a simulated DSMR 5 meter: every `periodMs` a telegram to every TCP client, as ser2net serves a real
 * one, or to a serial port.
 *
 * @throws Problem `line-…` when the port or path cannot be opened
 */
export function startP1Meter(options: P1MeterOptions): Promise<P1MeterHandle> {
  const { periodMs, state, fault, onServed, telegram } = options;
  return startSpeakingMeter({
    ...{ place: placeOf(options), periodMs, shown: state, fault, onServed },
    speaker: {
      telegrams: (shown: P1State) => [telegram?.() ?? encodeP1Telegram(shown)],
      withWrongChecksum: withOtherDigit,
    },
  });
}

function placeOf(outlet: P1Outlet): TelegramPlace {
  return "path" in outlet
    ? { kind: "serial", path: outlet.path }
    : { kind: "tcp", host: outlet.host, port: outlet.port };
}
