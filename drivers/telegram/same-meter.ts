import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";

/**
 * Refuses a telegram of another meter than the one that was identified. What one of the two does not say contradicts
 * nothing: some meters print their number now and then. The firmware may change: it is no identity.
 *
 * @throws Problem `driver-identity-changed`
 */
export function requireSameMeter(known: MeterIdentity, found: MeterIdentity): void {
  const parts = ["make", "model", "serial"] as const;
  if (parts.every((part) => known[part] === "" || found[part] === "" || known[part] === found[part])) return;
  throw new Problem("driver-identity-changed", "another meter speaks on this line", {
    expected: nameOf(known),
    got: nameOf(found),
    hint: "if it was replaced, nothing is to be done: it is identified anew; if not, two meters are on this line",
  });
}

function nameOf({ make, model, serial }: MeterIdentity): string {
  return `${make} ${model} ${serial}`.trim();
}
