import type { TelegramValue } from "../telegram/telegram.ts";

/** An address and the values behind it (IEC 62056-21, 6.3.4: `address ( value * unit )`); neither has `( ) / !`. */
const DATA_SET = /([^()/!]*)((?:\([^()/!]*\))+)/y;
/** A comma stands for the point on some meters; a sign and blanks before it on others. */
const NUMBER = /^ *([+-]?)(\d{1,20})(?:[.,](\d{1,20}))?$/;
/** Some meters have a blank where the standard has `*`. */
const WITH_BLANK_UNIT = /^( *[+-]?\d+(?:[.,]\d+)?) +([A-Za-z]{1,8})$/;

/**
 * The values of one line; undefined where it is none of data sets. The second and later values behind one address have
 * its code and their place, as `1.6.1(2)`; values without an address belong to `before`.
 */
export function parseLine(line: string, before: string): readonly TelegramValue[] | undefined {
  const values: TelegramValue[] = [];
  let code = before;
  DATA_SET.lastIndex = 0;
  while (DATA_SET.lastIndex < line.length) {
    const parts = DATA_SET.exec(line);
    if (parts === null) return undefined;
    const [, address = "", groups = ""] = parts;
    const own = address.trim();
    if (own !== "") code = own;
    const printed = groups.slice(1, -1).split(")(");
    values.push(
      ...printed.map((text, index) => telegramValue(placed(code, own === "" ? index + 1 : index), text)),
    );
  }
  return values;
}

/** The code that values behind it belong to, of a code that {@link parseLine} gave. */
export function addressOf(code: string): string {
  return code.replace(/\(\d+\)$/, "");
}

function placed(code: string, index: number): string {
  return index === 0 ? code : `${code}(${index + 1})`;
}

function telegramValue(code: string, printed: string): TelegramValue {
  const star = printed.lastIndexOf("*");
  const blank = star < 0 ? WITH_BLANK_UNIT.exec(printed) : null;
  const text = (blank?.[1] ?? (star < 0 ? printed : printed.slice(0, star))).trim();
  const unit = (blank?.[2] ?? (star < 0 ? "" : printed.slice(star + 1))).trim();
  const scaled = scaledOf(text);
  return { code, text, ...(unit === "" ? {} : { unit }), ...(scaled === undefined ? {} : { scaled }) };
}

function scaledOf(text: string): TelegramValue["scaled"] {
  const parts = NUMBER.exec(text);
  if (parts === null) return undefined;
  const [, sign = "", whole = "", fraction = ""] = parts;
  const digits = BigInt(`${whole}${fraction}`);
  // 0 - 0 and not -0: an integer has no such value.
  return { digits: sign === "-" ? -digits : digits, exponent: fraction === "" ? 0 : -fraction.length };
}
