import type { ProgressState } from "../../drivers/discovery/progress.ts";
import { durationText } from "../words.ts";

/** Where progress is written: standard error, or a test's own text. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** On a terminal the line is written anew so often, elsewhere a line is added so seldom. */
const TERMINAL_MS = 200;
const PLAIN_MS = 10_000;
/** So long nothing is counted: longer than listening or asking at one setting takes. */
const QUIET_MS = 15_000;
const CLEAR = "\r\u001b[K";

/** Shows how far a scan has come: one line that changes on a terminal, a line now and then elsewhere. */
export class ScanProgress {
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  #shownMs: number;
  #heardMs: number;
  #isOpen = false;

  constructor(output: ProgressOutput = process.stderr, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
    this.#shownMs = now();
    this.#heardMs = this.#shownMs;
  }

  show({ fraction, remainingMs }: ProgressState): void {
    const terminal = this.#output.isTTY === true;
    const now = this.#now();
    this.#heardMs = now;
    if (now - this.#shownMs < (terminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.#shownMs = now;
    const text = `${Math.floor(fraction * 100)} %, at most ${durationText(remainingMs)} left`;
    this.#output.write(terminal ? `${CLEAR}${text}` : `${text}\n`);
    this.#isOpen = terminal;
  }

  /** Says that the scan goes on while nothing is counted; to be called now and then. */
  idle(): void {
    const now = this.#now();
    if (now - this.#heardMs < QUIET_MS) return;
    this.#heardMs = now;
    const terminal = this.#output.isTTY === true;
    const text = "what answers is being asked and read";
    this.#output.write(terminal ? `${CLEAR}${text}` : `${text}\n`);
    this.#isOpen = terminal;
  }

  /** Takes the changing line away. */
  end(): void {
    if (this.#isOpen) this.#output.write(CLEAR);
    this.#isOpen = false;
  }
}
