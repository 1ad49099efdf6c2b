/** A point in time as a meter prints it, in its local time: ISO 8601, with XX where it means every one. */
const EVERY = "XX";
const INVALID = "invalid";

/**
 * Types F, G, I and J by their number of bytes (EN 13757-3, Annex A). Bits checked against rscada/libmbus f09d613
 * `mbus_data_tm_decode` and tudborg/exmbus 01f5925 `data_type.ex`. Text `invalid` where the meter says so, or where
 * there is no such day or time; `undefined` when no type has this size.
 */
export function timeText(bytes: Uint8Array): string | undefined {
  switch (bytes.length) {
    case 2:
      return typeG(bytes);
    case 3:
      return typeJ(bytes);
    case 4:
      return typeF(bytes);
    case 6:
      return typeI(bytes);
    default:
      return undefined;
  }
}

export function isTime(text: string): boolean {
  return text !== INVALID;
}

/** Day and year 2..0, month and year 6..3. FFFF is invalid. */
function typeG([low = 0, high = 0]: Uint8Array): string {
  if (low === 0xff && high === 0xff) return INVALID;
  return dateText(low, high, 0) ?? INVALID;
}

/** Second, minute, hour. */
function typeJ([second = 0, minute = 0, hour = 0]: Uint8Array): string {
  return clockText(hour, minute, second) ?? INVALID;
}

/** Bit 7 of the minute: invalid. Bits 6..5 of the hour: century from 1900. Bit 7 of the hour: summer time. */
function typeF([minute = 0, hour = 0, low = 0, high = 0]: Uint8Array): string {
  const date = dateText(low, high, (hour >> 5) & 3);
  const clock = clockText(hour & 0x1f, minute & 0x3f);
  if ((minute & 0x80) !== 0 || date === undefined || clock === undefined) return INVALID;
  return `${date}T${clock}${(hour & 0x80) === 0 ? "" : " summer"}`;
}

/** Bit 6 of the second: summer time. Bit 7 of the minute: invalid. The weekday, week and leap year say nothing new. */
function typeI([second = 0, minute = 0, hour = 0, low = 0, high = 0]: Uint8Array): string {
  const date = dateText(low, high, 0);
  const clock = clockText(hour & 0x1f, minute & 0x3f, second & 0x3f);
  if ((minute & 0x80) !== 0 || date === undefined || clock === undefined) return INVALID;
  return `${date}T${clock}${(second & 0x40) === 0 ? "" : " summer"}`;
}

/** Day 0, month 15 and year 127 stand for every one. */
function dateText(low: number, high: number, century: number): string | undefined {
  const day = low & 0x1f;
  const month = high & 0x0f;
  const year = (low >> 5) | ((high & 0xf0) >> 1);
  const monthFits = month === 15 || (month >= 1 && month <= 12);
  if (!monthFits || (year > 99 && year !== 127)) return undefined;
  const full = year === 127 ? undefined : fullYear(year, century);
  if (day > daysOf(month, full)) return undefined;
  const yearText = full === undefined ? `${EVERY}${EVERY}` : `${full}`;
  return `${yearText}-${month === 15 ? EVERY : two(month)}-${day === 0 ? EVERY : two(day)}`;
}

/** Meters that know no century count from 2000, those that count 81 to 99 from 1900 (Annex A, type F). */
function fullYear(year: number, century: number): number {
  return century === 0 && year <= 80 ? 2000 + year : 1900 + 100 * century + year;
}

function daysOf(month: number, year: number | undefined): number {
  if (month === 2) return year === undefined || isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Hour 31, minute 63 and second 63 stand for every one. */
function clockText(hour: number, minute: number, second?: number): string | undefined {
  const parts = [part(hour, 23, 31), part(minute, 59, 63)];
  if (second !== undefined) parts.push(part(second, 59, 63));
  return parts.includes(undefined) ? undefined : parts.join(":");
}

function part(value: number, last: number, every: number): string | undefined {
  if (value === every) return EVERY;
  return value > last ? undefined : two(value);
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}
