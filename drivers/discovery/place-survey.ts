import { Problem } from "../../attest/problem.ts";
import { ModbusBus } from "../modbus/bus.ts";
import type { ModbusLine, OpenLine } from "../modbus/line.ts";
import { type LineSettings, nameOfLine } from "../modbus/settings.ts";
import { sleepUntil } from "../modbus/waiting.ts";
import { SILENT, type Wanted } from "./facts.ts";
import { UnitInquiry } from "./inquiry.ts";
import { type Survey, surveyUnit } from "./survey.ts";
import type { DiscoveryTerms, FoundUnit, Nothing, PlaceReport } from "./terms.ts";
import { nextUnit, type UnitOutcome, type UnitPlan } from "./units.ts";

/** How the units of one place are asked. */
export interface PlaceOptions {
  readonly place: LineSettings;
  readonly openLine: OpenLine;
  readonly replyMs: number;
  readonly connectDelayMs: number;
  /** Resolves when the next request may be sent. */
  turn(): Promise<void>;
  readonly units: UnitPlan;
  /** Requests that the first unit, and every other one, is asked to begin with. */
  readonly openers: { readonly first: readonly Wanted[]; readonly other: readonly Wanted[] };
  /** All likely units are asked even if none of the first ones answers. */
  readonly insist: boolean;
  /** Two units may be one device, as behind a gateway; on a serial line they are not. */
  readonly mayMirror: boolean;
}

interface Found {
  readonly unit: FoundUnit;
  readonly alike: number[];
  readonly perhapsAlike: number[];
}

/** Units without an answer, nobody having answered, after which a place is left alone. */
const MOST_MUTE = 6;
const MOST_HANG_UPS = 2;
const REOPEN_MS = 500;
/** Devices of different kinds from which on a place is taken for a gateway with a row of meters. */
const GATEWAY_DEVICES = 2;

/** Asks the units of one place, in turn and on one connection at a time. */
export class PlaceSurvey {
  readonly #options: PlaceOptions;
  readonly #terms: DiscoveryTerms;
  readonly #bus: ModbusBus;
  readonly #outcomes = new Map<number, UnitOutcome>();
  readonly #ends = new Map<Survey["outcome"], number>();
  readonly #found = new Map<number, Found>();
  #problem: Problem | undefined;

  constructor(options: PlaceOptions, terms: DiscoveryTerms) {
    const { place, openLine, replyMs, connectDelayMs } = options;
    this.#options = options;
    this.#terms = terms;
    const settleMs = place.transport === "tcp" ? 0 : terms.gapMs;
    const timing = { timeoutMs: replyMs, connectDelayMs, settleMs };
    this.#bus = new ModbusBus(nameOfLine(place), (signal) => this.#open(openLine, signal), timing);
  }

  /** Connections that were opened. */
  get connections(): number {
    return this.#bus.statistics().connections;
  }

  /** Asks all units; what fails is in the report. Lets go of the place in the end. */
  async run(): Promise<PlaceReport> {
    const { signal } = this.#terms;
    const giveUp = (): void => void this.#bus.close();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await this.#askAll();
    } catch (error) {
      if (!signal.aborted) this.#problem = problemOf(error);
    } finally {
      signal.removeEventListener("abort", giveUp);
      await this.#bus.close();
    }
    return this.#report();
  }

  async #askAll(): Promise<void> {
    for (let unit = this.#next(); unit !== undefined; unit = this.#next()) {
      const survey = await surveyUnit(unit, this.#surveyTerms());
      this.#note(unit, survey);
      if (this.#terms.signal.aborted || this.#isHopeless()) return;
    }
  }

  /** A device that serves one client may need a moment after it has lost one. */
  async #open(openLine: OpenLine, signal: AbortSignal): Promise<ModbusLine> {
    try {
      return await openLine(signal);
    } catch (error) {
      if (this.connections === 0) throw notOpened(error);
    }
    await sleepUntil(performance.now() + REOPEN_MS, signal);
    return await openLine(signal).catch((error: unknown) => Promise.reject(notOpened(error)));
  }

  #next(): number | undefined {
    const { units, mayMirror } = this.#options;
    const isGateway = mayMirror && this.#found.size >= GATEWAY_DEVICES;
    return nextUnit(units, this.#outcomes, isGateway);
  }

  #surveyTerms(): Parameters<typeof surveyUnit>[1] {
    const { profiles, thorough, signal, gapMs, slowGapMs } = this.#terms;
    const { openers, mayMirror, place } = this.#options;
    // On a serial line only those are asked that have answered its sweep.
    const isThere = place.transport !== "tcp";
    const inquiry = { gapMs, slowGapMs, isThere, turn: () => this.#options.turn() };
    return {
      ...{ profiles, thorough, signal },
      openers: this.#outcomes.size === 0 ? openers.first : openers.other,
      siblings: mayMirror ? [...this.#found.values()].map(({ unit }) => unit) : [],
      inquiry: (unit) => new UnitInquiry(this.#bus, unit, inquiry),
    };
  }

  #note(unit: number, survey: Survey): void {
    const { outcome } = survey;
    this.#ends.set(outcome, this.#count(outcome) + 1);
    if (outcome === "found") {
      const [alike, perhapsAlike]: [number[], number[]] = [[], []];
      this.#found.set(unit, { unit: { ...survey.surveyed, alike, perhapsAlike }, alike, perhapsAlike });
      this.#outcomes.set(unit, "present");
    } else if (outcome === "alike") {
      const other = this.#found.get(survey.unit);
      (survey.certain ? other?.alike : other?.perhapsAlike)?.push(unit);
      this.#outcomes.set(unit, "alike");
    } else this.#outcomes.set(unit, "absent");
  }

  /** Whoever is no Modbus device, or does not want to be asked, is not asked for long. */
  #isHopeless(): boolean {
    if (this.#options.place.transport !== "tcp" || this.#found.size > 0) return false;
    if (this.#count("absent") > 0 || this.#count("filler") > 0) return false;
    return (
      this.#count("damaged") > 0 ||
      this.#count("hung-up") >= MOST_HANG_UPS ||
      (!this.#options.insist && this.#count("silent") >= MOST_MUTE)
    );
  }

  #count(outcome: Survey["outcome"]): number {
    return this.#ends.get(outcome) ?? 0;
  }

  #report(): PlaceReport {
    const statistics = [...this.#bus.statistics().units.values()];
    const nothing = this.#nothing();
    return {
      place: this.#options.place,
      units: [...this.#found.values()].map(({ unit }) => unit).sort((a, b) => a.unit - b.unit),
      asked: [...this.#outcomes.keys()],
      requests: statistics.reduce((sum, { requests }) => sum + requests, 0),
      ...(nothing === undefined ? {} : { nothing }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  #nothing(): Nothing | undefined {
    if (this.#found.size > 0 || this.#outcomes.size === 0) return undefined;
    if (this.#count("filler") > 0) return "filler";
    if (this.#count("absent") > 0) return "gateway";
    if (this.#count("damaged") > 0) return "foreign";
    return this.#count("hung-up") > 0 ? "hung-up" : "mute";
  }
}

/** A connection that does not come about in time is no unit that keeps silent. */
function notOpened(error: unknown): unknown {
  if (!(error instanceof Problem) || error.code !== SILENT) return error;
  return new Problem("modbus-no-connection", error.message, { cause: error });
}

/** What is no Problem is a fault of the program. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}
