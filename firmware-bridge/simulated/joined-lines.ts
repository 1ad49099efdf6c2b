import type { ByteLine, LineListener } from "../../drivers/line/line.ts";
import { closedProblem, notOpenProblem } from "../../drivers/line/problems.ts";

/** The two ends of a line within this process, as a null-modem cable joins them; nothing is said before both are open. */
export function joinLines(name: string): readonly [ByteLine, ByteLine] {
  const near = new End(`${name} (near)`);
  const far = new End(`${name} (far)`);
  near.join(far);
  far.join(near);
  return [near, far];
}

class End implements ByteLine {
  readonly name: string;
  #other: End | undefined;
  #listener: LineListener | undefined;

  constructor(name: string) {
    this.name = name;
  }

  join(other: End): void {
    this.#other = other;
  }

  open(listener: LineListener): Promise<void> {
    this.#listener = listener;
    return Promise.resolve();
  }

  /** Arrives after whoever wrote went on, as on a real line. */
  write(bytes: Uint8Array): Promise<void> {
    const other = this.#other;
    if (this.#listener === undefined || other === undefined) return Promise.reject(notOpenProblem(this.name));
    const sent = bytes.slice();
    queueMicrotask(() => other.#listener?.onBytes(sent));
    return Promise.resolve();
  }

  close(): Promise<void> {
    const open = this.#listener !== undefined;
    this.#listener = undefined;
    if (open) queueMicrotask(() => this.#other?.hungUp());
    return Promise.resolve();
  }

  hungUp(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onClosed(closedProblem(this.name));
  }
}
