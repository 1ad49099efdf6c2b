import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import { READ_CODES } from "./reading.ts";
import type { Telegram } from "./telegram.ts";

/** `driver-identity-changed` unless the telegram comes from the meter that was identified. */
export function requireSameMeter(known: MeterIdentity, found: MeterIdentity): void {
  if (known.make === found.make && known.model === found.model && known.serial === found.serial) return;
  throw new Problem("driver-identity-changed", "another meter speaks on this line", {
    expected: nameOf(known),
    got: nameOf(found),
    hint: "if the meter was replaced, have it identified again",
  });
}

function nameOf(identity: MeterIdentity): string {
  return `${identity.make} ${identity.model} ${identity.serial}`.trim();
}

/**
 * Remembers which objects a meter prints. In a telegram without checksum a lost line shows in nothing else: a sum
 * of the tariffs that are left would be a register that fell.
 */
export class PrintedObjects {
  #codes: ReadonlySet<string> = new Set();

  /** Throws a Problem `dsmr-incomplete` when an object that earlier telegrams printed is missing. */
  require(telegram: Telegram): void {
    const printed = new Set(READ_CODES.filter((code) => telegram.objects.has(code)));
    const missing = [...this.#codes].filter((code) => !printed.has(code));
    if (telegram.checksum === "absent" && missing.length > 0) {
      throw new Problem("dsmr-incomplete", "lines are missing, and the telegram has no checksum", {
        where: "telegram",
        expected: "the objects of the telegrams before",
        got: `none of ${missing.join(", ")}`,
      });
    }
    this.#codes = printed;
  }

  /** Another meter may print other objects. */
  forget(): void {
    this.#codes = new Set();
  }
}
