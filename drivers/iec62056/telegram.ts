import { Problem } from "../../attest/problem.ts";
import type { DecodedTelegram, TelegramValue } from "../telegram/telegram.ts";
import { EXCLAMATION, STX, textOf } from "./characters.ts";
import { addressOf, parseLine } from "./data-sets.ts";
import { type Identification, parseIdentification } from "./identification.ts";

/** One readout taken apart. */
export interface Iec62056Telegram extends DecodedTelegram {
  readonly identification: Identification;
  /** True where a block check character vouches for the data. */
  readonly checked: boolean;
  /** Lines of a checked block that are no data sets, in words. */
  readonly absent: readonly string[];
}

const MAX_QUOTED = 40;

/**
 * Takes a whole readout apart, as `readoutFormat` cuts it: an identification and either lines or a block. Only a
 * block may have a line that is none of data sets; where nothing vouches for the telegram, such a line shows that bytes
 * were lost.
 *
 * @throws Problem `iec62056-line`, `iec62056-truncated`
 */
export function decodeReadout(bytes: Uint8Array): Iec62056Telegram {
  const text = textOf(bytes);
  const lineEnd = text.indexOf("\n");
  if (!text.startsWith("/") || lineEnd < 0) throw truncated(bytes);
  const blockAt = text.indexOf(String.fromCharCode(STX), lineEnd);
  const checked = blockAt >= 0;
  // Behind the data of a block come ETX and its check character, which may be any character.
  const body = checked ? bodyOf(text.slice(0, -2), blockAt) : bodyOf(text, lineEnd);
  const { values, absent } = parseBody(body, checked);
  return {
    identification: parseIdentification(text.slice(1, lineEnd).trimEnd()),
    ...{ checked, values, absent },
    ...meterId(values),
    ...meterTime(values),
  };
}

/** Where the data begin in the text, and the data up to their `!`. */
interface Body {
  readonly at: number;
  readonly text: string;
}

function bodyOf(text: string, before: number): Body {
  const at = before + 1;
  const mark = text.indexOf(String.fromCharCode(EXCLAMATION), at);
  return { at, text: mark < 0 ? text.slice(at) : text.slice(at, mark) };
}

type Lines = Pick<Iec62056Telegram, "values" | "absent">;

function parseBody({ at, text }: Body, checked: boolean): Lines {
  const values: TelegramValue[] = [];
  const absent: string[] = [];
  let code = "";
  for (const match of text.matchAll(/[^\r\n]+/g)) {
    const parsed = parseLine(match[0], code);
    const where = `telegram offset ${at + match.index}`;
    if (parsed !== undefined) values.push(...parsed);
    else if (checked) absent.push(`${where}: no data set: ${JSON.stringify(match[0].slice(0, MAX_QUOTED))}`);
    else throw noDataSet(where, match[0]);
    code = addressOf(values.at(-1)?.code ?? "");
  }
  return { values, absent };
}

function noDataSet(where: string, line: string): Problem {
  return new Problem("iec62056-line", "a line is no data set, and nothing vouches for the telegram", {
    where,
    expected: 'a line like "1.8.0(001234.5*kWh)"',
    got: JSON.stringify(line.slice(0, MAX_QUOTED)),
  });
}

function truncated(bytes: Uint8Array): Problem {
  return new Problem("iec62056-truncated", "this is no whole readout", {
    where: `telegram of ${bytes.length} bytes`,
    expected: "an identification and data behind it",
  });
}

/**
 * Where meters print who they are, the maker's own number first: 96.1.x, its short forms C.1.0 and C.1, and the number
 * that the grid operator gave, 0.0.0 and 0.0 (EasyMeter Q3D, Landis+Gyr E350, eBZ DD3 print several of them).
 */
const NUMBER_CODES = ["96.1.255", "96.1.0", "96.1.1", "C.1.0", "C.1", "0.0.0", "0.0"];

function meterId(values: readonly TelegramValue[]): { readonly meterId?: string } {
  const id = firstText(values, NUMBER_CODES);
  return id === "" ? {} : { meterId: id };
}

/** The meter's local time without a zone: 0.9.1 is the time and 0.9.2 the date, 1.0.0 both. */
function meterTime(values: readonly TelegramValue[]): { readonly meterTimeText?: string } {
  const both = firstText(values, ["1.0.0"]);
  const parts = [firstText(values, ["0.9.2"]), firstText(values, ["0.9.1"])].filter((part) => part !== "");
  const text = both !== "" ? both : parts.join(" ");
  return text === "" ? {} : { meterTimeText: text };
}

/** The first text that is not empty, by the order of `codes`, each as `C.D.E` or `C.D`. */
export function firstText(values: readonly TelegramValue[], codes: readonly string[]): string {
  for (const wanted of codes) {
    const found = values.find(({ code, text }) => shortCode(code) === wanted && text.trim() !== "");
    if (found !== undefined) return found.text.trim();
  }
  return "";
}

/** `C.D.E` of `A-B:C.D.E*255`; a value of an earlier period stays as it is printed. */
export function shortCode(code: string): string {
  return code.replace(/^\d+-\d+:/, "").replace(/\*255$/, "");
}
