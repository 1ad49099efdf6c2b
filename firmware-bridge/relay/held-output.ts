import type { Problem } from "../../attest/problem.ts";
import type { GpiosetMajor } from "../gpio/gpioset.ts";
import { HeldLine } from "../gpio/held-line.ts";
import type { HeldOutputSettings, HolderTask } from "./holder-messages.ts";
import { OutputRules } from "./output-rules.ts";
import type { Position, RelayShown } from "./relay.ts";

/** The rules of one output, and the lines that follow them. One call at a time: whoever calls sees to that. */
export class HeldOutput {
  readonly #rules: OutputRules;
  readonly #lines: readonly HeldLine[];

  constructor(major: GpiosetMajor, settings: HeldOutputSettings, onLost: (problem: Problem) => void) {
    const { states, lines } = settings;
    this.#rules = new OutputRules(settings, monotonicMs());
    this.#lines = lines.map(
      (line, contact) =>
        new HeldLine(major, line, {
          atExit: isClosed(states.onExit, contact),
          atLoss: isClosed(states.onLoss, contact),
          onLost,
        }),
    );
  }

  /** Takes the lines, in the position of the start. @throws Problem `gpioset-ended` */
  async begin(): Promise<void> {
    await this.#drive();
  }

  /** @throws Problem `relay-…` where it is refused, `gpioset-ended` where a line is lost */
  async perform(task: HolderTask): Promise<RelayShown> {
    if (task.kind === "set") this.#rules.command(task.position, task.leaseMs, monotonicMs());
    else if (task.kind === "release") this.#rules.release(monotonicMs());
    else this.#rules.settle(monotonicMs());
    await this.#drive();
    return this.#rules.shown(monotonicMs());
  }

  /** What is due: the end of a lease, or of a dwell time. */
  async settle(): Promise<void> {
    this.#rules.settle(monotonicMs());
    await this.#drive();
  }

  /** Nobody speaks any more, but may again. */
  async lose(): Promise<void> {
    this.#rules.lose(monotonicMs());
    await this.#drive();
  }

  regain(): void {
    this.#rules.regain();
  }

  /** Until {@link settle} has something to do. */
  dueInMs(): number | undefined {
    const dueMs = this.#rules.dueMs();
    return dueMs === undefined ? undefined : Math.max(0, dueMs - monotonicMs());
  }

  /** Sets the defined level of every line, and lets go of it. */
  async end(how: "exit" | "loss"): Promise<void> {
    await Promise.all(this.#lines.map((line) => (how === "exit" ? line.exit() : line.lose())));
  }

  /** Contacts open before others close: what lies between two positions is never more than either asks for. */
  async #drive(): Promise<void> {
    const position = this.#rules.position;
    const wanted = this.#lines.map((line, contact) => ({ line, closed: isClosed(position, contact) }));
    for (const closed of [false, true])
      for (const each of wanted.filter((one) => one.closed === closed)) await each.line.set(closed);
  }
}

function isClosed(position: Position, contact: number): boolean {
  return ((position >> contact) & 1) === 1;
}

/** ms of a clock that is never set. */
export function monotonicMs(): number {
  return Math.floor(performance.now());
}
