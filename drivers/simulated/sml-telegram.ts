import { crc16Kermit, crc16X25 } from "../telegram/crc16.ts";
import type { ShownByMeter, SimulatedSpeaker } from "./speaking.ts";

/** How a simulated meter of the German kind behaves. */
export interface SmlSpeakerSettings {
  /** Meters of Holley send `kermit`. */
  readonly checksum?: "x25" | "kermit";
  /** Nobody has entered the PIN: whole kWh, no power, nothing of the phases. */
  readonly locked?: boolean;
  /** Registers of two tariffs without their sum, as some two-tariff meters send. */
  readonly tariffs?: boolean;
  /** What the list's time is: seconds of the meter's own counter, or seconds since 1970. */
  readonly clock?: "index" | "utc";
  /** Three letters, from the registry of makers (DIN 43863-5). */
  readonly maker?: string;
}

/** A basic meter: one file a second with one list of values, as DZG, EMH, ISKRA and ITRON send it. */
export function smlSpeaker(settings: SmlSpeakerSettings = {}): SimulatedSpeaker {
  return {
    periodMs: 1_000,
    telegrams: (shown) => [smlTelegram(shown, settings)],
    withWrongChecksum: withOtherRegister,
  };
}

const ABSENT = Uint8Array.of(0x01);
const WH = 30;
const VOLT = 35;
const AMPERE = 33;
const HERTZ = 44;
const WATT = 27;

const OPEN_RESPONSE = 0x0101;
const CLOSE_RESPONSE = 0x0201;
const LIST_RESPONSE = 0x0701;

function smlTelegram(shown: ShownByMeter, settings: SmlSpeakerSettings): Uint8Array {
  const server = octets(serverId(shown.serial, settings.maker ?? "KWS"));
  const count = number("unsigned", Math.trunc(shown.timeMs / 1_000) % 2 ** 32, 4);
  const time = list(number("unsigned", settings.clock === "utc" ? 2 : 1, 1), count);
  const bodies = [
    [OPEN_RESPONSE, list(ABSENT, ABSENT, octets(Uint8Array.of(1, 2, 3)), server, time, ABSENT)],
    [
      LIST_RESPONSE,
      list(
        ABSENT,
        server,
        obis("1-0:98.10.255*255"),
        time,
        list(...entries(shown, settings)),
        ABSENT,
        ABSENT,
      ),
    ],
    [CLOSE_RESPONSE, list(ABSENT)],
  ] as const;
  const messages = bodies.map(([tag, body], index) => message(body, { tag, index, ...settings }));
  return wrapped(joined(messages), settings.checksum);
}

/** The ten bytes of `1 KWS00 1234 5678` (DIN 43863-5): the last eight digits are the number, two before them the block. */
function serverId(serial: string, maker: string): Uint8Array {
  const digits = serial.replace(/\D/g, "").padStart(10, "0").slice(-10);
  const fabrication = Number(digits.slice(2));
  const bytes = Uint8Array.from([
    0x0a,
    0x01,
    ...latin1(maker),
    Number.parseInt(digits.slice(0, 2), 16),
    0,
    0,
    0,
    0,
  ]);
  new DataView(bytes.buffer).setUint32(6, fabrication);
  return bytes;
}

function entries(shown: ShownByMeter, settings: SmlSpeakerSettings): Uint8Array[] {
  const server = octets(serverId(shown.serial, settings.maker ?? "KWS"));
  const named = [
    entry("1-0:96.50.1*1", { value: octets(latin1(settings.maker ?? "KWS")) }),
    entry("1-0:96.1.0*255", { value: server }),
    ...registers(shown, settings),
  ];
  return settings.locked === true ? named : [...named, ...momentary(shown)];
}

function registers(shown: ShownByMeter, { locked, tariffs }: SmlSpeakerSettings): Uint8Array[] {
  const status = number("unsigned", statusWord(shown.activePowerMw), 4);
  const register = (code: string, mwh: number): Uint8Array =>
    entry(code, { status, ...scaled(mwh, { unit: WH, exponent: locked === true ? 3 : -1, widthBytes: 8 }) });
  if (tariffs === true)
    return [
      register("1-0:1.8.1*255", shown.importT1Mwh),
      register("1-0:1.8.2*255", shown.importT2Mwh),
      register("1-0:2.8.1*255", shown.exportT1Mwh),
      register("1-0:2.8.2*255", shown.exportT2Mwh),
    ];
  return [
    register("1-0:1.8.0*255", shown.importT1Mwh + shown.importT2Mwh),
    register("1-0:2.8.0*255", shown.exportT1Mwh + shown.exportT2Mwh),
  ];
}

/** A basic meter's: voltages are there, above the starting current or not, importing or exporting. */
function statusWord(activePowerMw: number): number {
  return 0x1c0004 | (activePowerMw === 0 ? 0 : 0x100) | (activePowerMw < 0 ? 0x800 : 0);
}

function momentary(shown: ShownByMeter): Uint8Array[] {
  const phases = (first: number, values: readonly number[], form: Form): Uint8Array[] =>
    values.map((value, phase) => entry(`1-0:${first + 20 * phase}.7.0*255`, scaled(value, form)));
  return [
    entry("1-0:16.7.0*255", scaled(shown.activePowerMw, { unit: WATT, exponent: -2 })),
    ...phases(32, shown.voltageMv, { unit: VOLT, exponent: -1 }),
    ...phases(31, shown.currentMa, { unit: AMPERE, exponent: -2 }),
    entry("1-0:14.7.0*255", scaled(shown.frequencyMhz, { unit: HERTZ, exponent: -1 })),
  ];
}

