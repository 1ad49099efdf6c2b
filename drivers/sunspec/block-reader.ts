import { Problem } from "../../attest/problem.ts";
import type { RegisterRun } from "../evidence/register-frame.ts";
import { Block, HEADER, type ReadRegisters, type Source } from "./block.ts";
import { type Part, type PartRead, type Portion, planBlock, type ReadPlan, WHOLE } from "./read-plan.ts";

/**
 * What is tried when a device refuses to give a model at once. Limits of 50 to 64 registers are common; the last one
 * asks for nothing but what is wanted, for devices with holes in their maps.
 */
const SMALLER: readonly Portion[] = [
  { registers: 100, gaps: true },
  { registers: 60, gaps: true },
  { registers: 50, gaps: true },
  { registers: 30, gaps: true },
  { registers: 16, gaps: true },
  { registers: 30, gaps: false },
];

/** A device that keeps silent costs a deadline each time, so that only one smaller portion is tried. */
const AFTER_SILENCE: Portion = { registers: 50, gaps: true };

/** Answers of a device to a request that is longer than it likes, or goes where it does not. */
const REFUSALS: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-device-failure",
]);

const LEAST_REGISTERS = 16;

/**
 * Reads whole models of one device, each in one request where the device allows it. How much it allows is found out
 * by {@link find}, and kept.
 */
export class BlockReader {
  readonly #read: ReadRegisters;
  readonly #search: ReadRegisters;
  /** How each place was last found to be readable. */
  readonly #plans = new Map<number, ReadPlan>();
  #last: Portion;

  /**
   * `search` reads on behalf of {@link find}, also from a device that has just refused or kept silent. `maxRegisters`:
   * the most that the device gives in one request, where that is known.
   */
  constructor(read: ReadRegisters, search: ReadRegisters, maxRegisters: number = WHOLE.registers) {
    this.#read = read;
    this.#search = search;
    this.#last = { registers: Math.max(LEAST_REGISTERS, maxRegisters), gaps: true };
  }

  /** As {@link read}, in smaller and smaller portions while the device refuses. Throws the first refusal at the end. */
  async find(source: Source): Promise<Block> {
    const first = this.#last;
    try {
      return await this.#found(source, first);
    } catch (error) {
      for (const portion of smallerPortions(error, source, first)) {
        const block = await this.#found(source, portion).catch((later: unknown) => {
          if (isRefusal(later)) return undefined;
          throw later;
        });
        if (block !== undefined) return block;
      }
      throw error;
    }
  }

  /**
   * One model with ID and L in one request, so that a value and its scale factor are of the same instant; where the
   * device does not give as much at once, in several, with what their values hang on read before and behind them.
   *
   * @throws Problem `sunspec-layout-changed` when another model is there now, `sunspec-all-ones` when the device answers
   *   with nothing but 0xFFFF, `sunspec-torn-read` when scale factors change while they are read, or the bus's own
   */
  async read(source: Source): Promise<Block> {
    const plan = this.#plans.get(source.place.start) ?? planBlock(source, this.#last);
    return await this.#whole(source, plan, this.#read);
  }

  async #found(source: Source, portion: Portion): Promise<Block> {
    const plan = planBlock(source, portion);
    const block = await this.#whole(source, plan, this.#search);
    this.#plans.set(source.place.start, plan);
    // Holes are of one model, a limit is of the device.
    if (portion.gaps) this.#last = portion;
    return block;
  }

  async #whole(source: Source, plan: ReadPlan, read: ReadRegisters): Promise<Block> {
    const block = (await this.#attempt(source, plan, read)) ?? (await this.#attempt(source, plan, read));
    if (block !== undefined) return block;
    throw new Problem("sunspec-torn-read", "scale factors change faster than the model is read", {
      where: whereOf(source),
      hint: "the values are refused; set maxRegisters higher if the device allows it",
    });
  }

  /** Undefined when what the values hang on changed meanwhile. */
  async #attempt(source: Source, plan: ReadPlan, read: ReadRegisters): Promise<Block | undefined> {
    const image = new Image(plan);
    for (const part of [...plan.before, ...plan.parts, ...plan.behind]) {
      const registers = await read(source.place.start + part.offset, part.count);
      if (part.offset === 0) checkHeader(source, registers);
      image.compare(part, registers);
      image.take(part, registers);
    }
    const { start } = source.place;
    return image.torn
      ? undefined
      : new Block(source, { registers: image.registers, runs: image.runs(start) });
  }
}

