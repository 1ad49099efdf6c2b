import type { Problem } from "../../attest/problem.ts";

/** What a line tells its user. Never called before `open` was called nor after `close` was called. */
export interface LineListener {
  /** Bytes in the order of the wire, in chunks of any size. The array belongs to the receiver. */
  onBytes(bytes: Uint8Array): void;
  /** The line went down by itself: unplugged, hung up. Called at most once, and only after it was open. */
  onClosed(problem: Problem): void;
}

/** A two-way stream of bytes to a device. Opened once: a lost line is replaced by a new one. */
export interface ByteLine {
  /** How messages call the line: its path or `tcp://host:port`. */
  readonly name: string;
  /** Resolves when bytes can flow. Throws a Problem `line-…` at the latest after the line's own deadline. */
  open(listener: LineListener): Promise<void>;
  /** Resolves when the bytes were handed to the operating system. Throws a Problem `line-…`. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Throws away what has been received but not yet delivered, where the line can. Never throws: a line that is lost
   * says so by `onClosed`.
   */
  discardInput?(): Promise<void>;
  /**
   * Speaks on at another rate, once what was written has left; absent where the line has no rate of its own, as over
   * TCP. Throws a Problem `line-…`.
   */
  changeBaudRate?(baudRate: number): Promise<void>;
  /** Releases the line. Never throws, may be called twice and while `open` is still under way. */
  close(): Promise<void>;
}

/** Deadline of `open` where nothing else is said. */
export const DEFAULT_OPEN_TIMEOUT_MS = 10_000;
/** Deadline of one `write`. */
export const WRITE_TIMEOUT_MS = 5_000;
