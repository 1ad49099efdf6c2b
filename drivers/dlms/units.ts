import { cosemUnit, NO_UNIT } from "../telegram/units.ts";

/** The unit's name, empty for a mere number; undefined for a unit that is not known here. */
export function unitName(number: number): string | undefined {
  return number === NO_UNIT ? "" : cosemUnit(number);
}
