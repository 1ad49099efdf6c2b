import { Problem } from "../../attest/problem.ts";
import type { SerialFormat } from "../line/address.ts";
import { Codec } from "../modbus/codec.ts";
import type { ModbusLine } from "../modbus/line.ts";
import type { RtuLineSettings } from "../modbus/settings.ts";
import { type RegisterRange, SILENT } from "./facts.ts";
import { sameFormat } from "./serial-format.ts";
import { probeMs, type SweepAsk, type SweepStop } from "./sweep-plan.ts";
import type { DiscoveryTerms } from "./terms.ts";
import { nextUnit, SERIAL_UNITS, type UnitOutcome } from "./units.ts";

/** A line's settings at which units answer. */
export interface AnsweringFormat {
  readonly format: SerialFormat;
  readonly units: readonly number[];
}

export interface SweepResult {
  /** More than one only with `thorough`. */
  readonly answering: readonly AnsweringFormat[];
  /** Settings at which bytes came that were no answer. */
  readonly damaged: readonly SerialFormat[];
  readonly requests: number;
}

export interface SweepListener {
  /** So much of the sweep's time, ms, is behind. */
  onProgress(spentMs: number): void;
}

/** Silence that a line has to show after it was opened. */
const OPEN_SILENCE_MS = 60;
/** A reply that was damaged is given more time: it may have been late, or two units have one number. */
const PATIENT = 4;
const GAVE_UP = "the sweep was ended";

/**
 * Looks for settings at which something answers on a serial line, then for all units at these settings. Asks only with
 * short reads; any answer counts, an exception too. The line is free again when it is done.
 */
export class LineSweep {
  readonly #path: string;
  readonly #terms: DiscoveryTerms;
  readonly #listener: SweepListener;
  readonly #codec = new Codec();
  readonly #answering: { format: SerialFormat; units: number[] }[] = [];
  readonly #damaged: SerialFormat[] = [];
  #requests = 0;
  #spentMs = 0;

  constructor(path: string, terms: DiscoveryTerms, listener: SweepListener) {
    this.#path = path;
    this.#terms = terms;
    this.#listener = listener;
  }

  /** Ends early when the terms' signal is aborted. Throws the line's Problem `line-…`, or `modbus-babble`. */
  async run(stops: readonly SweepStop[]): Promise<SweepResult> {
    const { signal, thorough } = this.#terms;
    for (const stop of stops) {
      if (signal.aborted || (this.#answering.length > 0 && !thorough)) break;
      if (this.#answering.some(({ format }) => sameFormat(format, stop.format))) continue;
      await this.#onLine(stop.format, (line) => this.#stop(line, stop, stops));
    }
    return { answering: this.#answering, damaged: this.#damaged, requests: this.#requests };
  }

  /** Does something on the open line, and closes it whatever comes. */
  async #onLine(format: SerialFormat, work: (line: ModbusLine) => Promise<void>): Promise<void> {
    const { signal, openLine } = this.#terms;
    const settings: RtuLineSettings = { transport: "rtu", path: this.#path, ...format };
    const line = await openLine(settings, OPEN_SILENCE_MS)(signal);
    const giveUp = (): void => line.destroy(new Problem("modbus-bus-closed", GAVE_UP, { where: this.#path }));
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await work(line);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
      giveUp();
      await line.closed();
    }
  }

  async #stop(line: ModbusLine, stop: SweepStop, stops: readonly SweepStop[]): Promise<void> {
    for (const ask of stop.asks) {
      if (this.#terms.signal.aborted) return;
      if (!(await this.#answers(line, stop.format, ask))) continue;
      const all = stops.filter(({ format }) => sameFormat(format, stop.format)).flatMap(({ asks }) => asks);
      await this.#askOthers(line, ask.unit, { format: stop.format, all });
      return;
    }
  }

  /** Something answers at these settings: the rest of the likely units, and those behind every unit that is there. */
  async #askOthers(
    line: ModbusLine,
    first: number,
    { format, all }: { readonly format: SerialFormat; readonly all: readonly SweepAsk[] },
  ): Promise<void> {
    const units = [first];
    this.#answering.push({ format, units });
    const outcomes = new Map<number, UnitOutcome>([[first, "present"]]);
    const ranges = [...new Set(all.map(({ range }) => range))];
    const likely = [...new Set(all.map(({ unit }) => unit))];
    const plan = { likely, all: this.#terms.allUnits, range: SERIAL_UNITS };
    for (
      let unit = nextUnit(plan, outcomes, true);
      unit !== undefined;
      unit = nextUnit(plan, outcomes, true)
    ) {
      if (this.#terms.signal.aborted) return;
      const present = await this.#answersAny(line, unit, { format, ranges });
      if (present) units.push(unit);
      outcomes.set(unit, present ? "present" : "absent");
    }
  }

  async #answersAny(
    line: ModbusLine,
    unit: number,
    { format, ranges }: { readonly format: SerialFormat; readonly ranges: readonly RegisterRange[] },
  ): Promise<boolean> {
    for (const range of ranges) if (await this.#answers(line, format, { unit, range })) return true;
    return false;
  }

  async #answers(line: ModbusLine, format: SerialFormat, ask: SweepAsk): Promise<boolean> {
    const { probeMs: shortMs } = this.#terms.serial;
    const outcome = await this.#ask(line, ask, shortMs);
    this.#spentMs += probeMs(format, shortMs);
    this.#listener.onProgress(this.#spentMs);
    if (outcome !== "damaged") return outcome === "answered";
    await line.recover(shortMs);
    if ((await this.#ask(line, ask, PATIENT * shortMs)) === "answered") return true;
    if (!this.#damaged.some((known) => sameFormat(known, format))) this.#damaged.push(format);
    await line.recover(shortMs);
    return false;
  }

  async #ask(
    line: ModbusLine,
    { unit, range: { table, start, count } }: SweepAsk,
    timeoutMs: number,
  ): Promise<"answered" | "silent" | "damaged"> {
    this.#requests += 1;
    try {
      await line.exchange(this.#codec.readRegisters(table, { unit, start, count }), timeoutMs);
      return "answered";
    } catch (error) {
      if (!(error instanceof Problem) || !line.alive) throw error;
      if (error.code === SILENT) return "silent";
      if (error.code === "modbus-crc" || error.code === "modbus-malformed") return "damaged";
      throw error;
    }
  }
}
