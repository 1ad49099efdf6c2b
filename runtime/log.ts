import { type Logger as PinoLogger, pino } from "pino";
import { describeProblem } from "../attest/problem.ts";

/** Structured log: every line has a stable event name, and the fields that belong to it. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs a thrown value at warn level as `{event, code, message}` beside `fields`. */
  problem(event: string, thrown: unknown, fields?: Readonly<Record<string, unknown>>): void;
}

export type LogLevel = "info" | "warn" | "error" | "silent";

/** A logger that writes one JSON object a line to standard error: `{level, time, program, event, …}`. */
export function openLogger(program: string, level: LogLevel): Logger {
  const options = {
    level,
    base: { program },
    timestamp: (): string => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string): object => ({ level: label }) },
  };
  return loggerOver(pino(options, pino.destination({ dest: 2, sync: true })));
}

function loggerOver(sink: PinoLogger): Logger {
  return {
    info: (event, fields) => sink.info({ event, ...fields }),
    warn: (event, fields) => sink.warn({ event, ...fields }),
    error: (event, fields) => sink.error({ event, ...fields }),
    problem: (event, thrown, fields) => sink.warn({ event, ...describeProblem(thrown), ...fields }),
  };
}
