import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";

/**
 * Refuses a telegram of another meter than the one that was identified. The firmware may change: it is no identity.
 *
 * @throws Problem `driver-identity-changed`
 */
export function requireSameMeter(known: MeterIdentity, found: MeterIdentity): void {
  if (known.make === found.make && known.model === found.model && known.serial === found.serial) return;
  throw new Problem("driver-identity-changed", "another meter speaks on this line", {
    expected: nameOf(known),
    got: nameOf(found),
    hint: "if the meter was replaced, have it identified again",
  });
}

function nameOf({ make, model, serial }: MeterIdentity): string {
  return `${make} ${model} ${serial}`.trim();
}
