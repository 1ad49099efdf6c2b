import type { Logger } from "../../runtime/log.ts";
import { Guard } from "../guard.ts";

/** What each device is told, one thing after another; a slow device keeps no other one waiting. */
export class DeviceLines {
  readonly #guard: Guard;
  readonly #tails = new Map<string, Promise<void>>();

  constructor(logger: Logger) {
    this.#guard = new Guard(logger);
  }

  /** Does `work` behind everything that the device is still being told. Never rejects. */
  queue(device: string, work: () => Promise<void>): Promise<void> {
    const before = this.#tails.get(device) ?? Promise.resolve();
    const tail = before.then(() => this.#run(device, work));
    this.#tails.set(device, tail);
    return tail.then(() => {
      if (this.#tails.get(device) === tail) this.#tails.delete(device);
    });
  }

  /** As {@link DeviceLines.queue}; where the device is being told something, waits for that and does nothing more. */
  whenIdle(device: string, work: () => Promise<void>): Promise<void> {
    return this.#tails.get(device) ?? this.queue(device, work);
  }

  /** When nothing is left for the device to be told, or for any. */
  async idle(device?: string): Promise<void> {
    if (device !== undefined) return await this.#tails.get(device);
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  async #run(device: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#guard.succeeded("flex-device-failed", { device });
    } catch (cause) {
      this.#guard.failed("flex-device-failed", cause, { device });
    }
  }
}
