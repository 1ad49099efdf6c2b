import type { TelegramDecoder, TelegramKeys } from "../telegram/decoder.ts";
import type { DecodedTelegram, TelegramValue } from "../telegram/telegram.ts";
import { type OpenTelegram, openTelegram } from "./deciphering.ts";
import { P1Framer } from "./framing.ts";
import { identityOf } from "./identity.ts";
import { type CosemObject, parseTelegram } from "./telegram.ts";

/** P1 telegrams taken apart. Each value group of an object is a value of its own, all with the object's code. */
export const dsmrDecoder: TelegramDecoder = {
  name: "dsmr",
  summary: "P1 ports of smart meters in NL, BE, LU, SE, HU, AT, CH, LT, plain or encrypted",
  createFramer: () => new P1Framer(),
  decode: (telegram, keys) => [decodeP1(telegram, keys)],
};

function decodeP1(bytes: Uint8Array, keys: TelegramKeys): DecodedTelegram {
  const opened = openTelegram(bytes, keys);
  const telegram = parseTelegram(opened.raw);
  const { make, model, serial } = identityOf(telegram);
  const time = telegram.objects.get("0-0:1.0.0")?.values[0];
  return {
    meterId: `${make} ${model} ${serial}`.trim(),
    ...(time === undefined ? {} : { meterTimeText: time }),
    values: [...protection(opened), ...telegram.printed.flatMap(valuesOf)],
  };
}

/** What the ciphering said, in front of what was inside. */
function protection({ ciphering }: OpenTelegram): TelegramValue[] {
  if (ciphering === undefined) return [];
  const { systemTitle, frameCounter, authentication } = ciphering;
  return [
    { code: "system title", text: systemTitle },
    { code: "frame counter", text: `${frameCounter}`, scaled: { digits: BigInt(frameCounter), exponent: 0 } },
    { code: "authentication", text: authentication },
  ];
}

const MEASURED = /^(-?)(\d{1,20})(?:\.(\d{1,9}))?\*([^*]+)$/;

function valuesOf({ code, values }: CosemObject): TelegramValue[] {
  return values.map((printed) => {
    const [whole, sign, digits = "", fraction = "", unit = ""] = MEASURED.exec(printed) ?? [];
    if (whole === undefined) return { code, text: printed };
    const scaled = { digits: BigInt(`${sign}${digits}${fraction}`), exponent: 0 - fraction.length };
    return { code, text: printed.slice(0, printed.indexOf("*")), unit, scaled };
  });
}
