import type { Logger } from "../../runtime/log.ts";
import type { Archive } from "../store/store.ts";

/** How many there are in the store. */
export interface Census {
  readonly devices: number;
  readonly faults: number;
}

const PAGE = 500;
const LEAST_PAUSE_MS = 15_000;
/** A walk may take this part of the time, so that a large store is walked seldom. */
const PAUSE_PER_WALK = 50;

/**
 * Counts devices and faults page by page beside everything else, and answers with the last count meanwhile: a scrape never
 * waits for a walk over a large store.
 */
export class DeviceCensus {
  readonly #archive: Pick<Archive, "devices">;
  readonly #logger: Logger;
  readonly #now: () => number;
  #last: Census | undefined;
  #notBeforeMs = 0;
  #walking: Promise<void> | undefined;

  constructor(
    archive: Pick<Archive, "devices">,
    logger: Logger,
    now: () => number = () => performance.now(),
  ) {
    this.#archive = archive;
    this.#logger = logger;
    this.#now = now;
  }

  /** The last count, and the first one when there is none yet; undefined when the store cannot be read. */
  async count(): Promise<Census | undefined> {
    if (this.#walking === undefined && this.#now() >= this.#notBeforeMs)
      this.#walking = this.#walk().finally(() => {
        this.#walking = undefined;
      });
    if (this.#last === undefined) await this.#walking;
    return this.#last;
  }

  async #walk(): Promise<void> {
    const startedMs = this.#now();
    try {
      this.#last = await this.#counted();
    } catch (cause) {
      this.#logger.problem("census-failed", cause);
    }
    const endedMs = this.#now();
    this.#notBeforeMs = endedMs + Math.max(LEAST_PAUSE_MS, PAUSE_PER_WALK * (endedMs - startedMs));
  }

  async #counted(): Promise<Census> {
    let [devices, faults] = [0, 0];
    let after: Uint8Array = new Uint8Array(0);
    for (;;) {
      const page = await this.#archive.devices(after, PAGE);
      devices += page.length;
      faults += page.reduce((sum, device) => sum + device.faults, 0);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return { devices, faults };
      after = last.key;
      // Others are served between two pages.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
