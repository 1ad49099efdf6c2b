import { Problem } from "../../attest/problem.ts";
import type { ModbusBus, RequestOptions } from "../modbus/bus.ts";
import { type RegisterRange, SILENT, UnitFacts, type Wanted } from "./facts.ts";

/** How a request to a unit ended: with an answer, an exception among them, or why there is none. */
export type Outcome = "answered" | "silent" | "damaged" | "hung-up" | "absent";

/** Exceptions of a device itself, and replies of other kinds, by the code of the bus's Problem. */
const OUTCOMES: ReadonlyMap<string, Outcome> = new Map([
  ["modbus-illegal-function", "answered"],
  ["modbus-illegal-address", "answered"],
  ["modbus-illegal-value", "answered"],
  ["modbus-device-failure", "answered"],
  ["modbus-busy", "answered"],
  ["modbus-exception", "answered"],
  [SILENT, "silent"],
  ["modbus-crc", "damaged"],
  ["modbus-malformed", "damaged"],
  ["modbus-closed", "hung-up"],
  // A gateway says so of a unit that it does not find.
  ["modbus-wrong-unit", "absent"],
]);

export interface InquiryOptions {
  /** Silence between two requests. */
  readonly gapMs: number;
  /** The same for a unit that answers only when it is left alone for longer. */
  readonly slowGapMs: number;
  /** Whether the unit is known to answer. */
  readonly isThere: boolean;
  /** Resolves when the next request may be sent. */
  turn(): Promise<void>;
}

/** What one unit is asked, and what it has said. */
export class UnitInquiry {
  readonly unit: number;
  readonly facts: UnitFacts = new UnitFacts();
  readonly #bus: ModbusBus;
  readonly #options: InquiryOptions;
  #minGapMs: number;
  /** Undefined as long as it has not been tried whether silence means that the unit was asked too soon. */
  #isSlow: boolean | undefined;
  #hasAnswered: boolean;

  constructor(bus: ModbusBus, unit: number, options: InquiryOptions) {
    this.unit = unit;
    this.#bus = bus;
    this.#options = options;
    this.#minGapMs = options.gapMs;
    this.#hasAnswered = options.isThere;
  }

  /** Asks, and learns the answer. Throws what says nothing about the unit: a line that fails, a bus that is closed. */
  async ask(wanted: Wanted): Promise<Outcome> {
    const outcome = await this.#askOnce(wanted);
    if (outcome === "answered") this.#hasAnswered = true;
    if (outcome !== "silent" || !this.#hasAnswered || this.#isSlow !== undefined) return outcome;
    // It has answered before: it may be one that wants more time between two requests.
    this.#minGapMs = this.#options.slowGapMs;
    const again = await this.#askOnce(wanted);
    this.#isSlow = again === "answered";
    if (!this.#isSlow) this.#minGapMs = this.#options.gapMs;
    return again;
  }

  async #askOnce(wanted: Wanted): Promise<Outcome> {
    await this.#options.turn();
    return "objects" in wanted ? await this.#askObjects() : await this.#askRegisters(wanted.range);
  }

  async #askRegisters(range: RegisterRange): Promise<Outcome> {
    const { table, start, count } = range;
    const { unit } = this;
    try {
      const registers = await this.#bus.readRegisters(table, { unit, start, count }, this.#request());
      this.facts.learn(range, { registers });
      return "answered";
    } catch (error) {
      const { outcome, code } = outcomeOf(error);
      this.facts.learn(range, { refused: code });
      return outcome;
    }
  }

  async #askObjects(): Promise<Outcome> {
    try {
      this.facts.learnObjects(await this.#bus.readIdentification(this.unit, "regular", this.#request()));
      return "answered";
    } catch (error) {
      const { outcome } = outcomeOf(error);
      this.facts.learnObjects(new Map());
      return outcome;
    }
  }

  /** A unit that kept silent is asked again at once: there is nobody to be fair to. Function 8 confuses some devices. */
  #request(): RequestOptions {
    return { insist: true, echo: false, minGapMs: this.#minGapMs };
  }
}

function outcomeOf(error: unknown): { readonly outcome: Outcome; readonly code: string } {
  const outcome = error instanceof Problem ? OUTCOMES.get(error.code) : undefined;
  if (!(error instanceof Problem) || outcome === undefined) throw error;
  return { outcome, code: error.code };
}
