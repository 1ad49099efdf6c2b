/** Holding registers of one SunSpec model, without ID and L. */
export interface ModelRegisters {
  readonly id: number;
  readonly registers: readonly number[];
}

/** Where a model's registers begin in the device, and how many there are. */
export interface ModelRange {
  readonly start: number;
  readonly count: number;
}

/** What an unimplemented point holds (SunSpec Device Information Model Specification 1.1, 4.2). */
export const NO_UINT16 = 0xffff;
export const NO_INT16 = 0x8000;

/** Registers of a model under construction: everything is "not implemented" until it is set. */
export class ModelBuilder {
  readonly #registers: number[];

  constructor(length: number) {
    this.#registers = new Array<number>(length).fill(NO_UINT16);
  }

  uint16(offset: number, value: number): this {
    this.#registers[offset] = value & 0xffff;
    return this;
  }

  /** int16, sunssf: two's complement. */
  int16(offset: number, value: number): this {
    return this.uint16(offset, value);
  }

  /** acc32, bitfield32: high word first; an accumulator wraps at 2^32. */
  uint32(offset: number, value: number): this {
    const wrapped = value % 2 ** 32;
    return this.uint16(offset, Math.floor(wrapped / 65536)).uint16(offset + 1, wrapped % 65536);
  }

  /** Two characters a register, filled up with NUL. */
  text(offset: number, length: number, value: string): this {
    const bytes = new TextEncoder().encode(value).subarray(0, length * 2);
    for (let index = 0; index < length; index += 1)
      this.uint16(offset + index, ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
    return this;
  }

  /** The same value in a run of registers. */
  fill(offset: number, count: number, value: number): this {
    this.#registers.fill(value & 0xffff, offset, offset + count);
    return this;
  }

  build(id: number): ModelRegisters {
    return { id, registers: this.#registers };
  }
}

/** "SunS", the models one behind the other with ID and L, then ID 0xFFFF with L 0. */
export function chainRegisters(models: readonly ModelRegisters[]): number[] {
  const body = models.flatMap(({ id, registers }) => [id, registers.length, ...registers]);
  return [0x5375, 0x6e53, ...body, 0xffff, 0];
}

/** Where the points of model `id` lie in a chain that begins at `base`. */
export function modelRange(
  models: readonly ModelRegisters[],
  base: number,
  id: number,
): ModelRange | undefined {
  let start = base + 2;
  for (const model of models) {
    if (model.id === id) return { start: start + 2, count: model.registers.length };
    start += 2 + model.registers.length;
  }
  return undefined;
}

/** A number as SunSpec writes it: mantissa times 10^exponent. */
export interface Scaled {
  readonly mantissa: number;
  readonly exponent: number;
}

/** The finest scale from 10^0 on at which the value fits the mantissa; what is finer is cut off. */
export function toScaled(value: number, largest: number): Scaled {
  let exponent = 0;
  while (Math.abs(value) / 10 ** exponent > largest) exponent += 1;
  // Adding 0 keeps a tiny negative value from becoming minus zero.
  return { mantissa: Math.trunc(value / 10 ** exponent) + 0, exponent };
}
