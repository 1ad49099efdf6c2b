import { Problem } from "../../attest/problem.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { END_OF_FILE, ESCAPE, endFault, escapeProblem, isFour, START_BYTES, VERSION_1 } from "./transport.ts";

/** Meters push less than 1 kB; a list with signatures and public keys stays below 2 kB. */
export const MAX_FILE_BYTES: number = 16 * 1024;

const START: Uint8Array = Uint8Array.from({ length: START_BYTES }, (_, at) => (at < 4 ? ESCAPE : VERSION_1));

type State = "hunting" | "data" | "escape";

/**
 * Finds SML files in a stream of bytes (BSI TR-03109-1, Annex IV part b, transport protocol version 1:
 * `1B1B1B1B 01010101 messages fill 1B1B1B1B 1A fill-count checksum`). A telegram is a whole file with its transport,
 * as it was sent. The outcomes depend only on the bytes, never on how they are cut into chunks. Bytes between files
 * are no event.
 */
export class SmlFramer implements Framer {
  readonly #buffer: Uint8Array = new Uint8Array(MAX_FILE_BYTES);
  readonly #start = new StartDetector();
  #state: State = "hunting";
  #length = 0;
  /** Stream offset of the next byte. */
  #position = 0;
  /** Stream offset of the first byte of the buffer. */
  #fileAt = 0;
  /** Escape bytes in a row at the end of the data. */
  #run = 0;
  /** Where the four bytes after an escape begin. */
  #escapeAt = 0;
  /**
   * Where within the file something stands that could be the start of the next; 0 for nowhere. It is data where a
   * message has the bytes of a start, and a start where the file before was cut off after `1B 1B 1B 1B`: the checksum
   * tells.
   */
  #restartAt = 0;

  push(bytes: Uint8Array): readonly Framed[] {
    const outcomes: Framed[] = [];
    for (const byte of bytes) this.#take(byte, outcomes);
    return outcomes;
  }

  end(): readonly Framed[] {
    if (this.#state === "hunting") return [];
    this.#state = "hunting";
    return [this.#refusal("sml-truncated", "the stream ended within a file")];
  }

  #take(byte: number, outcomes: Framed[]): void {
    const started = this.#start.take(byte);
    this.#position += 1;
    if (this.#state !== "hunting") this.#append(byte, outcomes);
    if (this.#state === "data") this.#takeData(byte, started);
    else if (this.#state === "escape") this.#takeEscape(outcomes);
    else if (started) this.#begin();
  }

  #append(byte: number, outcomes: Framed[]): void {
    if (this.#length === MAX_FILE_BYTES) {
      outcomes.push(this.#refusal("sml-oversized", "more bytes than any file has"));
      if (!this.#restart()) {
        this.#state = "hunting";
        return;
      }
    }
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  #begin(): void {
    this.#buffer.set(START);
    this.#length = START_BYTES;
    this.#fileAt = this.#position - START_BYTES;
    this.#run = 0;
    this.#restartAt = 0;
    this.#state = "data";
  }

  #takeData(byte: number, started: boolean): void {
    if (started) this.#restartAt = this.#length - START_BYTES;
    this.#run = byte === ESCAPE ? this.#run + 1 : 0;
    if (this.#run < 4) return;
    this.#run = 0;
    this.#escapeAt = this.#length;
    this.#state = "escape";
  }

  #takeEscape(outcomes: Framed[]): void {
    const at = this.#escapeAt;
    if (this.#length < at + 4) return;
    if (this.#buffer[at] === END_OF_FILE) this.#finish(outcomes);
    else if (isFour(this.#buffer, at, ESCAPE)) this.#state = "data";
    else if (isFour(this.#buffer, at, VERSION_1)) {
      this.#length -= START_BYTES;
      outcomes.push(this.#refusal("sml-truncated", "the next file began before this one ended"));
      this.#begin();
    } else {
      outcomes.push({ kind: "refused", offset: this.#fileAt, problem: escapeProblem(at - 4, this.#buffer) });
      this.#state = "hunting";
    }
  }

  #finish(outcomes: Framed[]): void {
    const problem = endFault(this.#buffer.subarray(0, this.#length));
    this.#state = "hunting";
    if (problem === undefined) {
      outcomes.push({ kind: "telegram", offset: this.#fileAt, bytes: this.#buffer.slice(0, this.#length) });
      this.#start.reset();
      return;
    }
    outcomes.push({ kind: "refused", offset: this.#fileAt, problem });
    if (this.#restart()) this.#finish(outcomes);
  }

  /** Drops what stands before the likelier start; false where there is none. */
  #restart(): boolean {
    const at = this.#restartAt;
    if (at === 0) return false;
    this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    this.#escapeAt -= at;
    this.#fileAt += at;
    this.#restartAt = 0;
    return true;
  }

  #refusal(code: string, what: string): Framed {
    const where = `file of ${this.#length} bytes at stream offset ${this.#fileAt}`;
    return { kind: "refused", offset: this.#fileAt, problem: new Problem(code, what, { where }) };
  }
}

/** Watches every byte for `1B 1B 1B 1B 01 01 01 01`; more than four escapes before the rest are noise. */
class StartDetector {
  #matched = 0;

  take(byte: number): boolean {
    if (byte === VERSION_1 && this.#matched >= 4) this.#matched += 1;
    else if (byte === ESCAPE) this.#matched = this.#matched <= 4 ? Math.min(this.#matched + 1, 4) : 1;
    else this.#matched = 0;
    if (this.#matched < START_BYTES) return false;
    this.#matched = 0;
    return true;
  }

  reset(): void {
    this.#matched = 0;
  }
}
