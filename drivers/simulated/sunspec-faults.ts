import type { Misbehaviour } from "./misbehaviour.ts";
import {
  ILLEGAL_ADDRESS,
  ILLEGAL_VALUE,
  NO_TARGET,
  type ReadAnswer,
  type ReadRequest,
} from "./modbus-server.ts";
import { encodeModel, type SimulatedModel } from "./sunspec-encode.ts";
import { chainRegisters, type ModelRegisters } from "./sunspec-map.ts";

/** What goes wrong with a SunSpec device, by name. All of it was seen on real devices and gateways. */
export type SunSpecFault =
  /** The same values with another power of ten: pysunspec2 issue 42. */
  | {
      readonly kind: "scale-change";
      readonly model: number;
      readonly scale: string;
      readonly exponent: number;
    }
  /** A model that nobody knows, in front of another: a firmware update. */
  | { readonly kind: "layout-change"; readonly before: number; readonly length: number }
  /** All registers behind model 1 are 0xFFFF: the communication board is awake, the inverter is not. */
  | { readonly kind: "all-ones" }
  /** A gateway that answers for units that are not there, with zeros (volkszaehler/mbmd issue 226). */
  | { readonly kind: "zeros-for-absent-units" }
  /** Silence, or a late answer, to requests that begin there. */
  | { readonly kind: "silent-at"; readonly start: number }
  | { readonly kind: "slow-at"; readonly start: number; readonly ms: number }
  /** Requests for more registers are refused. */
  | { readonly kind: "read-limit"; readonly registers: number; readonly answer: "illegal-value" | "silence" }
  /** Requests that go over the border of a model are refused. */
  | { readonly kind: "model-borders" }
  /** Registers, counted from the model's ID, that nobody may read. */
  | { readonly kind: "hole"; readonly model: number; readonly offset: number; readonly count: number };

/** A simulated SunSpec device at one instant. */
export interface SunSpecState {
  readonly models: readonly SimulatedModel[];
  /** First register of the map. */
  readonly base: number;
  readonly unit: number;
  readonly faults: readonly SunSpecFault[];
}

const COMMON_END = 2 + 68;
const UNKNOWN_MODEL = 64_001;

/** The device's answer to one request; undefined is silence. */
export function answerSunSpec(state: SunSpecState, request: ReadRequest): ReadAnswer | undefined {
  const { faults, unit, base } = state;
  if (request.unit !== unit) return absentUnit(faults, request.count);
  const { start, count } = request;
  if (faults.some((fault) => fault.kind === "silent-at" && fault.start === start)) return undefined;
  const limit = faults.find((fault) => fault.kind === "read-limit" && count > fault.registers);
  if (limit?.kind === "read-limit")
    return limit.answer === "silence" ? undefined : { exception: ILLEGAL_VALUE };
  const models = modelsOf(state);
  const from = start - base;
  const map = registersOf(models, faults);
  const refused = from < 0 || from + count > map.length || isRefused(models, faults, { from, count });
  return refused ? { exception: ILLEGAL_ADDRESS } : { registers: map.slice(from, from + count) };
}

/** What becomes of the answer on its way. */
export function misbehaviourOf(state: SunSpecState, request: ReadRequest): Misbehaviour | undefined {
  if (answerSunSpec(state, request) === undefined) return { kind: "silence" };
  const slow = state.faults.find((fault) => fault.kind === "slow-at" && fault.start === request.start);
  return slow?.kind === "slow-at" ? { kind: "delay", ms: slow.ms } : undefined;
}

function absentUnit(faults: readonly SunSpecFault[], count: number): ReadAnswer {
  const zeros = faults.some(({ kind }) => kind === "zeros-for-absent-units");
  return zeros ? { registers: new Array<number>(count).fill(0) } : { exception: NO_TARGET };
}

function modelsOf({ models, faults }: SunSpecState): readonly ModelRegisters[] {
  const scales = faults.flatMap((fault) => (fault.kind === "scale-change" ? [fault] : []));
  const encoded = models.map((model) => {
    const changed = scales.filter((fault) => fault.model === model.id);
    const given = Object.fromEntries(changed.map(({ scale, exponent }) => [scale, exponent]));
    return encodeModel({ ...model, scales: { ...model.scales, ...given } });
  });
  const inserts = faults.flatMap((fault) => (fault.kind === "layout-change" ? [fault] : []));
  return encoded.flatMap((model) => {
    const unknown = inserts.filter(({ before }) => before === model.id);
    return [...unknown.map(({ length }) => emptyModel(length)), model];
  });
}

function emptyModel(length: number): ModelRegisters {
  return { id: UNKNOWN_MODEL, registers: new Array<number>(length).fill(7) };
}

function registersOf(models: readonly ModelRegisters[], faults: readonly SunSpecFault[]): readonly number[] {
  const map = chainRegisters(models);
  if (!faults.some(({ kind }) => kind === "all-ones")) return map;
  return map.map((register, at) => (at < COMMON_END ? register : 0xffff));
}

interface Range {
  readonly from: number;
  readonly count: number;
}

function isRefused(
  models: readonly ModelRegisters[],
  faults: readonly SunSpecFault[],
  { from, count }: Range,
): boolean {
  let start = 2;
  for (const { id, registers } of models) {
    const end = start + 2 + registers.length;
    const over = from < end && from + count > end;
    if (over && from >= start && faults.some(({ kind }) => kind === "model-borders")) return true;
    const holes = faults.flatMap((fault) => (fault.kind === "hole" && fault.model === id ? [fault] : []));
    const begun = start;
    if (holes.some((hole) => from < begun + hole.offset + hole.count && from + count > begun + hole.offset))
      return true;
    start = end;
  }
  return false;
}
