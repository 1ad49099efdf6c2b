import { chainRegisters, type ModelRegisters } from "./sunspec-map.ts";
import { SIMULATED_TABLES } from "./sunspec-tables.ts";

/** Values of points by name, in the model's own units: W, Wh, V, %. What is not given is not implemented. */
export type SimulatedValues = Readonly<Record<string, number | bigint | string>>;

/** A model as a simulated device has it. */
export interface SimulatedModel {
  readonly id: number;
  readonly values: SimulatedValues;
  /** Powers of ten by the name of the scale factor; 0 for one that a given value needs. */
  readonly scales?: Readonly<Record<string, number>>;
  /** The sets of its repeating group. */
  readonly sets?: readonly SimulatedValues[];
  /** Registers left out at the end, as by an implementation that stops early. */
  readonly without?: number;
}

interface Slot {
  readonly name: string;
  readonly type: string;
  readonly scale: string | undefined;
}

/** Registers of a type, and what they hold when the point is not implemented (specification 1.1, 4.2). */
const TYPES: ReadonlyMap<string, readonly number[]> = new Map([
  ["i16", [0x8000]],
  ["u16", [0xffff]],
  ["cnt", [0xffff]],
  ["e16", [0xffff]],
  ["b16", [0xffff]],
  ["sf", [0x8000]],
  ["pad", [0x8000]],
  ["i32", [0x8000, 0]],
  ["u32", [0xffff, 0xffff]],
  ["b32", [0xffff, 0xffff]],
  ["a32", [0, 0]],
  ["f32", [0x7fc0, 0]],
  ["a64", [0, 0, 0, 0]],
  ["u64", [0xffff, 0xffff, 0xffff, 0xffff]],
]);

/** The registers of a model, from its table. */
export function encodeModel(model: SimulatedModel): ModelRegisters {
  const { id, values, sets = [], scales = {}, without = 0 } = model;
  const table = SIMULATED_TABLES.get(id);
  if (table === undefined) throw new Error(`no table of model ${id}`);
  const slots = slotsOf(table.points);
  const setSlots = slotsOf(table.sets ?? "");
  checkNames([...slots, ...setSlots], [values, ...sets, scales]);
  const context = { scales, used: usedScales([...slots, ...setSlots], [values, ...sets]) };
  const registers = [
    ...slots.flatMap((slot) => encodeSlot(slot, values, context)),
    ...sets.flatMap((set) => setSlots.flatMap((slot) => encodeSlot(slot, set, context))),
  ];
  return { id, registers: registers.slice(0, registers.length - without) };
}

/** The registers of a whole device from its "SunS" on. */
export function encodeChain(models: readonly SimulatedModel[]): number[] {
  return chainRegisters(models.map(encodeModel));
}

function slotsOf(text: string): readonly Slot[] {
  return text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => {
      const [name = "", rest = ""] = word.split(":");
      const [type = "", scale] = rest.split("@");
      return { name, type, scale };
    });
}

function checkNames(slots: readonly Slot[], given: readonly object[]): void {
  const known = new Set(slots.map(({ name }) => name));
  const wrong = given.flatMap((values) => Object.keys(values)).find((name) => !known.has(name));
  if (wrong !== undefined) throw new Error(`no point ${wrong}`);
}

/** Scale factors that some given value hangs on. */
function usedScales(slots: readonly Slot[], given: readonly SimulatedValues[]): ReadonlySet<string> {
  const used = slots.filter(({ name }) => given.some((values) => name in values));
  return new Set(used.flatMap(({ scale }) => scale ?? []));
}

interface Scales {
  readonly scales: Readonly<Record<string, number>>;
  readonly used: ReadonlySet<string>;
}

function encodeSlot(slot: Slot, values: SimulatedValues, { scales, used }: Scales): number[] {
  const { name, type, scale } = slot;
  const exponent = scale === undefined ? 0 : (scales[scale] ?? 0);
  const value = type === "sf" ? (scales[name] ?? (used.has(name) ? 0 : undefined)) : values[name];
  if (type.startsWith("str")) return encodeText(String(value ?? ""), Number(type.slice(3)));
  const none = TYPES.get(type) ?? [];
  if (value === undefined) return [...none];
  if (type === "f32") return encodeFloat(Number(value));
  return encodeInteger(mantissa(value, exponent), none.length);
}

/** Whole steps of 10^exponent, cut off toward zero, as a device counts. */
function mantissa(value: number | bigint | string, exponent: number): bigint {
  if (typeof value === "bigint")
    return exponent >= 0 ? value / 10n ** BigInt(exponent) : value * 10n ** BigInt(-exponent);
  if (typeof value === "string") throw new Error(`no number: ${value}`);
  const steps = exponent >= 0 ? value / 10 ** exponent : value * 10 ** -exponent;
  // 4.1 times 100 is a little less than 410 in floating point.
  return BigInt(Math.trunc(Number(steps.toPrecision(15))));
}

/** Two's complement, high word first; what does not fit wraps. */
function encodeInteger(value: bigint, width: number): number[] {
  const bits = BigInt.asUintN(16 * width, value);
  return Array.from({ length: width }, (_, at) => Number((bits >> BigInt(16 * (width - 1 - at))) & 0xffffn));
}

function encodeFloat(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
}

/** Two characters a register, filled up with NUL. */
function encodeText(text: string, width: number): number[] {
  const bytes = new TextEncoder().encode(text);
  return Array.from({ length: width }, (_, at) => ((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0));
}
