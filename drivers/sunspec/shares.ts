/** All of something, in parts per million. */
export const FULL_PPM = 1_000_000;

/** Part of an energy or a power, cut off to whole mWh or mW; undefined unless both are known. */
export function share(whole: number | undefined, ppm: number | undefined): number | undefined {
  if (whole === undefined || ppm === undefined) return undefined;
  const part = Number((BigInt(whole) * BigInt(ppm)) / BigInt(FULL_PPM));
  return Number.isSafeInteger(part) ? part : undefined;
}

/** From one level up to another, never below 0. */
export function span(fromPpm: number | undefined, toPpm: number | undefined): number | undefined {
  if (fromPpm === undefined || toPpm === undefined) return undefined;
  return Math.max(0, toPpm - fromPpm);
}

/** The smaller one of those that are known. */
export function smallest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** The larger one of those that are known. */
export function largest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? undefined : Math.max(...known);
}