/** What to try after a refusal: nothing that would ask for as many registers again, unless it asks for others. */
function smallerPortions(error: unknown, source: Source, refused: Portion): readonly Portion[] {
  if (!isRefusal(error)) return [];
  const silent = error instanceof Problem && error.code === "modbus-timeout";
  const most = longestOf(source, refused);
  const all = silent ? [AFTER_SILENCE] : SMALLER;
  return all.filter((portion) => !portion.gaps || longestOf(source, portion) < most);
}

/** Registers of the longest request that a portion makes of a model. */
function longestOf(source: Source, portion: Portion): number {
  return Math.max(...planBlock(source, portion).parts.map(({ count }) => count));
}

function isRefusal(error: unknown): boolean {
  return error instanceof Problem && (REFUSALS.has(error.code) || error.code === "modbus-timeout");
}

/** The registers of one model as they come in, part by part. */
class Image {
  readonly registers: Uint16Array;
  readonly #taken: Uint8Array;
  /** What the values hang on, as it was first read. */
  readonly #frame = new Map<number, number | undefined>();
  #torn = false;

  constructor({ extent, frame }: ReadPlan) {
    this.registers = new Uint16Array(extent).fill(0xffff);
    this.#taken = new Uint8Array(extent);
    for (const { offset, count } of frame)
      for (let at = offset; at < offset + count; at++) this.#frame.set(at, undefined);
  }

  /** Whether anything that the values hang on was read twice and not the same. */
  get torn(): boolean {
    return this.#torn;
  }

  /** Registers that were taken, in the order of their addresses, of a model that begins at `base`. */
  runs(base: number): readonly RegisterRun[] {
    const runs: RegisterRun[] = [];
    for (let from = this.#taken.indexOf(1); from >= 0; ) {
      const end = this.#taken.indexOf(0, from);
      const to = end < 0 ? this.#taken.length : end;
      runs.push({ table: "holding", start: base + from, registers: this.registers.subarray(from, to) });
      from = this.#taken.indexOf(1, to);
    }
    return runs;
  }

  compare({ offset }: Part, registers: Uint16Array): void {
    for (const [at, register] of registers.entries()) {
      if (!this.#frame.has(offset + at)) continue;
      const before = this.#frame.get(offset + at);
      if (before !== undefined && before !== register) this.#torn = true;
      this.#frame.set(offset + at, register);
    }
  }

  take({ offset, takes }: PartRead, registers: Uint16Array): void {
    for (const range of takes) {
      const from = range.offset - offset;
      this.registers.set(registers.subarray(from, from + range.count), range.offset);
      this.#taken.fill(1, range.offset, range.offset + range.count);
    }
  }
}

function checkHeader(source: Source, registers: Uint16Array): void {
  const where = whereOf(source);
  const { place } = source;
  if (registers.subarray(0, HEADER).every((register) => register === 0xffff))
    throw new Problem("sunspec-all-ones", "device answers with nothing but 0xFFFF", {
      where,
      hint: "the device is starting or asleep; the values are refused",
    });
  if (registers[0] === place.id && registers[1] === place.length) return;
  throw new Problem("sunspec-layout-changed", "another model is at this place now", {
    where,
    expected: `ID ${place.id}, length ${place.length}`,
    got: `ID ${registers[0]}, length ${registers[1]}`,
  });
}

function whereOf({ model, place }: Source): string {
  return `model ${model.id} at ${place.start}`;
}
