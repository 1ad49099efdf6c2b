import { sleepUntil } from "../modbus/waiting.ts";

/** Lets through so many turns a second and no more, however many wait. */
export class Pace {
  readonly #gapMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number) {
    this.#gapMs = 1000 / perSecond;
  }

  /** Resolves when it is the caller's turn; rejects when `signal` is aborted. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const mine = Math.max(now, this.#nextMs);
    this.#nextMs = mine + this.#gapMs;
    if (mine > now) await sleepUntil(mine, signal);
  }
}

/** Works through all items, at most `width` of them at a time; stops taking new ones when `signal` is aborted. */
export async function inParallel<T>(
  items: readonly T[],
  { width, signal }: { readonly width: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) {
      if (signal.aborted) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
