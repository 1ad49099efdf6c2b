import { stringify } from "yaml";
import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { RegisterTable } from "../modbus/request.ts";
import type { CompiledProfile } from "./compiled.ts";
import { type RegisterMap, readImage } from "./image.ts";
import type { DumpedBlock, RedactedDump } from "./redact.ts";

/** Reads `count` registers; see ModbusUnit. */
export type ReadBlock = (
  table: RegisterTable,
  range: { readonly start: number; readonly count: number },
) => Promise<Uint16Array>;

/** Neighbouring registers that somebody wants to see. */
export interface DumpRange {
  readonly table: RegisterTable;
  readonly start: number;
  readonly count: number;
}

/** What a device says of registers that it does not have, or of requests that are too long for it. */
const REFUSED: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-device-failure",
]);

/**
 * Reads ranges in requests of at most `most` registers. Where a device refuses one, it is halved until single registers
 * are refused, which are then left out. Any other Problem of the bus is thrown.
 */
export async function dump(
  read: ReadBlock,
  ranges: readonly DumpRange[],
  most: number,
): Promise<readonly DumpedBlock[]> {
  const blocks: DumpedBlock[] = [];
  for (const range of ranges)
    for (let start = range.start; start < range.start + range.count; start += most)
      blocks.push(
        ...(await part(read, { ...range, start, count: Math.min(most, range.start + range.count - start) })),
      );
  return joined(blocks);
}

async function part(read: ReadBlock, range: DumpRange): Promise<DumpedBlock[]> {
  try {
    return [{ table: range.table, start: range.start, registers: [...(await read(range.table, range))] }];
  } catch (error) {
    if (!(error instanceof Problem) || !REFUSED.has(error.code)) throw error;
    if (range.count === 1) return [];
    const half = range.count >> 1;
    const [first, second] = [
      { ...range, count: half },
      { ...range, start: range.start + half, count: range.count - half },
    ];
    return [...(await part(read, first)), ...(await part(read, second))];
  }
}

function joined(blocks: readonly DumpedBlock[]): DumpedBlock[] {
  const all: DumpedBlock[] = [];
  for (const block of blocks) {
    const last = all.at(-1);
    if (last?.table === block.table && last.start + last.registers.length === block.start)
      all[all.length - 1] = { ...last, registers: [...last.registers, ...block.registers] };
    else all.push(block);
  }
  return all;
}

/** What a capture says of itself beside its registers. */
export interface CaptureFacts {
  readonly device: string;
  readonly source: string;
  /** YYYY-MM-DD. */
  readonly taken: string;
}

/** A redacted dump as an entry of a profile's `captures`, with what the profile makes of it, if there is one. */
export function captureYaml(
  { blocks }: RedactedDump,
  facts: CaptureFacts,
  compiled?: CompiledProfile,
): string {
  const tables = (["input", "holding"] as const).flatMap((table) => {
    const own = blocks.filter((block) => block.table === table);
    return own.length === 0
      ? []
      : [[table, Object.fromEntries(own.map(({ start, registers }) => [start, hex(registers)]))] as const];
  });
  const entry = {
    ...facts,
    registers: Object.fromEntries(tables),
    expected: compiled === undefined ? {} : expectedOf(compiled, blocks),
  };
  return stringify({ captures: [entry] }, { lineWidth: 0, blockQuote: "literal" });
}

const A_LINE = 10;

function hex(registers: readonly number[]): string {
  const words = registers.map((register) => register.toString(16).toUpperCase().padStart(4, "0"));
  const lines: string[] = [];
  for (let at = 0; at < words.length; at += A_LINE) lines.push(words.slice(at, at + A_LINE).join(" "));
  return `${lines.join("\n")}\n`;
}

function expectedOf(compiled: CompiledProfile, blocks: readonly DumpedBlock[]): Record<string, object> {
  const table = (name: RegisterTable): ReadonlyMap<number, number> =>
    new Map(
      blocks.flatMap((block) =>
        block.table === name
          ? block.registers.map((register, at) => [block.start + at, register] as const)
          : [],
      ),
    );
  const map: RegisterMap = { holding: table("holding"), input: table("input") };
  return Object.fromEntries(
    readImage(compiled, map).readings.map(({ channel, ...values }) => [channel, numbersOnly(values)]),
  );
}

function numbersOnly({
  evidence: _,
  resolutionMwh: _step,
  ...values
}: Omit<MeterReading, "channel">): object {
  return values;
}
