import { describeProblem } from "../../attest/problem.ts";
import type { FromChild } from "./child-messages.ts";

/** `exit`: it was told to end; `loss`: whoever asks is gone, or something failed. */
export type EndOfWork = "exit" | "loss";

/**
 * The side of the process that is asked: it does one thing after the other, and ends when it is told to, when whoever asks is
 * gone, and when something fails.
 */
export class AskedByParent<Answer, Ready> {
  readonly #atEnd: (how: EndOfWork, work: Promise<void>) => Promise<void>;
  #work: Promise<void> = Promise.resolve();
  #ending = false;

  /** With what is to be done at the end, once; `work` resolves when nothing else is being done any more. */
  constructor(atEnd: (how: EndOfWork, work: Promise<void>) => Promise<void>) {
    this.#atEnd = atEnd;
  }

  /** Whether it is on its way out: nothing new is to be begun. */
  get isEnding(): boolean {
    return this.#ending;
  }

  /** From here on it ends with whoever asks. Questions are lost that nobody listens to by the end of the same turn. */
  begin(): void {
    process.once("disconnect", () => void this.end("loss"));
    process.once("SIGTERM", () => void this.end("exit"));
    // Whoever asks was gone before this one could hear of it.
    if (!process.connected) void this.end("loss");
  }

  /** One at a time; what fails ends the process. */
  inTurn(task: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#ending) await task();
    });
    this.#work.catch((error: unknown) => void this.end("loss", error));
  }

  /** Resolves when the message is out of this process, or can go nowhere. */
  say(message: FromChild<Answer, Ready>): Promise<void> {
    return say(message);
  }

  /** What is to be done at the end, and out: with the problem, if there is one. */
  async end(how: EndOfWork, problem?: unknown): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const work = this.#work.catch(() => undefined);
    const failure = await this.#atEnd(how, work).catch((error: unknown) => error);
    await leave(problem ?? failure ?? undefined);
  }
}

/** Runs the program of a process that is asked, with what it was told when it was started. */
export function runAsked<Settings>(main: (settings: Settings) => Promise<void>): void {
  const settings: Settings = JSON.parse(process.argv[2] ?? "{}");
  main(settings).catch(leave);
}

function say(message: FromChild<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

async function leave(problem: unknown): Promise<never> {
  if (problem !== undefined) await say({ kind: "failed", ...describeProblem(problem) });
  process.exit(problem === undefined ? 0 : 1);
}
