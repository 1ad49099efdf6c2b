import { cosemUnit, NO_UNIT } from "../telegram/units.ts";

/** The unit's name; undefined for a number without a unit, and `unit 99` for one that nobody has named. */
export function unitName(code: number): string | undefined {
  return code === NO_UNIT ? undefined : (cosemUnit(code) ?? `unit ${code}`);
}
