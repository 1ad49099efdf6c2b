import { Problem } from "../../attest/problem.ts";
import type { SpeedwireTelegram } from "./telegram.ts";

/** Meters speak at least once a second: within this time of one of them all have spoken. */
const WINDOW_MS = 2_500;
/** Ends the time where a ticker stands still, and with it the wait. */
const WINDOW_TELEGRAMS = 20;
/** Nobody has more meters in one network; beyond, others are not remembered. */
const MAX_METERS = 64;

/** Serial numbers that were heard side by side: none of them is the only meter, also while the others are silent. */
export type SideBySide = Set<number>;

/** Which of the meters in a network is meant: the one with a serial number, or the only one. */
export class MeterChoice {
  readonly #wanted: number | undefined;
  readonly #sideBySide: SideBySide;
  /** Who spoke since the chosen one did. */
  readonly #others = new Set<number>();
  readonly #seen = new Set<number>();
  #first: Pick<SpeedwireTelegram, "serial" | "tickerMs"> | undefined;
  #telegrams = 0;
  #chosen: number | undefined;
  #told = false;

  /** @param sideBySide outlives the choice; what is heard is added to it */
  constructor(wanted: number | undefined, sideBySide: SideBySide = new Set()) {
    this.#wanted = wanted;
    this.#sideBySide = sideBySide;
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
    if (serial === this.#chosen) this.#heardChosen(serial);
    else if (this.#others.size < MAX_METERS) this.#others.add(serial);
    if (this.#wanted !== undefined) this.#tellOfAbsent(this.#wanted, telegram);
    else if (this.#chosen === undefined) this.#choose(telegram);
    else if (isNew) throw several([...this.#seen]);
    return serial === this.#chosen;
  }

  #choose(telegram: SpeedwireTelegram): void {
    if (!this.#isOver(telegram) || this.#told) return;
    const all = new Set([...this.#seen, ...this.#sideBySide]);
    if (all.size === 1) {
      this.#chosen = telegram.serial;
      this.#heardChosen(telegram.serial);
      return;
    }
    this.#told = true;
    this.#remember(all);
    throw several([...all]);
  }

  /** Those who spoke before it did are there beside it, and did not take its place. */
  #heardChosen(serial: number): void {
    if (this.#seen.size > 1 && this.#wanted === undefined) this.#remember(this.#seen);
    this.#others.clear();
    this.#seen.add(serial);
  }

  #remember(serials: ReadonlySet<number>): void {
    for (const serial of serials) if (this.#sideBySide.size < MAX_METERS) this.#sideBySide.add(serial);
  }

  /** Who speaks instead of the chosen one; undefined where nobody does. */
  whyNone(): Problem | undefined {
    if (this.#chosen === undefined || this.#others.size === 0) return undefined;
    const got = [...this.#others].join(", ");
    if (this.#wanted !== undefined) return absent(this.#wanted, got);
    return new Problem("driver-identity-changed", "another meter speaks here, and the one before does not", {
      expected: String(this.#chosen),
      got,
      hint: 'if the meter was replaced, it is identified again; else check its supply and network cable, and set "serial"',
    });
  }

  #tellOfAbsent(wanted: number, telegram: SpeedwireTelegram): void {
    if (this.#told || this.#seen.has(wanted) || !this.#isOver(telegram)) return;
    this.#told = true;
    throw absent(wanted, [...this.#seen].join(", "));
  }

  #isOver({ serial, tickerMs }: SpeedwireTelegram): boolean {
    this.#first ??= { serial, tickerMs };
    this.#telegrams += 1;
    if (this.#telegrams >= WINDOW_TELEGRAMS) return true;
    return serial === this.#first.serial && (tickerMs - this.#first.tickerMs) >>> 0 >= WINDOW_MS;
  }
}

function absent(wanted: number, got: string): Problem {
  return new Problem("speedwire-serial", "other meters speak here, and the one that is meant does not", {
    expected: String(wanted),
    got,
    hint: "compare with the serial number on the meter's type label",
  });
}

function several(serials: readonly number[]): Problem {
  return new Problem("speedwire-several", "several meters speak in this network", {
    expected: 'one meter, or "serial" to say which one',
    got: serials.join(", "),
    hint: "take the serial number from the type label of the meter at the grid connection",
  });
}
