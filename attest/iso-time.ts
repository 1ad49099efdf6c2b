/** ISO 8601 in UTC; a time that no calendar has stays a number of ms. */
export function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
