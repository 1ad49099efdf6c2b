import type { WriteStream } from "node:tty";
import { describeProblem } from "../../attest/problem.ts";
import type { DemoResult, Narrator } from "./demo.ts";
import type { Frame } from "./frame.ts";
import { resultLines } from "./report.ts";
import { Screen } from "./screen.ts";
import type { DemoSite } from "./site.ts";
import { frameLines, frameSentence, shortenedWords } from "./view.ts";

const SENTENCE_MS = 2000;

/** Tells the demo in words: a block that is redrawn on a terminal, a line now and then elsewhere. */
export class TextNarrator implements Narrator {
  readonly #out: WriteStream;
  readonly #screen: Screen | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(out: WriteStream) {
    this.#out = out;
    this.#screen = out.isTTY ? new Screen(out) : undefined;
  }

  began(site: DemoSite): void {
    const shortened = `Shortened, so that there is something to see: ${shortenedWords()}.`;
    const programs = "A node and an agent are started as two processes of this program, on loopback only.";
    this.#say([...site.explanation, programs, shortened, ""]);
  }

  frame(frame: Frame): void {
    if (this.#screen !== undefined) {
      this.#screen.draw(frameLines(frame, this.#screen.columns));
      return;
    }
    if (frame.elapsedMs - this.#toldMs < SENTENCE_MS) return;
    this.#toldMs = frame.elapsedMs;
    this.#say([frameSentence(frame)]);
  }

  ending(): void {
    this.#screen?.close();
    this.#say(["", "Ending: a full interval and its receipt are awaited (Ctrl-C again ends at once).", ""]);
  }

  finished(result: DemoResult): void {
    this.#screen?.close();
    this.#say(["", ...resultLines(result)]);
  }

  failed(thrown: unknown): void {
    this.#screen?.close();
    const { code, message } = describeProblem(thrown);
    process.stderr.write(`kilowitness demo: ${message} (${code})\n`);
  }

  #say(lines: readonly string[]): void {
    this.#out.write(`${lines.join("\n")}\n`);
  }
}
