/** From the last Sunday of March to the last Sunday of October, both at 01:00 UTC (Directive 2000/84/EC). */
export function isSummerTime(utcMs: number): boolean {
  const year = new Date(utcMs).getUTCFullYear();
  return utcMs >= changeToSummerMs(year) && utcMs < changeToWinterMs(year);
}

function changeToSummerMs(year: number): number {
  return lastSundayMs(year, 2);
}

/** When summer time ends in that year, ms since 1970 UTC. */
export function changeToWinterMs(year: number): number {
  return lastSundayMs(year, 9);
}

function lastSundayMs(year: number, month: number): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0));
  return Date.UTC(year, month, lastDay.getUTCDate() - lastDay.getUTCDay(), 1);
}
