const DECIMALS = 6;

/**
 * Kilowatts as somebody wrote them, in whole mW; exact, through the digits and not through a product. Undefined for
 * more than six digits behind the point, and beyond the exact integers.
 */
export function kilowattsToMw(kilowatts: number): number | undefined {
  const parts = /^(\d+)(?:\.(\d{1,6}))?$/.exec(String(kilowatts));
  if (parts === null) return undefined;
  const milliwatts = Number(`${parts[1]}${(parts[2] ?? "").padEnd(DECIMALS, "0")}`);
  return Number.isSafeInteger(milliwatts) ? milliwatts : undefined;
}
