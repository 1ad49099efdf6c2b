import type { RegisterTable } from "../modbus/request.ts";
import type { CompiledProfile } from "./compiled.ts";

/** Neighbouring registers as a device answered with them. */
export interface DumpedBlock {
  readonly table: RegisterTable;
  readonly start: number;
  readonly registers: readonly number[];
}

/** A dump that can be shown to strangers, and what was blanked in it. */
export interface RedactedDump {
  readonly blocks: readonly DumpedBlock[];
  /** "holding 100-103: serial" in words. */
  readonly blanked: readonly string[];
}

/** Texts shorter than this say little; firmware versions and units are. */
const SHORTEST_TEXT_REGISTERS = 4;

/**
 * Blanks what could name a device or its owner: the profile's serial number, and every run of registers that reads as
 * text and that the profile does not know as make, model or firmware. Serial numbers that are plain integers are found
 * only where the profile knows them.
 */
export function redacted(blocks: readonly DumpedBlock[], profile?: CompiledProfile): RedactedDump {
  const blanked: string[] = [];
  const serial = pointsOf(profile, ["serial"]);
  const harmless = pointsOf(profile, ["make", "model", "firmware"]);
  const shown = blocks.map((block): DumpedBlock => {
    const secret = [
      ...overlapping(serial, block),
      ...textRuns(block).filter((run) => !isKnown(run, harmless, block)),
    ];
    const registers = [...block.registers];
    for (const { start, end, why } of secret) {
      const [from, to] = [Math.max(start, block.start), Math.min(end, block.start + registers.length)];
      registers.fill(0, from - block.start, to - block.start);
      blanked.push(`${block.table} ${from}-${to - 1}: ${why}`);
    }
    return { ...block, registers };
  });
  return { blocks: shown, blanked: [...new Set(blanked)] };
}

interface Run {
  readonly table: RegisterTable;
  readonly start: number;
  readonly end: number;
  readonly why: string;
}

function pointsOf(
  compiled: CompiledProfile | undefined,
  keys: readonly ("serial" | "make" | "model" | "firmware")[],
): Run[] {
  if (compiled === undefined) return [];
  return keys.flatMap((key) => {
    const source = compiled.profile.identity[key];
    const point = typeof source === "object" ? compiled.points.get(source.point) : undefined;
    if (point === undefined) return [];
    const { address } = point.point;
    return [{ table: point.snapshot.table, start: address, end: address + point.width, why: key }];
  });
}

function overlapping(runs: readonly Run[], { table, start, registers }: DumpedBlock): Run[] {
  return runs.filter((run) => run.table === table && run.start < start + registers.length && run.end > start);
}

function isKnown(run: Run, known: readonly Run[], block: DumpedBlock): boolean {
  return overlapping(known, block).some((one) => one.start <= run.start && run.end <= one.end);
}

function textRuns({ table, start, registers }: DumpedBlock): Run[] {
  const runs: Run[] = [];
  let from = 0;
  for (let at = 0; at <= registers.length; at++) {
    if (isText(registers[at])) continue;
    if (at - from >= SHORTEST_TEXT_REGISTERS)
      runs.push({ table, start: start + from, end: start + at, why: "reads as text" });
    from = at + 1;
  }
  return runs;
}

/** Two printable characters, the second perhaps an end. */
function isText(register: number | undefined): boolean {
  if (register === undefined) return false;
  const [high, low] = [register >> 8, register & 0xff];
  return isPrintable(high) && (isPrintable(low) || low === 0);
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}
