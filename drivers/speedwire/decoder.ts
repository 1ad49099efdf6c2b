import type { TelegramDecoder } from "../telegram/decoder.ts";
import type { DecodedTelegram } from "../telegram/telegram.ts";
import { SpeedwireFramer } from "./framing.ts";
import { parseSpeedwire } from "./telegram.ts";
import { telegramValue } from "./values.ts";

/** Telegrams of SMA's meters taken apart: every record with its unit. */
export const speedwireDecoder: TelegramDecoder = {
  name: "speedwire",
  summary: "SMA Energy Meters and Sunny Home Managers: Speedwire datagrams",
  createFramer: () => new SpeedwireFramer(),
  /** @throws Problem `speedwire-frame` */
  decode(bytes: Uint8Array): readonly DecodedTelegram[] {
    const { susyId, serial, tickerMs, version, records } = parseSpeedwire(bytes);
    const own = [
      { code: "SUSy-ID", text: String(susyId) },
      {
        code: "ticker",
        text: String(tickerMs),
        unit: "ms",
        scaled: { digits: BigInt(tickerMs), exponent: 0 },
      },
      ...(version === undefined ? [] : [{ code: "144:0.0.0", text: version }]),
    ];
    return [{ meterId: String(serial), values: [...own, ...records.map(telegramValue)] }];
  },
};
