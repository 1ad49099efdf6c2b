import { planReads, type ReadLimits } from "../modbus/plan-reads.ts";
import { MAX_REGISTERS } from "../modbus/request.ts";
import type { WantedRange } from "../modbus/wanted.ts";
import { HEADER, type Source } from "./block.ts";
import { type Point, roomFor } from "./models.ts";

/** How much of a model a device gives in one request. */
export interface Portion {
  /** The most registers of a request. */
  readonly registers: number;
  /** Whether registers that nobody wants may be read along. */
  readonly gaps: boolean;
}

export const WHOLE: Portion = { registers: MAX_REGISTERS, gaps: true };

/** Registers by their offset from the model's ID. */
export interface Part {
  readonly offset: number;
  readonly count: number;
}

/** One request, and what is taken from it: a value with its scale factor, where they fit one. */
export interface PartRead extends Part {
  readonly takes: readonly Part[];
}

/** The requests that one model is read with. */
export interface ReadPlan {
  /** Registers from the model's ID on that are read, or between those. */
  readonly extent: number;
  readonly parts: readonly PartRead[];
  /**
   * What the values of several parts hang on: ID, L, counts, and scale factors that do not come with their values. They
   * are read behind all parts and have to be the same, and before them, too, where a value comes without its scale.
   */
  readonly frame: readonly Part[];
  readonly before: readonly PartRead[];
  readonly behind: readonly PartRead[];
}

/** A register range of the model, by the scale factor that it hangs on. */
interface Wanted extends Part {
  readonly scale: string | undefined;
}

/** One request where it fits the portion: the whole model, else all of it up to the last point that is wanted. */
export function planBlock(source: Source, portion: Portion): ReadPlan {
  const whole = HEADER + source.place.length;
  const needed = neededRegisters(source);
  const single = [whole, needed].find((count) => count <= portion.registers);
  if (single === undefined) return planParts(source, portion);
  const all = { offset: 0, count: single };
  return { extent: single, parts: [{ ...all, takes: [all] }], frame: [], before: [], behind: [] };
}

/** Registers from the ID up to the last point that is wanted, within the model's own length. */
function neededRegisters(source: Source): number {
  const all = wantedOf(source, HEADER + source.place.length);
  return Math.max(HEADER, ...all.map(({ offset, count }) => offset + count));
}

function planParts(source: Source, portion: Portion): ReadPlan {
  const extent = neededRegisters(source);
  const wanted = wantedOf(source, extent);
  const scales = [...new Set(wanted.map(({ scale }) => scale))];
  const together = new Set(scales.filter((scale) => fits(wanted, scale, portion)));
  const header: Wanted = { offset: 0, count: HEADER, scale: undefined };
  const loose = [...looseScales(source, together), ...countOf(source)].filter(
    ({ offset, count }) => offset + count <= extent,
  );
  const frame = [header, ...loose];
  const limits = limitsOf(extent, portion);
  const behind = partsOf(frame, new Set(), limits).map((part) => ({ ...part, takes: [] }));
  const parts = partsOf([header, ...wanted], together, limits);
  return { extent, parts, frame, before: loose.length > 0 ? behind : [], behind };
}

/** Every point of the model and of its sets that lies within the extent. */
function wantedOf({ model, place }: Source, extent: number): readonly Wanted[] {
  const { group } = model;
  const room = group === undefined ? 0 : roomFor(group, place.length);
  const sets = Array.from({ length: room }, (_, at) => at).flatMap((at) =>
    [...(group?.points.values() ?? [])].map((point) =>
      wantedPoint(point, (group?.offset ?? 0) + at * (group?.size ?? 0)),
    ),
  );
  const all = [...[...model.points.values()].map((point) => wantedPoint(point, 0)), ...sets];
  return all.filter(({ offset, count }) => offset + count <= extent);
}

function wantedPoint({ name, offset, width, type, scale }: Point, base: number): Wanted {
  return { offset: HEADER + base + offset, count: width, scale: type === "sunssf" ? name : scale };
}

/** Whether a scale factor and all values that hang on it fit one request. */
function fits(wanted: readonly Wanted[], scale: string | undefined, { registers, gaps }: Portion): boolean {
  if (scale === undefined || !gaps) return false;
  const own = wanted.filter((part) => part.scale === scale);
  const start = Math.min(...own.map(({ offset }) => offset));
  return Math.max(...own.map(({ offset, count }) => offset + count)) - start <= registers;
}

function looseScales({ model }: Source, together: ReadonlySet<string | undefined>): readonly Wanted[] {
  const all = [...model.points.values()];
  const loose = all.filter(({ type, name }) => type === "sunssf" && !together.has(name));
  return loose.map((point) => wantedPoint(point, 0));
}

function countOf({ model }: Source): readonly Wanted[] {
  const count = model.points.get(model.group?.count ?? "");
  return count === undefined ? [] : [wantedPoint(count, 0)];
}

function limitsOf(extent: number, { registers, gaps }: Portion): ReadLimits {
  const readable = [{ table: "holding" as const, start: 0, count: extent }];
  return { maxRegisters: registers, ...(gaps ? { readable } : {}) };
}

function partsOf(
  wanted: readonly Wanted[],
  together: ReadonlySet<string | undefined>,
  limits: ReadLimits,
): readonly PartRead[] {
  const ranges = wanted.map((part) => rangeOf(part, together));
  return planReads(ranges, limits).map(({ start, count, serves }) => ({
    ...{ offset: start, count },
    takes: serves.flatMap((at) => wanted[at] ?? []),
  }));
}

function rangeOf({ offset, count, scale }: Wanted, together: ReadonlySet<string | undefined>): WantedRange {
  const group = scale !== undefined && together.has(scale) ? { group: scale } : {};
  return { table: "holding", start: offset, count, intervalMs: 1, ...group };
}
