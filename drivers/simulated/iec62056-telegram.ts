import type { ShownByMeter, SimulatedAnswerer, SimulatedSpeaker } from "./speaking.ts";

/** What a simulated meter is like. */
export interface Iec62056Look {
  /** After `/`: maker, rate character and name; by default a meter of mode C with up to 9600 baud. */
  readonly identification?: string;
  /** Answers only to this address or to none; without it, to all. */
  readonly address?: string;
  /** Prints `1.8.0` instead of `1-0:1.8.0*255`. */
  readonly short?: boolean;
}

/** A simulated meter that is asked. */
export interface Iec62056Answerer extends SimulatedAnswerer {
  /** The rate at which it sends what it answered last, baud. */
  readonly baudRate: number;
}

const PUSHED = "KWT5SIM V1.0";
const ASKED = "KWT5SIM-C V1.0";
const RATES = [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200];
const LONGEST_REQUEST = 64;

/** A meter that pushes its readout without a check character (IEC 62056-21, mode D), characters without parity. */
export function iec62056Speaker(look: Iec62056Look = {}): SimulatedSpeaker {
  const { identification = PUSHED } = look;
  return {
    periodMs: 2_000,
    telegrams: (shown) => [ascii(`/${identification}\r\n\r\n${dataLines(shown, look)}!\r\n`)],
    withWrongChecksum: () => undefined,
  };
}

/**
 * A meter that is asked (modes A, B, C by the rate character of its identification). It takes requests with parity in
 * the highest bit or without, and answers as it was asked.
 */
export function iec62056Answerer(look: Iec62056Look = {}): Iec62056Answerer {
  const { identification = ASKED } = look;
  const rateCharacter = identification.charAt(3);
  const offered = rateOf(rateCharacter);
  let baudRate = 300;
  let heard: Uint8Array = new Uint8Array(0);
  let parity = false;
  let waiting = false;
  const readout = (shown: ShownByMeter): Uint8Array =>
    encoded(block(`${dataLines(shown, look)}!\r\n`), parity);
  const signOn = (shown: ShownByMeter): readonly Uint8Array[] => {
    baudRate = /[A-F]/.test(rateCharacter) ? offered : 300;
    waiting = /[0-6]/.test(rateCharacter);
    const name = encoded(`/${identification}\r\n`, parity);
    return waiting ? [name] : [name, readout(shown)];
  };
  return {
    get baudRate() {
      return baudRate;
    },
    answers(bytes, shown) {
      heard = Uint8Array.of(...heard, ...bytes).slice(-LONGEST_REQUEST);
      const text = String.fromCharCode(...heard.map((byte) => byte & 0x7f));
      const request = /\/\?([0-9A-Za-z ]*)!\r\n$/.exec(text);
      const acknowledgement = text.slice(-6).startsWith("\u0006") ? /0(.)0\r\n$/.exec(text) : null;
      if (request === null && acknowledgement === null) return [];
      parity = heard.some((byte) => byte > 0x7f);
      heard = new Uint8Array(0);
      if (request !== null) return isMeant(request[1] ?? "", look.address) ? signOn(shown) : [];
      if (!waiting) return [];
      waiting = false;
      baudRate = acknowledgement?.[1] === rateCharacter ? offered : 300;
      return [readout(shown)];
    },
    withWrongChecksum,
  };
}

/** The address of the meter, or none; leading zeros do not count (IEC 62056-21, 6.3.1). */
function isMeant(asked: string, own: string | undefined): boolean {
  return own === undefined || asked === "" || asked.replace(/^0+/, "") === own.replace(/^0+/, "");
}

function rateOf(character: string): number {
  const letter = "ABCDEF".indexOf(character);
  return (letter >= 0 ? RATES[letter + 1] : RATES["0123456".indexOf(character)]) ?? 300;
}

function dataLines(shown: ShownByMeter, { short = false }: Iec62056Look): string {
  const full = (code: string): string => (short ? code : `1-0:${code}*255`);
  const lines: readonly (readonly [string, string])[] = [
    [full("0.0.0"), shown.serial],
    [full("1.8.1"), kilowattHours(shown.importT1Mwh)],
    [full("1.8.2"), kilowattHours(shown.importT2Mwh)],
    [full("1.8.0"), kilowattHours(shown.importT1Mwh + shown.importT2Mwh)],
    [full("2.8.1"), kilowattHours(shown.exportT1Mwh)],
    [full("2.8.2"), kilowattHours(shown.exportT2Mwh)],
    [full("2.8.0"), kilowattHours(shown.exportT1Mwh + shown.exportT2Mwh)],
    [full("16.7.0"), `${decimal(shown.activePowerMw, 3, 1, 6)}*W`],
    ...phases(shown).map(([code, text]) => [full(code), text] as const),
    [full("14.7.0"), `${decimal(shown.frequencyMhz, 3, 2, 2)}*Hz`],
  ];
  return lines.map(([code, text]) => `${code}(${text})\r\n`).join("");
}

function phases({ voltageMv, currentMa }: ShownByMeter): readonly (readonly [string, string])[] {
  return [
    ...voltageMv.map((value, phase) => [`${32 + 20 * phase}.7.0`, `${decimal(value, 3, 1, 3)}*V`] as const),
    ...currentMa.map((value, phase) => [`${31 + 20 * phase}.7.0`, `${decimal(value, 3, 2, 3)}*A`] as const),
  ];
}

/** Meters cut what they do not show. */
function kilowattHours(mwh: number): string {
  return `${decimal(mwh, 6, 4, 6)}*kWh`;
}

/** `value` in units of ten to the minus `exponent`, with so many decimals and at least so many digits before the point. */
function decimal(value: number, exponent: number, decimals: number, digits: number): string {
  const cut = Math.trunc(value / 10 ** (exponent - decimals));
  const text = String(Math.abs(cut)).padStart(digits + decimals, "0");
  return `${cut < 0 ? "-" : ""}${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

/** `STX data ETX BCC`: the check character is the sum without carry over all behind STX. */
function block(data: string): string {
  const body = `${data}\x03`;
  const check = [...body].reduce((sum, character) => sum ^ character.charCodeAt(0), 0);
  return `\x02${body}${String.fromCharCode(check)}`;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function encoded(text: string, parity: boolean): Uint8Array {
  const bytes = ascii(text);
  return parity ? bytes.map((byte) => (ones(byte) % 2 === 0 ? byte : byte | 0x80)) : bytes;
}

function ones(byte: number): number {
  return byte === 0 ? 0 : (byte & 1) + ones(byte >> 1);
}

/** The last digit of the first register changed, parity included; undefined for an identification. */
function withWrongChecksum(telegram: Uint8Array): Uint8Array | undefined {
  const text = String.fromCharCode(...telegram.map((byte) => byte & 0x7f));
  const found = /1\.8\.1[^()]*\([\d.]*(\d)\*/d.exec(text)?.indices?.[1]?.[0];
  if (!text.startsWith("\x02") || found === undefined) return undefined;
  const parity = telegram.some((byte) => byte > 0x7f);
  const digit = text.charAt(found) === "9" ? "0" : String(Number(text.charAt(found)) + 1);
  const changed = Uint8Array.from(telegram);
  changed.set(encoded(digit, parity), found);
  return changed;
}
