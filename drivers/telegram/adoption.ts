import type { MeterIdentity } from "../driver.ts";
import type { MeterTelegram } from "./protocol.ts";

/** A meter that names its number now and then does so within so many telegrams. */
const NUMBERLESS_TELEGRAMS = 10;

/** Among so many telegrams a name comes twice, also where every other one is damaged. */
const RECENT = 4;

/**
 * Whom a line's meter is taken for. What no checksum vouches for may be damaged, so that it has to come twice; and a
 * number that is not in every telegram is waited for, or the meter would be another one after each start.
 */
export class Adoption {
  /** Who was named of late, the newest first. */
  #recent: readonly MeterIdentity[] = [];
  #numberless: MeterTelegram | undefined;
  #numberlessCount = 0;

  /** The last telegram of a meter that has not said its number so far. */
  get numberless(): MeterTelegram | undefined {
    return this.#numberless;
  }

  /** Nothing was heard yet. */
  begin(): void {
    this.#recent = [];
    this.#numberless = undefined;
    this.#numberlessCount = 0;
  }

  /** True where the line's meter is the one that this telegram names. */
  takes(telegram: MeterTelegram): boolean {
    const { identity, unvouched = false } = telegram;
    if (identity === undefined) return false;
    const isKnown = this.#recent.some((one) => saysTheSame(one, identity));
    this.#recent = [identity, ...this.#recent].slice(0, RECENT);
    if (unvouched && !isKnown) return false;
    if (identity.serial !== "") return true;
    this.#numberless = telegram;
    this.#numberlessCount += 1;
    return this.#numberlessCount >= NUMBERLESS_TELEGRAMS;
  }
}

function saysTheSame(one: MeterIdentity, other: MeterIdentity): boolean {
  return one.make === other.make && one.model === other.model && one.serial === other.serial;
}
