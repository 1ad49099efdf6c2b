import type { RegisterTable } from "../modbus/request.ts";

/** Neighbouring registers that one short request reads. */
export interface RegisterRange {
  readonly table: RegisterTable;
  /** Protocol address of the first one. */
  readonly start: number;
  readonly count: number;
}

/** What a request brought: registers, or in their place the code of a Problem. */
export type RegisterFact = { readonly registers: Uint16Array } | { readonly refused: string };

/** The next thing to ask a unit for: registers, or its objects of Read Device Identification. */
export type Wanted = { readonly range: RegisterRange } | { readonly objects: true };

export interface LearntFact {
  readonly range: RegisterRange;
  readonly fact: RegisterFact;
}

/** The code that stands for a request without any reply. */
export const SILENT = "modbus-timeout";

/** Everything that one unit has said so far. */
export class UnitFacts {
  readonly #learnt: LearntFact[] = [];
  #objects: ReadonlyMap<number, string> | undefined;

  /** A later answer takes the place of an earlier one. */
  learn(range: RegisterRange, fact: RegisterFact): void {
    const at = this.#learnt.findIndex((known) => isSame(known.range, range));
    if (at >= 0) this.#learnt[at] = { range, fact };
    else this.#learnt.push({ range, fact });
  }

  /** An empty map stands for a unit that does not know the function. */
  learnObjects(objects: ReadonlyMap<number, string>): void {
    this.#objects = objects;
  }

  /** Undefined before they were asked for. */
  get objects(): ReadonlyMap<number, string> | undefined {
    return this.#objects;
  }

  get learnt(): readonly LearntFact[] {
    return this.#learnt;
  }

  /** What is known of a range, from a request for it or for more; undefined before it was asked for. */
  of(range: RegisterRange): RegisterFact | undefined {
    for (const { range: asked, fact } of this.#learnt) {
      if (isSame(asked, range)) return fact;
      if ("registers" in fact && contains(asked, range)) {
        const from = range.start - asked.start;
        return { registers: fact.registers.subarray(from, from + range.count) };
      }
    }
    return undefined;
  }

  /** The registers of a range; undefined when they were not asked for or not given. */
  registersOf(range: RegisterRange): Uint16Array | undefined {
    const fact = this.of(range);
    return fact !== undefined && "registers" in fact ? fact.registers : undefined;
  }
}

/** Whether two requests for one range were answered alike. */
export function sameFact(a: RegisterFact, b: RegisterFact): boolean {
  if ("refused" in a || "refused" in b) return "refused" in a && "refused" in b && a.refused === b.refused;
  return (
    a.registers.length === b.registers.length && a.registers.every((word, at) => word === b.registers[at])
  );
}

/**
 * Whether a unit says nothing but zeros, or nothing but ones, to whatever it is asked for: so answer gateways for units
 * that are not there. A device that refuses some addresses is one.
 */
export function isFiller(facts: UnitFacts): boolean {
  const answered = facts.learnt.filter(({ fact }) => !("refused" in fact) || fact.refused !== SILENT);
  if (answered.length === 0 || (facts.objects?.size ?? 0) > 0) return false;
  return answered.every(({ fact }) => "registers" in fact && (isAll(fact, 0) || isAll(fact, 0xffff)));
}

function isAll({ registers }: { readonly registers: Uint16Array }, word: number): boolean {
  return registers.every((register) => register === word);
}

function isSame(a: RegisterRange, b: RegisterRange): boolean {
  return a.table === b.table && a.start === b.start && a.count === b.count;
}

function contains(outer: RegisterRange, inner: RegisterRange): boolean {
  return (
    outer.table === inner.table &&
    outer.start <= inner.start &&
    inner.start + inner.count <= outer.start + outer.count
  );
}
