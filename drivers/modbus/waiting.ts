import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";

/** Resolves at that time of performance.now() or just after it, never before; rejects when `signal` is aborted. */
export async function sleepUntil(atMs: number, signal?: AbortSignal): Promise<void> {
  for (let left = atMs - performance.now(); left > 0; left = atMs - performance.now())
    await sleep(Math.ceil(left), undefined, signal === undefined ? {} : { signal });
}

/**
 * Lets the event loop deliver every byte that the operating system holds by now. A process that was kept from running
 * finds its timers expired before it sees the bytes that came in the meantime, and must not take that for silence.
 */
export async function bytesDelivered(): Promise<void> {
  // The first turn may already be past its poll phase; the second one is not.
  await immediate();
  await immediate();
}
