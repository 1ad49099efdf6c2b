import type { EpochQuarantine, Growth } from "./quarantine.ts";

/** What taking batches may be guarded by. */
export interface QuarantineGuard {
  readonly quarantine?: EpochQuarantine;
}

/** Runs `append` unless the key is quarantined. Throws `quarantine`. */
export function admitted<T>(
  { quarantine }: QuarantineGuard,
  growth: Growth,
  append: () => Promise<T>,
): Promise<T> {
  return quarantine === undefined ? append() : quarantine.admit(growth, append);
}
