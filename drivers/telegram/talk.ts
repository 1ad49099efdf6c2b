import { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "../line/line.ts";
import type { Framed, Framer } from "./telegram.ts";

/** What arrives while nobody waits is kept up to here; more is noise of a line that is no meter's. */
const MAX_KEPT_BYTES = 64 * 1024;

/** A conversation over an open line: what was sent, and the answers to it. */
export class Talk {
  readonly name: string;
  readonly #line: ByteLine;
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  /** Outcomes of the framer that were not asked for yet. */
  #framed: { readonly framer: Framer; readonly outcomes: Framed[] } | undefined;
  #problem: Problem | undefined;
  #wake: (() => void) | undefined;

  private constructor(line: ByteLine) {
    this.name = line.name;
    this.#line = line;
  }

  /** @throws Problem `line-…` when the line cannot be opened */
  static async over(line: ByteLine): Promise<Talk> {
    const talk = new Talk(line);
    await line.open({
      onBytes: (bytes) => talk.#take(bytes),
      onClosed: (problem) => talk.#lose(problem),
    });
    return talk;
  }

  /** The line went down by itself or was closed: it has to be opened anew. */
  get lost(): boolean {
    return this.#problem !== undefined;
  }

  /** @throws Problem `line-…` */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#problem !== undefined) throw this.#problem;
    await this.#line.write(bytes);
  }

  /**
   * The next outcome of `framer`; undefined when none came within `deadlineMs`, however many bytes did. What the framer
   * cut beyond it comes with the next call that brings the same framer.
   *
   * @throws Problem `line-…` when the line is lost meanwhile
   */
  async receive(framer: Framer, deadlineMs: number): Promise<Framed | undefined> {
    if (this.#framed?.framer !== framer) this.#framed = { framer, outcomes: [] };
    const { outcomes } = this.#framed;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake?.();
    }, deadlineMs);
    try {
      for (;;) {
        for (const bytes of this.#taken()) outcomes.push(...framer.push(bytes));
        const next = outcomes.shift();
        if (next !== undefined) return next;
        if (this.#problem !== undefined) throw this.#problem;
        if (late) return undefined;
        await this.#more();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until no byte has come for `quietMs`, at most `deadlineMs`; the bytes are thrown away. */
  async quiet(quietMs: number, deadlineMs: number): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    do {
      this.#taken();
      await this.#pause(quietMs);
    } while (this.#receivedBytes > 0 && performance.now() < endMs && !this.lost);
    this.#taken();
  }

  /** Throws away what has come, here and in the operating system. */
  async discard(): Promise<void> {
    await this.#line.discardInput?.();
    this.#taken();
    this.#framed = undefined;
  }

  /** Speaks on at another rate; undefined where the line cannot, as over TCP. */
  get changeBaudRate(): ((baudRate: number) => Promise<void>) | undefined {
    const line = this.#line;
    if (line.changeBaudRate === undefined) return undefined;
    return (baudRate) => line.changeBaudRate?.(baudRate) ?? Promise.resolve();
  }

  /** Never throws, may be called twice. */
  async close(): Promise<void> {
    this.#lose(new Problem("line-closed", "the line was closed", { where: this.name }));
    await this.#line.close();
  }

  #take(bytes: Uint8Array): void {
    if (this.#receivedBytes + bytes.length > MAX_KEPT_BYTES) this.#taken();
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
    this.#wake?.();
  }

  #taken(): readonly Uint8Array[] {
    const received = this.#received;
    this.#received = [];
    this.#receivedBytes = 0;
    return received;
  }

  #lose(problem: Problem): void {
    this.#problem ??= problem;
    this.#wake?.();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
