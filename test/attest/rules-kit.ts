import { expect } from "vitest";
import type { IntervalClose, Unplaced } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { EPOCH_MS, LogBuilder, type LogBuilderOptions } from "../kit/log-builder.ts";
import { refusalOf } from "./refusal.ts";

export const MINUTE: number = 60_000;
export const DAY: number = 86_400_000;

/** A log with channel 1, five seconds before a quarter of an hour begins. */
export function opened(options: LogBuilderOptions = {}): LogBuilder {
  const log = new LogBuilder({ suite: nativeSuite, startMs: EPOCH_MS - 5000, ...options });
  log.manifest();
  return log;
}

export function closesOf(log: LogBuilder): IntervalClose[] {
  return log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
}

/** Times as minutes behind the quarter in which the log began. */
export function spans(log: LogBuilder): (readonly [from: number, to: number, wh: number, shape: number])[] {
  const minutes = (ms: number): number => (ms - EPOCH_MS) / MINUTE;
  return closesOf(log).map((close) => [
    minutes(close.t0Ms),
    minutes(close.t1Ms),
    ((close.closingImportMwh ?? Number.NaN) - (close.openingImportMwh ?? Number.NaN)) / 1000,
    close.shape ?? 0,
  ]);
}

/** The code with which the log refuses `unplaced` as its next leaf; the log stays as it was in either case. */
export function refusedAs(log: LogBuilder, unplaced: Unplaced): string | undefined {
  const { leaf, bytes } = log.place(unplaced);
  const before = log.rules.toText();
  const code = refusalOf(() => log.rules.clone().apply(leaf, bytes));
  expect(log.rules.toText()).toBe(before);
  return code;
}

export function reading(log: LogBuilder, importMwh: number, afterMs = 5000): Unplaced {
  return { kind: "reading", channel: 1, ...log.time(), timeMs: log.timeMs + afterMs, importMwh };
}

export const every: { readonly stepMs: number; readonly risesMwh: number } = { stepMs: 5000, risesMwh: 1000 };
