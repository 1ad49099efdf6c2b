import type { RegisterRun } from "../evidence/register-frame.ts";
import { Fields } from "./fields.ts";
import { type Model, roomFor } from "./models.ts";

/** Reads registers of one device: `count` from `start`, or a Problem. */
export type ReadRegisters = (start: number, count: number) => Promise<Uint16Array>;

/** Where a model lies in a device: `start` is the register with its ID. */
export interface ModelPlace {
  readonly id: number;
  readonly start: number;
  /** Registers after ID and L, as the device says. */
  readonly length: number;
}

/** A model that the driver knows, and where it lies. */
export interface Source {
  readonly model: Model;
  readonly place: ModelPlace;
}

/** Registers of ID and L. */
export const HEADER = 2;

/** What was read of one model: the registers from its ID on, and which of them. */
export interface ReadModel {
  /** All ones where nothing was read. */
  readonly registers: Uint16Array;
  /** Registers that were read, in the order of their addresses, ID and L first. */
  readonly runs: readonly RegisterRun[];
}

/** The registers of one model, of one instant, and what they say. */
export class Block extends Fields {
  readonly model: Model;
  readonly place: ModelPlace;
  /** All registers that were read, in the order of their addresses, ID and L first. */
  readonly runs: readonly RegisterRun[];
  readonly #points: Uint16Array;
  readonly #absent: Set<string>;

  constructor({ model, place }: Source, { registers, runs }: ReadModel) {
    const absent = new Set<string>();
    const points = registers.subarray(HEADER);
    const label = `model ${model.id}`;
    super({ label, points: model.points, registers: points, base: 0, absent });
    this.model = model;
    this.place = place;
    this.runs = runs;
    this.#points = points;
    this.#absent = absent;
  }

  /** Values that were asked for and that there are none of, with the reason. */
  get absent(): readonly string[] {
    return [...this.#absent];
  }

  /**
   * The sets of the model's repeating group: as many as its count says, at most as many as the model has room for.
   * Without a count, as many as it has room for.
   */
  sets(): readonly Fields[] {
    const { group, id } = this.model;
    if (group === undefined) return [];
    const room = roomFor(group, this.place.length);
    const count = Math.min(room, this.state(group.count) ?? room);
    return Array.from({ length: count }, (_, at) => {
      const label = `model ${id} ${group.name} ${at + 1}`;
      const base = group.offset + at * group.size;
      const { points } = group;
      return new Fields({ label, points, registers: this.#points, base, outer: this, absent: this.#absent });
    });
  }
}
