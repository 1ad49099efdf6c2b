import type { WriteStream } from "node:tty";

const ESC = "\u001b[";
const HIDE_CURSOR = `${ESC}?25l`;
const SHOW_CURSOR = `${ESC}?25h`;
const CLEAR_LINE = `${ESC}K`;
const CLEAR_BELOW = `${ESC}J`;
const FEWEST_COLUMNS = 20;

/** Redraws a block of lines in place at the bottom of a terminal. */
export class Screen {
  readonly #terminal: WriteStream;
  readonly #restore = (): void => this.close();
  #drawn = 0;
  #open = false;

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
  }

  /** One less than there are: a full line makes some terminals wrap. */
  get columns(): number {
    return Math.max(FEWEST_COLUMNS, (this.#terminal.columns || 80) - 1);
  }

  /** Draws over what was drawn last; what does not fit the terminal's height is left out at the end. */
  draw(lines: readonly string[]): void {
    if (!this.#open) {
      this.#open = true;
      process.on("exit", this.#restore);
    }
    const shown = lines.slice(0, Math.max(1, (this.#terminal.rows || 24) - 1));
    const up = this.#drawn === 0 ? "" : `${ESC}${this.#drawn}A`;
    const body = shown.map((line) => `${line}${CLEAR_LINE}\n`).join("");
    this.#terminal.write(`${HIDE_CURSOR}${up}\r${body}${CLEAR_BELOW}`);
    this.#drawn = shown.length;
  }

  /** Leaves the last block standing; what is written next goes below it. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#drawn = 0;
    process.off("exit", this.#restore);
    this.#terminal.write(SHOW_CURSOR);
  }
}
