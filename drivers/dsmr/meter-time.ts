const TIME_STAMP = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([WS])$/;

/**
 * Reads a time stamp `YYMMDDhhmmssX` (DSMR 5.0.2 P1, 6.4). `X` is `W` for winter and `S` for summer time, which is one
 * hour ahead: it alone tells the two passes through the repeated hour apart.
 *
 * @param winterOffsetMinutes what winter time is ahead of UTC: 60 from Amsterdam to Budapest, 120 in Vilnius
 * @returns ms since 1970 UTC, or undefined for a time that does not exist, as a meter with an unset clock prints it
 */
export function parseMeterTime(text: string, winterOffsetMinutes: number): number | undefined {
  const parts = TIME_STAMP.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const local = Date.UTC(2000 + year, month - 1, day, hour, minute, second);
  // Date.UTC carries month 13 or second 61 over; a time that comes back otherwise was none.
  const shown = new Date(local).toISOString().replace(/\D/g, "").slice(2, 14);
  if (shown !== text.slice(0, 12)) return undefined;
  const offsetMinutes = winterOffsetMinutes + (parts[7] === "S" ? 60 : 0);
  return local - offsetMinutes * 60_000;
}
