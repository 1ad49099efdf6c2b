import { ACKNOWLEDGEMENT, type Acknowledgement } from "../../attest/leaf-flexibility.ts";
import { Guard } from "../guard.ts";
import type { UntimedLifecycle } from "../sealing/leaves.ts";
import type { FlexHost } from "./host.ts";
import type { AcknowledgementState, Run } from "./run.ts";

/** Longest text of a leaf, in bytes. */
const MOST_BYTES = 128;

/** What the device answers to orders; what cannot be sealed now is sealed when it can, in the same order. */
export class Acknowledgements {
  readonly #host: FlexHost;
  readonly #guard: Guard;
  readonly #owed: UntimedLifecycle<Acknowledgement>[] = [];

  constructor(host: FlexHost) {
    this.#host = host;
    this.#guard = new Guard(host.logger);
  }

  answer(run: Pick<Run, "seq" | "channel">, state: AcknowledgementState, reason?: string): void {
    this.#owed.push({
      kind: "acknowledgement",
      ...{ channel: run.channel, orderSeq: run.seq, state: ACKNOWLEDGEMENT[state] },
      ...(reason === undefined ? {} : { reason: reasonText(reason) }),
    });
    this.flush();
  }

  /** Seals what is owed, as far as the log takes it. */
  flush(): void {
    this.#guard.run("flex-answer-refused", () => {
      for (let next = this.#owed[0]; next !== undefined; next = this.#owed[0]) {
        this.#host.seal(next);
        this.#owed.shift();
      }
    });
  }

  /** The leaves that they answer are of another log now. */
  forget(): void {
    this.#owed.length = 0;
  }
}

/** `reason` as a leaf has room for it. */
export function reasonText(reason: string): string {
  let text = reason.slice(0, MOST_BYTES).toWellFormed();
  while (Buffer.byteLength(text) > MOST_BYTES) text = text.slice(0, -1).toWellFormed();
  return text;
}
