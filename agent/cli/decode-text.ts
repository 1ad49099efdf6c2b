import type { Problem } from "../../attest/problem.ts";
import type { DecodedTelegram, TelegramValue } from "../../drivers/telegram/telegram.ts";
import type { Found } from "./decode-stream.ts";

/** One JSON object a line: for each list of a telegram, or for what was refused. Numbers beside offsets are texts. */
export function decodedJson(found: Found): string {
  return objectsOf(found)
    .map((object) => `${JSON.stringify(object)}\n`)
    .join("");
}

function objectsOf(found: Found): readonly object[] {
  const { offset, bytes } = found;
  if (found.kind === "refused") return [{ offset, bytes, refused: refusalJson(found.problem) }];
  const { lists } = found;
  if (lists.length === 0) return [{ offset, bytes, values: [] }];
  const several = (at: number): object => (lists.length > 1 ? { list: at + 1, lists: lists.length } : {});
  return lists.map((list, at) => ({ offset, bytes, ...several(at), ...listJson(list) }));
}

function listJson({ meterId, meterTimeMs, meterTimeText, values }: DecodedTelegram): object {
  return {
    meterId,
    meterTime: meterTimeMs === undefined ? undefined : isoText(meterTimeMs),
    meterTimeLocal: meterTimeText,
    values: values.map(valueJson),
  };
}

function valueJson({ code, text, unit, scaled }: TelegramValue): object {
  return {
    code,
    text,
    unit,
    scaled: scaled === undefined ? undefined : { digits: String(scaled.digits), exponent: scaled.exponent },
  };
}

function refusalJson({ code, message, detail }: Problem): object {
  const { where, expected, got, hint } = detail;
  return { code, message, where, expected, got, hint };
}

/** The same for people: a line that says where it is and whose, then the values in columns. */
export function decodedText(found: Found): string {
  const { offset, bytes } = found;
  const length = bytes === undefined ? "" : `, ${bytes} bytes`;
  const place = `at byte ${offset}${length}`;
  if (found.kind === "refused")
    return `${place}: refused, ${found.problem.message} (${found.problem.code})\n\n`;
  if (found.lists.length === 0) return `${place}: no values\n\n`;
  return found.lists.map((list) => `${place}: ${headText(list)}\n${valuesText(list.values)}\n`).join("");
}

function headText({ meterId, meterTimeMs, meterTimeText }: DecodedTelegram): string {
  const meter = meterId === undefined ? "a meter without a name" : `meter ${printable(meterId)}`;
  const time = meterTimeMs === undefined ? meterTimeText : isoText(meterTimeMs);
  return time === undefined ? meter : `${meter}, its clock ${printable(time)}`;
}

function valuesText(values: readonly TelegramValue[]): string {
  const codes = values.map(({ code }) => printable(code));
  const width = Math.min(Math.max(0, ...codes.map((code) => code.length)), WIDEST);
  return values
    .map(({ text, unit }, at) => {
      const value = `${printable(text)}${unit === undefined ? "" : ` ${printable(unit)}`}`;
      return `  ${(codes[at] ?? "").padEnd(width)}  ${value}`.trimEnd();
    })
    .map((line) => `${line}\n`)
    .join("");
}

const WIDEST = 40;

/** What a meter sends must not steer a terminal. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** `Date` ends in the year 275760; a meter may say anything. */
function isoText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `${timeMs} ms` : date.toISOString();
}