interface Form {
  readonly unit: number;
  readonly exponent: number;
  /** Left out: as few bytes as the number needs, as DZG sends it. */
  readonly widthBytes?: number;
}

interface EntryFields {
  readonly status?: Uint8Array;
  readonly unit?: Uint8Array;
  readonly scaler?: Uint8Array;
  readonly value: Uint8Array;
}

/** A thousandth of the unit as digits in the form, cut to whole digits towards zero, as a display does. */
function scaled(milli: number, { unit, exponent, widthBytes }: Form): EntryFields {
  const step = 10 ** (exponent + 3);
  const digits = (milli - (milli % step)) / step;
  return {
    unit: number("unsigned", unit, 1),
    scaler: number("integer", exponent, 1),
    value: number("integer", digits, widthBytes ?? neededBytes(digits)),
  };
}

function neededBytes(value: number): number {
  let bytes = 1;
  while (value < -(2 ** (8 * bytes - 1)) || value >= 2 ** (8 * bytes - 1)) bytes += 1;
  return bytes;
}

/** SML_ListEntry: objName, status, valTime, unit, scaler, value, valueSignature. */
function entry(code: string, { status, unit, scaler, value }: EntryFields): Uint8Array {
  return list(obis(code), status ?? ABSENT, ABSENT, unit ?? ABSENT, scaler ?? ABSENT, value, ABSENT);
}

function obis(code: string): Uint8Array {
  return octets(Uint8Array.from(code.split(/[-:.*]/), Number));
}

function octets(bytes: Uint8Array): Uint8Array {
  return joined([typeAndLength(0x00, bytes.length + 1), bytes]);
}

function list(...elements: readonly Uint8Array[]): Uint8Array {
  return joined([typeAndLength(0x70, elements.length), ...elements]);
}

/** One byte holds a length up to 15, two bytes one up to 255; the length of all but a list counts the second byte, too. */
function typeAndLength(type: number, length: number): Uint8Array {
  if (length < 16) return Uint8Array.of(type | length);
  const counted = type === 0x70 ? length : length + 1;
  return Uint8Array.of(0x80 | type | (counted >> 4), counted & 15);
}

function number(kind: "integer" | "unsigned", value: number, widthBytes: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value));
  return joined([
    Uint8Array.of((kind === "integer" ? 0x50 : 0x60) | (widthBytes + 1)),
    bytes.subarray(8 - widthBytes),
  ]);
}

interface MessagePlace {
  readonly tag: number;
  readonly index: number;
  readonly checksum?: "x25" | "kermit";
}

/** SML_Message: transactionId, groupNo, abortOnError, messageBody, crc16, endOfSmlMsg. */
function message(body: Uint8Array, { tag, index, checksum }: MessagePlace): Uint8Array {
  const zero = number("unsigned", 0, 1);
  const elements = [
    octets(Uint8Array.of(0x4b, 0x57, 0x00, index)),
    zero,
    zero,
    list(number("unsigned", tag, 2), body),
  ];
  const covered = joined([Uint8Array.of(0x76), ...elements]);
  return joined([covered, Uint8Array.of(0x63), checksumOf(covered, checksum), Uint8Array.of(0)]);
}

/** Least significant byte first as X-25, most significant first as KERMIT. */
function checksumOf(bytes: Uint8Array, checksum: "x25" | "kermit" = "x25"): Uint8Array {
  const value = checksum === "x25" ? crc16X25(bytes) : crc16Kermit(bytes);
  return checksum === "x25"
    ? Uint8Array.of(value & 0xff, value >> 8)
    : Uint8Array.of(value >> 8, value & 0xff);
}

const ESCAPE = Uint8Array.of(0x1b, 0x1b, 0x1b, 0x1b);

/** Transport protocol version 1 around messages: escapes escaped, filled to whole groups of four. */
function wrapped(messages: Uint8Array, checksum: "x25" | "kermit" | undefined): Uint8Array {
  const fill = -messages.length & 3;
  const file = joined([
    ESCAPE,
    Uint8Array.of(1, 1, 1, 1),
    escaped(messages),
    new Uint8Array(fill),
    ESCAPE,
    Uint8Array.of(0x1a, fill),
  ]);
  return joined([file, checksumOf(file, checksum)]);
}

function escaped(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let run = 0;
  for (const byte of bytes) {
    parts.push(Uint8Array.of(byte));
    run = byte === ESCAPE[0] ? run + 1 : 0;
    if (run < ESCAPE.length) continue;
    parts.push(ESCAPE);
    run = 0;
  }
  return joined(parts);
}

/** The file with another last digit of its first register. */
function withOtherRegister(telegram: Uint8Array): Uint8Array | undefined {
  const name = Uint8Array.of(0x07, 0x01, 0x00, 0x01, 0x08);
  const at = telegram.findIndex((_, from) => name.every((byte, index) => telegram[from + index] === byte));
  if (at < 0) return undefined;
  // Header and code, status, no time, unit, scaler, header: then the eight bytes of the register.
  const lastAt = at + 7 + 5 + 1 + 2 + 2 + 1 + 7;
  return telegram.map((byte, index) => (index === lastAt ? byte ^ 0x40 : byte));
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
