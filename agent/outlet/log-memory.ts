import { describeProblem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";

/** A logged line as it is kept. */
export interface KeptLine {
  readonly time: string;
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Something that began to fail and has not been said to be over. */
export interface OpenFailure {
  readonly event: string;
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** What was last said of a channel's readings. */
export interface SaidReason {
  readonly event: string;
  readonly code: string;
  readonly reason: string;
  readonly atMs: number;
}

const KEPT_LINES = 300;
/** A longer line is cut down to its event. */
const MOST_CHARACTERS = 2000;
const KEPT_FAILURES = 64;
const KEPT_CHANNELS = 256;
const OVER = "-over";

/**
 * A logger that hands every line on and remembers the last ones, what fails now, and what was last said of each
 * channel. It relies on the guard's pairs of events: `commit-failed` and, when that is over, `commit-failed-over`.
 */
export class LogMemory implements Logger {
  readonly #sink: Logger;
  readonly #nowMs: () => number;
  readonly #lines: string[] = [];
  readonly #failures = new Map<string, OpenFailure>();
  readonly #reasons = new Map<string, SaidReason>();

  constructor(sink: Logger, nowMs: () => number = Date.now) {
    this.#sink = sink;
    this.#nowMs = nowMs;
  }

  info(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#sink.info(event, fields);
    this.#keep("info", event, fields);
    if (event.endsWith(OVER)) this.#failures.delete(keyOf(event.slice(0, -OVER.length), fields));
  }

  warn(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#sink.warn(event, fields);
    this.#keep("warn", event, fields);
    const { channel, code, reason } = fields;
    if (typeof channel !== "string" || typeof code !== "string" || typeof reason !== "string") return;
    bounded(this.#reasons, KEPT_CHANNELS).set(channel, { event, code, reason, atMs: this.#nowMs() });
  }

  error(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#sink.error(event, fields);
    this.#keep("error", event, fields);
  }

  problem(event: string, thrown: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#sink.problem(event, thrown, fields);
    const problem = describeProblem(thrown);
    this.#keep("warn", event, { ...problem, ...fields });
    const key = keyOf(event, fields);
    const sinceMs = this.#failures.get(key)?.sinceMs ?? this.#nowMs();
    bounded(this.#failures, KEPT_FAILURES).set(key, { event, ...problem, sinceMs });
  }

  /** The last lines, oldest first, each a JSON object as the log has it. */
  lines(): readonly string[] {
    return [...this.#lines];
  }

  /** Every problem that was logged last under its event and fields; only guarded ones are ever over. */
  failures(): readonly OpenFailure[] {
    return [...this.#failures.values()];
  }

  /** What was last said of the readings of a channel, by its name in the log. */
  reasonOf(channel: string): SaidReason | undefined {
    return this.#reasons.get(channel);
  }

  #keep(level: KeptLine["level"], event: string, fields: Readonly<Record<string, unknown>>): void {
    const time = new Date(this.#nowMs()).toISOString();
    const line = JSON.stringify({ level, time, event, ...fields } satisfies KeptLine);
    const short = line.length <= MOST_CHARACTERS ? line : JSON.stringify({ level, time, event, cut: true });
    this.#lines.push(short);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }
}

function keyOf(event: string, fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([event, fields]).slice(0, MOST_CHARACTERS);
}

/** The same map with room for one more; what was set first goes first. */
function bounded<Value>(map: Map<string, Value>, most: number): Map<string, Value> {
  for (const key of map.keys()) {
    if (map.size < most) break;
    map.delete(key);
  }
  return map;
}
