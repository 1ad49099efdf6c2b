import { decodeSml, type SmlTelegram } from "../../../drivers/sml/decode.ts";
import { SmlFramer } from "../../../drivers/sml/framing.ts";
import { type CutStream, framedBy } from "../telegram/framed.ts";

export type Algorithm = "x25" | "kermit";

/** Bit by bit as the definition has it, so that tables are not compared with themselves. */
function crc(bytes: Uint8Array, start: number): number {
  let value = start;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >> 1) ^ 0x8408 : value >> 1;
  }
  return value;
}

function checksum(bytes: Uint8Array, algorithm: Algorithm): readonly [number, number] {
  if (algorithm === "kermit") return [crc(bytes, 0) >> 8, crc(bytes, 0) & 0xff];
  const inverted = crc(bytes, 0xffff) ^ 0xffff;
  return [inverted & 0xff, inverted >> 8];
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s+/g, ""), "hex"));
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export const ABSENT = "01";

/** A list of fewer than 16 elements, each given in hexadecimal. */
export function list(...elements: string[]): string {
  return `7${elements.length.toString(16)}${elements.join("")}`;
}

export function octets(content: string): string {
  const length = content.length / 2 + 1;
  if (length < 16) return `0${length.toString(16)}${content}`;
  const long = length + 1;
  return `8${(long >> 4).toString(16)}0${(long & 15).toString(16)}${content}`;
}

export function ascii(text: string): string {
  return octets(Buffer.from(text, "latin1").toString("hex"));
}

export interface Entry {
  readonly name: string;
  readonly status?: string;
  readonly time?: string;
  readonly unit?: string;
  readonly scaler?: string;
  readonly value: string;
}

export function entry({ name, status, time, unit, scaler, value }: Entry): string {
  const given = [status, time, unit, scaler].map((field) => field ?? ABSENT);
  return list(octets(name), ...given, value, ABSENT);
}

/** One message with its checksum; leading zeros of the checksum are left out where `short`. */
export function message(
  tag: string,
  body: string,
  options: { algorithm?: Algorithm; short?: boolean } = {},
): Uint8Array {
  const start = hex(`76 05 00112233 6200 6200 72 ${tag} ${body}`);
  const sum = Buffer.from(checksum(start, options.algorithm ?? "x25")).toString("hex");
  const field = options.short && sum.startsWith("00") ? `62${sum.slice(2)}` : `63${sum}`;
  return join(start, hex(`${field}00`));
}

export const OPEN: Uint8Array = message("630101", list(ABSENT, ABSENT, "0201", "0202", ABSENT, ABSENT));
export const CLOSE: Uint8Array = message("630201", list(ABSENT));
/** DIN 43863-5 identification 1 KIL00 1234 5678. */
export const SERVER = "0a014b494c0000bc614e";

export interface List {
  readonly server?: string;
  readonly time?: string;
  readonly entries: readonly string[];
}

export function listBody({ server = SERVER, time = ABSENT, entries }: List): string {
  const values = `f${(entries.length >> 4).toString(16)}0${(entries.length & 15).toString(16)}${entries.join("")}`;
  return list(
    ABSENT,
    server === "" ? ABSENT : octets(server),
    octets("0100620affff"),
    time,
    values,
    ABSENT,
    ABSENT,
  );
}

export function valueList(
  content: List,
  options: { algorithm?: Algorithm; short?: boolean } = {},
): Uint8Array {
  return message("630701", listBody(content), options);
}

/** A file around messages: escapes escaped, filled to four bytes, checksum at the end. */
export function file(messages: Uint8Array, algorithm: Algorithm = "x25"): Uint8Array {
  const fill = (4 - (messages.length % 4)) % 4;
  const text = Buffer.from(messages).toString("hex").match(/../g) ?? [];
  const data: string[] = [];
  for (let at = 0; at < text.length; ) {
    const escaped = text.slice(at, at + 4).join("") === "1b1b1b1b";
    data.push(escaped ? "1b1b1b1b1b1b1b1b" : (text[at] ?? ""));
    at += escaped ? 4 : 1;
  }
  const whole = hex(`1b1b1b1b01010101${data.join("")}${"00".repeat(fill)}1b1b1b1b1a0${fill}`);
  return sealed(whole, algorithm);
}

/** Bytes and their checksum. */
export function sealed(bytes: Uint8Array, algorithm: Algorithm = "x25"): Uint8Array {
  return join(bytes, Uint8Array.from(checksum(bytes, algorithm)));
}

export const IMPORT: string = entry({
  name: "0100010800ff",
  status: "6400ff82",
  unit: "621e",
  scaler: "52ff",
  value: "560012d66dff",
});
export const POWER: string = entry({ name: "0100100700ff", unit: "621b", scaler: "52fe", value: "54fecbfd" });

/** What a meter would push: 31604275.1 Wh drawn, -788.51 W of power. */
export const TELEGRAM: Uint8Array = file(join(OPEN, valueList({ entries: [IMPORT, POWER] }), CLOSE));

export const frame: CutStream = framedBy(() => new SmlFramer());

export function decodeOne(bytes: Uint8Array): SmlTelegram {
  const [telegram, ...more] = decodeSml(bytes);
  if (telegram === undefined || more.length > 0) throw new Error(`${more.length} lists more than one`);
  return telegram;
}

/** The value of a code as `text unit`. */
export function textOf(telegram: SmlTelegram, code: string): string | undefined {
  const value = telegram.values.find((candidate) => candidate.code === code);
  return value === undefined
    ? undefined
    : [value.text, value.unit].filter((part) => part !== undefined).join(" ");
}
