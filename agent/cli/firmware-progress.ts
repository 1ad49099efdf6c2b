import type { UploadProgress } from "../../firmware-bridge/smp/upload.ts";

/** Where progress is written: standard error, or a test's own text. */
export interface FirmwareOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const CLEAR = "\r\u001b[K";
/** Without a terminal, a line for each so many percent. */
const PLAIN_STEP = 10;

/** Shows how far an upload has come: one line that changes on a terminal, eleven lines at most elsewhere. */
export class FirmwareProgress {
  readonly #output: FirmwareOutput;
  #shownPercent = -1;
  #isOpen = false;

  constructor(output: FirmwareOutput = process.stderr) {
    this.#output = output;
  }

  show({ storedBytes, totalBytes }: UploadProgress): void {
    const terminal = this.#output.isTTY === true;
    const percent = Math.floor((storedBytes * 100) / totalBytes);
    const step = terminal ? percent : percent - (percent % PLAIN_STEP);
    // It falls where the microcontroller lost something.
    if (step === this.#shownPercent) return;
    this.#shownPercent = step;
    const text = `${percent} %, ${storedBytes} of ${totalBytes} bytes`;
    this.#output.write(terminal ? `${CLEAR}${text}` : `${text}\n`);
    this.#isOpen = terminal;
  }

  /** Ends the changing line. */
  end(): void {
    if (this.#isOpen) this.#output.write("\n");
    this.#isOpen = false;
  }
}
