import type { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "./line.ts";
import { lineProblem, silentProblem } from "./problems.ts";

/** How a {@link ReconnectingLine} behaves. */
export interface ReconnectingSettings {
  /** Makes the next line to open: a line is opened once. */
  readonly createLine: () => ByteLine;
  /** A line that is open and silent for this long is reported and opened anew. */
  readonly silenceMs: number;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Uniform in [0, 1): where in the back-off interval the next attempt falls. */
  readonly random?: () => number;
}

/** What a {@link ReconnectingLine} tells its user. */
export interface ReconnectingListener {
  /** A line opened: what was half received on the one before is void. */
  onOpen(): void;
  onBytes(bytes: Uint8Array): void;
  /** An attempt failed or an open line was lost; the next attempt comes by itself. */
  onProblem(problem: Problem): void;
}

/**
 * Keeps one line open: after a failure, a hang-up or silence it opens the line anew, waiting a random time up to
 * a ceiling that doubles from `minBackoffMs` (1 s) to `maxBackoffMs` (60 s), so that many devices do not knock
 * at one gateway at once. The ceiling falls back only when the user calls {@link healthy}: a gateway that
 * accepts, says "port already in use" and hangs up is not a working line.
 */
export class ReconnectingLine {
  readonly #settings: Required<ReconnectingSettings>;
  readonly #listener: ReconnectingListener;
  #line: ByteLine | undefined;
  #retry: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #failures = 0;
  #state: "idle" | "running" | "closed" = "idle";

  constructor(settings: ReconnectingSettings, listener: ReconnectingListener) {
    this.#settings = { minBackoffMs: 1_000, maxBackoffMs: 60_000, random: Math.random, ...settings };
    this.#listener = listener;
  }

  /** Makes the first attempt. A second call changes nothing. */
  start(): void {
    if (this.#state !== "idle") return;
    this.#state = "running";
    void this.#attempt();
  }

  /** What arrives makes sense: the next loss starts again from the shortest back-off. */
  healthy(): void {
    this.#failures = 0;
  }

  /** Releases the line and all timers. Never throws, may be called twice. */
  async close(): Promise<void> {
    this.#state = "closed";
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    const line = this.#line;
    this.#line = undefined;
    await line?.close();
  }

  async #attempt(): Promise<void> {
    const line = this.#settings.createLine();
    this.#line = line;
    try {
      await line.open({
        onBytes: (bytes) => this.#received(line, bytes),
        onClosed: (problem) => this.#lost(line, problem),
      });
    } catch (error) {
      return this.#lost(line, lineProblem(line.name, error));
    }
    if (this.#line === line) this.#opened(line);
    else await line.close();
  }

  #opened(line: ByteLine): void {
    const { silenceMs } = this.#settings;
    this.#silence = setTimeout(() => this.#lost(line, silentProblem(line.name, silenceMs)), silenceMs);
    this.#listener.onOpen();
  }

  #received(line: ByteLine, bytes: Uint8Array): void {
    if (this.#line !== line) return;
    this.#silence?.refresh();
    this.#listener.onBytes(bytes);
  }

  #lost(line: ByteLine, problem: Problem): void {
    if (this.#line !== line) return;
    this.#line = undefined;
    clearTimeout(this.#silence);
    void line.close();
    this.#retry = setTimeout(() => void this.#attempt(), this.#nextDelayMs());
    this.#listener.onProblem(problem);
  }

  #nextDelayMs(): number {
    const { minBackoffMs, maxBackoffMs, random } = this.#settings;
    const ceilingMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.ceil(random() * ceilingMs);
  }
}
