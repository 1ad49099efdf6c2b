import { type Lamp, Led } from "../../firmware-bridge/indicator/led.ts";
import type { Guard } from "../guard.ts";

/** A lamp that cannot be switched is left alone for so long, and the others go on. */
const RETRY_MS = 60_000;

/** A lamp that says when it cannot be switched, and when it can again, and throws nothing. */
export class GuardedLamp implements Lamp {
  readonly #name: string;
  readonly #led: Lamp;
  readonly #guard: Guard;
  #againMs = 0;

  /** @param root the folder of the kernel's LED class; left out, the kernel's own */
  constructor(name: string, guard: Guard, root?: string) {
    this.#name = name;
    this.#led = new Led(name, root);
    this.#guard = guard;
  }

  async set(lit: boolean): Promise<void> {
    if (performance.now() < this.#againMs) return;
    try {
      await this.#led.set(lit);
      this.#againMs = 0;
      this.#guard.succeeded("indicator-failed", { lamp: this.#name });
    } catch (cause) {
      this.#againMs = performance.now() + RETRY_MS;
      this.#guard.failed("indicator-failed", cause, { lamp: this.#name });
    }
  }
}
