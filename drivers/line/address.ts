import type { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { parsedText } from "./parsed-text.ts";

/** How bytes look on a serial wire. */
export interface SerialFormat {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
}

const LETTERS = { none: "N", even: "E", odd: "O" } as const;

/** As installers write it: "9600 8N1". */
export function formatText({ baudRate, dataBits, parity, stopBits }: SerialFormat): string {
  return `${baudRate} ${dataBits}${LETTERS[parity]}${stopBits}`;
}

/** All that users of a line have to agree about, in words; a serial server's own settings are not known here. */
export function lineFormat(address: LineAddress, defaults: SerialFormat): string {
  return address.kind === "serial" ? formatText({ ...defaults, ...address }) : "";
}

/** A serial port. What is absent is the driver's default. */
export interface SerialAddress extends Partial<SerialFormat> {
  readonly kind: "serial";
  readonly path: string;
}

/** A serial line offered over TCP, as ser2net does in raw mode. */
export interface TcpAddress {
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
}

export type LineAddress = SerialAddress | TcpAddress;

const EXAMPLES = '"serial:///dev/serial/by-id/NAME?baud=115200&format=8N1" or "tcp://HOST:PORT"';

/**
 * Reads a line's address: `serial:///dev/serial/by-id/NAME`, optionally with `?baud=9600&format=7E1`, or
 * `tcp://HOST:PORT`.
 *
 * @throws Problem `line-address`
 */
export function parseLineAddress(text: string): LineAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "serial:") return serialAddress(url);
  if (url?.protocol === "tcp:") return tcpAddress(url);
  throw new Problem("line-address", "not the address of a line", {
    where: "line",
    expected: EXAMPLES,
    got: JSON.stringify(text),
    ...hintFor(text),
  });
}

/** A bare path, or a bare host and port, is what an installer has at hand. */
function hintFor(text: string): { readonly hint?: string } {
  if (/^\/[^\0\s]+$/.test(text)) return { hint: `write it as "serial://${text}"` };
  return /^[a-z0-9.-]+:\d+$/i.test(text) ? { hint: `write it as "tcp://${text}"` } : {};
}

/** {@link parseLineAddress} as part of a driver's strict schema: text in, {@link LineAddress} out. */
export const lineSchema: z.ZodType<LineAddress, string> = parsedText(parseLineAddress);

/** How messages call the line. */
export function lineName(address: LineAddress): string {
  if (address.kind === "serial") return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `tcp://${host}:${address.port}`;
}

function tcpAddress(url: URL): TcpAddress {
  const port = Number(url.port);
  if (url.hostname === "") throw badPart("host", "a name or an address", '""');
  if (!(port >= 1)) throw badPart("port", "1 to 65535", JSON.stringify(url.port));
  if (url.pathname !== "" && url.pathname !== "/")
    throw badPart("path", "none", JSON.stringify(url.pathname));
  if (url.search !== "") throw badPart("query", "none", JSON.stringify(url.search));
  if (url.username !== "") throw badPart("user", "none", JSON.stringify(url.username));
  return { kind: "tcp", host: url.hostname.replace(/^\[|\]$/g, ""), port };
}

function serialAddress(url: URL): SerialAddress {
  if (url.host !== "") {
    throw badPart("path", 'three slashes, as in "serial:///dev/…"', JSON.stringify(`serial://${url.host}`));
  }
  const path = decodedPath(url.pathname);
  const settings: { -readonly [Key in keyof SerialFormat]?: SerialFormat[Key] } = {};
  for (const [key, value] of url.searchParams) {
    if (key === "baud") settings.baudRate = baudRate(value);
    else if (key === "format") Object.assign(settings, characterFormat(value));
    else throw badPart("query", '"baud" or "format"', JSON.stringify(key));
  }
  return { kind: "serial", path, ...settings };
}

function decodedPath(encoded: string): string {
  // A bare or wrong % would make decodeURIComponent throw.
  const path = /%(?![0-9A-Fa-f]{2})/.test(encoded) ? "" : decodeURIComponent(encoded);
  if (!/^\/[^\0]+$/.test(path)) throw badPart("path", "a path from /", JSON.stringify(encoded));
  return path;
}

function baudRate(text: string): number {
  const rate = /^\d{3,7}$/.test(text) ? Number(text) : 0;
  if (rate < 300 || rate > 4_000_000) throw badPart("baud", "300 to 4000000", JSON.stringify(text));
  return rate;
}

const PARITIES = { N: "none", E: "even", O: "odd" } as const;

function characterFormat(text: string): Omit<SerialFormat, "baudRate"> {
  const parts = /^([78])([NEO])([12])$/.exec(text);
  const parity = parts?.[2];
  if (parts === null || (parity !== "N" && parity !== "E" && parity !== "O")) {
    throw badPart("format", "data bits, parity and stop bits as in 8N1 or 7E1", JSON.stringify(text));
  }
  return {
    dataBits: parts[1] === "7" ? 7 : 8,
    parity: PARITIES[parity],
    stopBits: parts[3] === "1" ? 1 : 2,
  };
}

function badPart(part: string, expected: string, got: string): Problem {
  return new Problem("line-address", "not the address of a line", {
    where: `line: ${part}`,
    expected,
    got,
    hint: `write it as ${EXAMPLES}`,
  });
}
