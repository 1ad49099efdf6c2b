import { describeProblem } from "../../attest/problem.ts";
import type { FlexFact, FlexNarrator, FlexResult } from "./flex-facts.ts";

/** Tells the flexibility demo as JSON, one object a line; the last line is the result. */
export class FlexJsonNarrator implements FlexNarrator {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  told(fact: FlexFact): void {
    this.#line(fact);
  }

  finished(result: FlexResult): void {
    this.#line(result);
  }

  failed(thrown: unknown): void {
    const { code, message } = describeProblem(thrown);
    this.#line({ result: "none", code, message });
  }

  #line(value: object): void {
    this.#write(`${JSON.stringify(value)}\n`);
  }
}
