import { Problem } from "../../attest/problem.ts";
import type { Table } from "./request.ts";

/** Neighbouring registers (or bits) of one table. */
export interface TableRange {
  readonly table: Table;
  /** Protocol address of the first one. */
  readonly start: number;
  readonly count: number;
}

/** Registers that somebody wants to know that often, all of them from one request: a value, or a whole block. */
export interface WantedRange extends TableRange {
  readonly intervalMs: number;
  /** All ranges with one group name come from one request, as often as the most urgent of them. */
  readonly group?: string;
}

/** Registers that one request has to hold: a wanted range, or the hull of a group. `end` is the one behind it. */
export interface Span {
  readonly table: Table;
  readonly start: number;
  readonly end: number;
  readonly intervalMs: number;
  readonly members: readonly number[];
  readonly parts: readonly Part[];
}

export interface Part {
  readonly start: number;
  readonly end: number;
}

/** The wanted ranges as spans in the order of their places. Throws Problem `modbus-plan`. */
export function spansOf(wanted: readonly WantedRange[]): readonly Span[] {
  const groups = new Map<string | number, number[]>();
  for (const [index, range] of wanted.entries()) {
    checkWanted(range);
    const key = range.group ?? index;
    groups.set(key, [...(groups.get(key) ?? []), index]);
  }
  return [...groups.values()].map((members) => hullOf(wanted, members)).sort(byPlace);
}

function checkWanted({ table, start, count, intervalMs }: WantedRange): void {
  const whole = [start, count, intervalMs].every(Number.isSafeInteger);
  if (whole && start >= 0 && count >= 1 && start + count <= 65536 && intervalMs >= 1) return;
  throw new Problem("modbus-plan", "no such range of registers", {
    where: `${table} ${start}`,
    expected: "1 or more registers within 0..65535, every 1 or more ms",
    got: `${count} registers every ${intervalMs} ms`,
  });
}

function hullOf(wanted: readonly WantedRange[], members: readonly number[]): Span {
  const ranges = members.flatMap((index) => wanted[index] ?? []);
  const parts = ranges.map(({ start, count }) => ({ start, end: start + count }));
  const tables = new Set(ranges.map((range) => range.table));
  const [table = "holding"] = tables;
  if (tables.size > 1)
    throw new Problem("modbus-plan", "a group is of one table", {
      where: `group ${ranges[0]?.group}`,
      got: [...tables].join(", "),
    });
  return {
    ...{ table, members, parts },
    start: Math.min(...parts.map((part) => part.start)),
    end: Math.max(...parts.map((part) => part.end)),
    intervalMs: Math.min(...ranges.map((range) => range.intervalMs)),
  };
}

function byPlace(a: Span, b: Span): number {
  return a.start - b.start || a.end - b.end;
}

/** What is wanted, as runs without gaps, in order. */
export function runsOf(parts: readonly Part[]): readonly Part[] {
  const runs: Part[] = [];
  for (const part of parts.toSorted((a, b) => a.start - b.start)) {
    const last = runs.at(-1);
    if (last === undefined || part.start > last.end) runs.push(part);
    else runs[runs.length - 1] = { start: last.start, end: Math.max(last.end, part.end) };
  }
  return runs;
}
