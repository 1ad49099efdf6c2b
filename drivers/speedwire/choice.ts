import { Problem } from "../../attest/problem.ts";
import type { SpeedwireTelegram } from "./telegram.ts";

/** Meters speak at least once a second: within this time of one of them all have spoken. */
const WINDOW_MS = 2_500;
/** Ends the time where a ticker stands still, and with it the wait. */
const WINDOW_TELEGRAMS = 20;
/** Nobody has more meters in one network; beyond, others are not remembered. */
const MAX_METERS = 64;

/** Which of the meters in a network is meant: the one with a serial number, or the only one. */
export class MeterChoice {
  readonly #wanted: number | undefined;
  readonly #seen = new Set<number>();
  #first: Pick<SpeedwireTelegram, "serial" | "tickerMs"> | undefined;
  #telegrams = 0;
  #chosen: number | undefined;
  #told = false;

  constructor(wanted: number | undefined) {
    this.#wanted = wanted;
    this.#chosen = wanted;
  }

  /**
   * True for a telegram of the meter that is meant. Says once when it cannot be told which one that is, or when it is not
   * there.
   *
   * @throws Problem `speedwire-several`, `speedwire-serial`
   */
  takes(telegram: SpeedwireTelegram): boolean {
    const { serial } = telegram;
    const isNew = !this.#seen.has(serial) && this.#seen.size < MAX_METERS;
    if (isNew) this.#seen.add(serial);
    if (this.#wanted !== undefined) this.#tellOfAbsent(this.#wanted, telegram);
    else if (this.#chosen === undefined) this.#choose(telegram);
    else if (isNew) throw several([...this.#seen]);
    return serial === this.#chosen;
  }

  #choose(telegram: SpeedwireTelegram): void {
    if (!this.#isOver(telegram) || this.#told) return;
    if (this.#seen.size === 1) {
      this.#chosen = telegram.serial;
      return;
    }
    this.#told = true;
    throw several([...this.#seen]);
  }

  #tellOfAbsent(wanted: number, telegram: SpeedwireTelegram): void {
    if (this.#told || this.#seen.has(wanted) || !this.#isOver(telegram)) return;
    this.#told = true;
    throw new Problem("speedwire-serial", "other meters speak here, and the one that is meant does not", {
      expected: String(wanted),
      got: [...this.#seen].join(", "),
      hint: "compare with the serial number on the meter's type label",
    });
  }

  #isOver({ serial, tickerMs }: SpeedwireTelegram): boolean {
    this.#first ??= { serial, tickerMs };
    this.#telegrams += 1;
    if (this.#telegrams >= WINDOW_TELEGRAMS) return true;
    return serial === this.#first.serial && (tickerMs - this.#first.tickerMs) >>> 0 >= WINDOW_MS;
  }
}

function several(serials: readonly number[]): Problem {
  return new Problem("speedwire-several", "several meters speak in this network", {
    expected: 'one meter, or "serial" to say which one',
    got: serials.join(", "),
    hint: "take the serial number from the type label of the meter at the grid connection",
  });
}
