import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import { READ_CODES } from "./reading.ts";
import type { Telegram } from "./telegram.ts";

/**
 * Remembers what a meter prints. In a telegram without checksum a lost line shows in nothing else: a sum of the tariffs
 * that are left would be a register that fell.
 */
export class PrintedObjects {
  #meter: string | undefined;
  #codes: ReadonlySet<string> = new Set();
  #checksumSeen = false;

  /**
   * Throws a Problem `dsmr-incomplete` when an object that earlier telegrams of this meter printed is missing, and
   * `dsmr-checksum` when the checksum is.
   */
  require(meter: MeterIdentity, telegram: Telegram): void {
    if (telegram.checksum === "verified") this.#checksumSeen = true;
    else if (this.#checksumSeen) throw checksumMissing();
    const name = `${meter.make} ${meter.model} ${meter.serial}`;
    this.#meter ??= name;
    // Another meter is refused by whoever listens; what it prints says nothing of this one.
    if (this.#meter === name) this.#requireObjects(telegram);
  }

  #requireObjects(telegram: Telegram): void {
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
    this.#meter = undefined;
    this.#codes = new Set();
    this.#checksumSeen = false;
  }
}

function checksumMissing(): Problem {
  return new Problem("dsmr-checksum", "the checksum is missing, and this meter printed one before", {
    where: "telegram",
  });
}
