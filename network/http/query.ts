import { fromHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** What a question's address says after the `?`. */
export type Query = Readonly<Record<string, string>>;

/** Throws `query` for a name that the question does not know, so that a misspelt one is not silently dropped. */
export function requireKnown(query: Query, known: readonly string[]): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw wrong(unknown, known.join(", ") || "no parameters", "a parameter that is not known");
}

/** A time as ISO 8601 with zone or as ms since 1970; `otherwise` when it is not given. Throws `query`. */
export function timeOf(query: Query, name: string, otherwise: number): number {
  const text = query[name];
  return text === undefined ? otherwise : parseTime(name, text);
}

/** As {@link timeOf}, but it must be given. */
export function requiredTime(query: Query, name: string): number {
  const text = query[name];
  if (text === undefined) throw wrong(name, "a time as ISO 8601 with zone, or ms since 1970", "nothing");
  return parseTime(name, text);
}

/** A text that must be given. Throws `query`. */
export function requiredText(query: Query, name: string): string {
  const text = query[name];
  if (text !== undefined && text !== "") return text;
  throw wrong(name, "a value", "nothing");
}

/** A count from 1 to `most`; `otherwise` when it is not given. Throws `query`. */
export function limitOf(query: Query, most: number, otherwise: number): number {
  const text = query["limit"];
  if (text === undefined) return otherwise;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw wrong("limit", `1 to ${most}`, text);
}

/** A place in a device's logs, as `next` of an earlier page gives it: behind leaf `seq` of `epoch`. */
export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

/** The cursor of `after`, or the begin. Throws `query`. */
export function cursorOf(query: Query): Cursor {
  const text = query["after"];
  if (text === undefined) return { epoch: 0, seq: -1 };
  const [, epoch, seq] = /^(\d{1,10})\.(-1|\d{1,16})$/.exec(text) ?? [];
  if (epoch !== undefined && seq !== undefined && Number.isSafeInteger(Number(seq)))
    return { epoch: Number(epoch), seq: Number(seq) };
  throw wrong("after", "EPOCH.SEQ", text);
}

/** A device key from the address, 32 bytes. Throws `query`. */
export function deviceKeyOf(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, "device key");
  throw wrong("device key", "64 lower-case hexadecimal digits", text);
}

function parseTime(name: string, text: string): number {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : isoTime(text);
  if (Number.isSafeInteger(ms)) return ms;
  throw wrong(name, "ISO 8601 with zone such as 2026-01-31T12:00:00Z (a + is written %2B), or ms", text);
}

function isoTime(text: string): number {
  return ISO_TIME.test(text) ? Date.parse(text) : Number.NaN;
}

function wrong(name: string, expected: string, got: string): Problem {
  return new Problem("query", `"${name}" is wrong`, { expected, got: got.slice(0, 100) });
}
