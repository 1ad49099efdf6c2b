import { createHash } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import { MAX_REGISTERS } from "../modbus/request.ts";
import type { Model, Point } from "./models.ts";
import { MAX_SCALE, readInteger, readText, scaleInteger } from "./points.ts";

/** Reads registers of one device: `count` from `start`, or a Problem. */
export type ReadRegisters = (start: number, count: number) => Promise<Uint16Array>;

/** Where a model lies in a device: `start` is the register with its ID. */
export interface ModelPlace {
  readonly id: number;
  readonly start: number;
  /** Registers after ID and L, as the device says. */
  readonly length: number;
}

const HEADER = 2;

/**
 * Reads one model with ID and L in ONE request, so that a value and its scale factor are of the same instant; of a
 * model longer than a request only the beginning. Throws `sunspec-layout-changed` when another model is
 * there now, `sunspec-all-ones` when the device answers with nothing but 0xFFFF, or the bus's own Problem.
 */
export async function readBlock(read: ReadRegisters, model: Model, place: ModelPlace): Promise<Block> {
  const registers = await read(place.start, Math.min(HEADER + place.length, MAX_REGISTERS));
  const where = `model ${model.id} at ${place.start}`;
  if (registers.subarray(HEADER).every((register) => register === 0xffff))
    throw new Problem("sunspec-all-ones", "device answers with nothing but 0xFFFF", {
      where,
      hint: "the device is starting or asleep; the values are refused",
    });
  if (registers[0] !== place.id || registers[1] !== place.length)
    throw new Problem("sunspec-layout-changed", "another model is at this place now", {
      where,
      expected: `ID ${place.id}, length ${place.length}`,
      got: `ID ${registers[0]}, length ${registers[1]}`,
    });
  return new Block(model, registers);
}

/** The registers of one model, read together, and what they say. */
export class Block {
  readonly model: Model;
  /** SHA-256 over all registers of the request (ID, L, points), each as two bytes, high byte first. */
  readonly evidence: Uint8Array;
  /** Names of points that were asked for and that the device does not implement, with the reason. */
  readonly absent: string[] = [];
  readonly #registers: Uint16Array;

  constructor(model: Model, withHeader: Uint16Array) {
    this.model = model;
    this.#registers = withHeader.subarray(HEADER);
    this.evidence = digest(withHeader);
  }

  text(name: string): string {
    return readText(this.#registers, this.#point(name));
  }

  /** An enumeration's number; undefined when not implemented. */
  state(name: string): number | undefined {
    const value = readInteger(this.#registers, this.#point(name));
    return value === undefined ? undefined : Number(value);
  }

  /** A value in thousandths of the model's unit: W as mW, Wh as mWh, V as mV. Notes when there is none. */
  milli(name: string): number | undefined {
    return this.#noted(name, this.#scaled(name, 3));
  }

  /** A percentage in parts per million. Notes when there is none. */
  ppm(name: string): number | undefined {
    return this.#noted(name, this.#scaled(name, 4));
  }

  /** As {@link milli}, for a point that a device may do without. */
  optionalMilli(name: string): number | undefined {
    const scaled = this.#scaled(name, 3);
    return typeof scaled === "number" ? scaled : undefined;
  }

  /** As {@link ppm}, for a point that a device may do without. */
  optionalPpm(name: string): number | undefined {
    const scaled = this.#scaled(name, 4);
    return typeof scaled === "number" ? scaled : undefined;
  }

  /** The power of ten of a point, or undefined when the device does not say. */
  exponent(name: string): number | undefined {
    const scale = this.#point(name).scale;
    if (scale === undefined) return 0;
    const value = readInteger(this.#registers, this.#point(scale));
    return value === undefined || value < -MAX_SCALE || value > MAX_SCALE ? undefined : Number(value);
  }

  /** Notes that a value was left out. */
  miss(name: string, why: string): undefined {
    this.absent.push(`model ${this.model.id} ${name}: ${why}`);
    return undefined;
  }

  #noted(name: string, scaled: number | string): number | undefined {
    return typeof scaled === "number" ? scaled : this.miss(name, scaled);
  }

  /** The scaled value, or why there is none. */
  #scaled(name: string, extra: number): number | string {
    const point = this.#point(name);
    const value = readInteger(this.#registers, point);
    if (value === undefined) return point.type === "acc32" ? "not accumulated" : "not implemented";
    const exponent = this.exponent(name);
    if (exponent === undefined) return `no valid scale factor ${point.scale}`;
    return scaleInteger(value, exponent + extra) ?? `too large: ${value} times 10^${exponent}`;
  }

  #point(name: string): Point {
    const point = this.model.points.get(name);
    if (point === undefined)
      throw new Problem("sunspec-no-such-point", `model ${this.model.id} has no ${name}`);
    return point;
  }
}

function digest(registers: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(registers.length * 2);
  const view = new DataView(bytes.buffer);
  registers.forEach((register, index) => {
    view.setUint16(index * 2, register);
  });
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}
