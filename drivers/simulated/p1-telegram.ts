import { createCipheriv } from "node:crypto";
import { crc16Arc } from "../dsmr/checksum.ts";
import { LUXEMBOURG_AUTHENTICATION_KEY } from "../dsmr/deciphering.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import { isSummerTime } from "../telegram/summer-time.ts";
import { withOtherDigit } from "./p1-faults.ts";
import type { ShownByMeter, SimulatedSpeaker } from "./speaking.ts";

/**
 * What a simulated DSMR 5 meter shows at one instant: its serial number printed as hexadecimal ASCII, its time in
 * Central European time to the second, as meters do.
 */
export interface P1State extends Omit<ShownByMeter, "frequencyMhz"> {
  readonly frequencyMhz?: number;
}

/**
 * A DSMR 5 telegram with its checksum. Values are cut to the printed digits, as a display does: energy to 1 Wh,
 * power to 1 W, voltage to 100 mV, current and frequency to 10 mA and 10 mHz.
 */
export function encodeP1Telegram(state: P1State): Uint8Array {
  const power = state.activePowerMw;
  const lines = [
    "/KWS5\\2P1-SIMULATED",
    "",
    "1-3:0.2.8(50)",
    `0-0:1.0.0(${timeStamp(state.timeMs)})`,
    `0-0:96.1.1(${Buffer.from(state.serial, "latin1").toString("hex").toUpperCase()})`,
    `1-0:1.8.1(${decimal(state.importT1Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:1.8.2(${decimal(state.importT2Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:2.8.1(${decimal(state.exportT1Mwh, [1_000, 3, 10])}*kWh)`,
    `1-0:2.8.2(${decimal(state.exportT2Mwh, [1_000, 3, 10])}*kWh)`,
    "0-0:96.14.0(0001)",
    `1-0:1.7.0(${decimal(Math.max(power, 0), [1_000, 3, 6])}*kW)`,
    `1-0:2.7.0(${decimal(Math.max(-power, 0), [1_000, 3, 6])}*kW)`,
    ...state.voltageMv.map((value, phase) => `1-0:${32 + 20 * phase}.7.0(${decimal(value, [100, 1, 5])}*V)`),
    ...state.currentMa.map((value, phase) => `1-0:${31 + 20 * phase}.7.0(${decimal(value, [10, 2, 6])}*A)`),
    ...(state.frequencyMhz === undefined
      ? []
      : [`1-0:14.7.0(${decimal(state.frequencyMhz, [10, 2, 5])}*Hz)`]),
    "!",
  ];
  const body = Buffer.from(lines.join("\r\n"), "latin1");
  const checksum = crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return new Uint8Array(Buffer.concat([body, Buffer.from(`${checksum}\r\n`, "latin1")]));
}

/** How a simulated meter enciphers what it sends. */
export interface P1Ciphering {
  readonly key: Uint8Array;
  readonly authenticationKey: Uint8Array;
  /** 8 bytes, the maker's letters first. */
  readonly systemTitle: Uint8Array;
  /** Never the same twice for one key. */
  readonly frameCounter: number;
}

/**
 * The encrypted frame around a telegram (E-Meter P1 Specification of Luxmetering, 1.1.3, 3.2.5):
 *
 *     DB  08  system title  82  length 2  30  counter 4  text enciphered with AES-128-GCM  tag 12
 *
 * The nonce is title and counter; control byte 30 and authentication key are authenticated beside the text.
 */
export function encipherP1Telegram(telegram: Uint8Array, ciphering: P1Ciphering): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  head.set([0xdb, 0x08, ...ciphering.systemTitle, 0x82]);
  head.writeUInt16BE(1 + 4 + telegram.length + TAG_BYTES, 11);
  head[13] = CONTROL;
  head.writeUInt32BE(ciphering.frameCounter, 14);
  const nonce = Buffer.concat([ciphering.systemTitle, head.subarray(14)]);
  const cipher = createCipheriv("aes-128-gcm", ciphering.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.concat([Uint8Array.of(CONTROL), ciphering.authenticationKey]));
  const text = cipher.update(telegram);
  return new Uint8Array(Buffer.concat([head, text, cipher.final(), cipher.getAuthTag()]));
}

const CONTROL = 0x30;
const TAG_BYTES = 12;
/** What stands in front of the text of an encrypted frame. */
const HEAD_BYTES = 18;

/**
 * A DSMR 5 meter; with a key an encrypted one as in Luxembourg, whose authentication key is taken where none is given.
 * It remembers its frame counter, which begins with the seconds since 1970 and so goes on after a restart.
 */
export function p1Speaker({ key, authenticationKey }: TelegramKeys = {}): SimulatedSpeaker {
  if (key === undefined)
    return {
      periodMs: 1_000,
      telegrams: (shown) => [encodeP1Telegram(shown)],
      withWrongChecksum: withOtherDigit,
    };
  let frameCounter = 0;
  return {
    periodMs: 10_000,
    telegrams: (shown) => {
      frameCounter = Math.max(frameCounter + 1, Math.floor(shown.timeMs / 1_000));
      const keys = { key, authenticationKey: authenticationKey ?? LUXEMBOURG_AUTHENTICATION_KEY };
      const ciphering = { ...keys, systemTitle: systemTitleOf(shown.serial), frameCounter };
      return [encipherP1Telegram(encodeP1Telegram(shown), ciphering)];
    },
    withWrongChecksum: withOtherText,
  };
}

/** The maker's letters and the last ten digits of the serial number. */
function systemTitleOf(serial: string): Uint8Array {
  const digits = serial.replace(/\D/g, "").slice(-10).padStart(10, "0");
  return new Uint8Array(Buffer.concat([Buffer.from("KWS", "latin1"), Buffer.from(digits, "hex")]));
}

/** One bit of the text is another one, and the tag as before. */
function withOtherText(frame: Uint8Array): Uint8Array {
  const at = HEAD_BYTES + ((frame.length - HEAD_BYTES - TAG_BYTES) >>> 1);
  return frame.map((byte, index) => (index === at ? byte ^ 0x01 : byte));
}

/** `value` cut to whole `step`s, with `places` digits after the point, `width` characters in all. */
function decimal(value: number, [step, places, width]: readonly [number, number, number]): string {
  const digits = String(Math.trunc(value / step)).padStart(width - 1, "0");
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** `YYMMDDhhmmssX` in Central European time. */
function timeStamp(timeMs: number): string {
  const summer = isSummerTime(timeMs);
  const local = new Date(timeMs + (summer ? 2 : 1) * 3_600_000);
  return `${local.toISOString().replace(/\D/g, "").slice(2, 14)}${summer ? "S" : "W"}`;
}
