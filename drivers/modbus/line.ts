import type { ReplyShape } from "./reply-shape.ts";

/** A request ready for the wire, and the reply that it must get. */
export interface Question {
  /** Unit, function, data and CRC, as on a serial line. */
  readonly frame: Uint8Array;
  readonly shape: ReplyShape;
  /** What is asked, in the words of an error message. */
  readonly what: string;
}

/**
 * One open physical connection. It carries one request at a time; the bus sees to that. Once `alive` is false
 * the line is of no further use and a new one has to be opened.
 */
export interface ModbusLine {
  readonly alive: boolean;
  /** False where every reply carries the number of its request, true on a serial line. */
  readonly anonymousReplies: boolean;
  /** Bytes came that nobody had asked for: {@link recover} has to be called before the next exchange. */
  readonly unsettled: boolean;
  /** Bytes thrown away so far. */
  readonly drainedBytes: number;
  /**
   * The whole reply, checked against the shape, as unit, function, data and CRC; or a Problem at the latest when
   * `timeoutMs` have passed beyond the time that the bytes themselves take.
   */
  exchange(question: Question, timeoutMs: number): Promise<Uint8Array>;
  /** After a failed exchange: resolves when the line has been silent for so long, or is dead. */
  recover(silenceMs: number): Promise<void>;
  /** Closes the connection now; an outstanding request rejects with `reason`. */
  destroy(reason: Error): void;
  /** Resolves when the operating system has the connection back. */
  closed(): Promise<void>;
}

/** Opens a line, or throws a Problem within the opener's own deadline. `signal` gives up earlier. */
export type OpenLine = (signal: AbortSignal) => Promise<ModbusLine>;
