import { Problem } from "../../attest/problem.ts";

/** Tables of the data model (Modbus Application Protocol v1.1b3, 4.3). */
export type RegisterTable = "holding" | "input";
export type BitTable = "coils" | "discrete";
export type Table = RegisterTable | BitTable;

/** What is asked of a device: `count` registers or bits from `start`, both as on the wire. */
export interface RegisterRequest {
  /** Unit identifier: 0..255 over TCP, 1..255 on a serial line, where 0 addresses all and nobody answers. */
  readonly unit: number;
  /** Protocol address of the first register, 0..65535; not the "40001" notation. */
  readonly start: number;
  /** 1..125 registers (Modbus Application Protocol v1.1b3, 6.3), 1..2000 bits (6.1). */
  readonly count: number;
}

/** A write of one register (function 6). */
export interface WriteRegisterRequest {
  readonly unit: number;
  readonly start: number;
  /** 0..65535. */
  readonly value: number;
}

/** A write of neighbouring registers (function 16). */
export interface WriteRegistersRequest {
  readonly unit: number;
  readonly start: number;
  /** 1..123 values, each 0..65535 (Modbus Application Protocol v1.1b3, 6.12). */
  readonly values: readonly number[];
}

/** The most registers one reply can carry (Modbus Application Protocol v1.1b3, 6.3). */
export const MAX_REGISTERS = 125;
/** The most bits one reply can carry (6.1). */
export const MAX_BITS = 2000;
/** The most registers one request can write (6.12). */
export const MAX_WRITTEN_REGISTERS = 123;

export const READ_FUNCTIONS: Readonly<Record<Table, number>> = {
  coils: 1,
  discrete: 2,
  holding: 3,
  input: 4,
};

/** The most of a table that one request can read. */
export function mostReadable(table: Table): number {
  return table === "holding" || table === "input" ? MAX_REGISTERS : MAX_BITS;
}

/** Throws Problem `modbus-bad-request` for a read that Modbus cannot carry. */
export function checkRead(table: Table, { unit, start, count }: RegisterRequest): void {
  const most = mostReadable(table);
  if (isUnit(unit) && isRange(start, count) && count <= most) return;
  throw badRequest(
    `unit 0..255, 1..${most} ${table} within 0..65535`,
    `unit ${unit}, ${count} ${table} from ${start}`,
  );
}

/** Throws Problem `modbus-bad-request` for a write that Modbus cannot carry. */
export function checkWrite(unit: number, start: number, values: readonly number[]): void {
  const fits = values.length <= MAX_WRITTEN_REGISTERS && values.every(isRegister);
  if (isUnit(unit) && isRange(start, values.length) && fits) return;
  throw badRequest(
    `unit 0..255, 1..${MAX_WRITTEN_REGISTERS} values of 0..65535 within registers 0..65535`,
    `unit ${unit}, ${values.length} values from ${start}: ${values.slice(0, 8).join(", ")}`,
  );
}

/** Throws Problem `modbus-bad-request` for a unit that cannot be. */
export function checkUnit(unit: number): void {
  if (!isUnit(unit)) throw badRequest("unit 0..255", `unit ${unit}`);
}

/** The request in the words of an error message. */
export function describeRead(table: Table, { unit, start, count }: RegisterRequest): string {
  const what = table === "holding" ? "registers" : table === "input" ? "input registers" : table;
  return `unit ${unit} ${what} ${start}-${start + count - 1}`;
}

export function badRequest(expected: string, got: string): Problem {
  return new Problem("modbus-bad-request", "no such Modbus request", { expected, got });
}

function isUnit(unit: number): boolean {
  return Number.isSafeInteger(unit) && unit >= 0 && unit <= 255;
}

function isRegister(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= 0xffff;
}

function isRange(start: number, count: number): boolean {
  const whole = Number.isSafeInteger(start) && Number.isSafeInteger(count);
  return whole && start >= 0 && count >= 1 && start + count <= 65536;
}
