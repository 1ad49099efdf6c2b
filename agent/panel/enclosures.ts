import type { TamperInput } from "../../firmware-bridge/tamper/tamper.ts";
import { type EnclosureSettings, WatchedEnclosure } from "../../firmware-bridge/tamper/watched-enclosure.ts";
import { type EnclosureHost, EnclosureWatch } from "./enclosure-watch.ts";
import type { EnclosureStatus } from "./panel-status.ts";

const TICK_MS = 1000;

/** The enclosures of a gateway, watched: what happens to them is in the log. */
export class Enclosures {
  readonly #watched: readonly { readonly input: TamperInput; readonly watch: EnclosureWatch }[];
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: readonly EnclosureSettings[], host: EnclosureHost) {
    this.#watched = settings.map((one) => ({
      ...{ input: new WatchedEnclosure(one), watch: new EnclosureWatch(one.input, host) },
    }));
  }

  start(): void {
    for (const { input, watch } of this.#watched)
      input.start({
        onTamper: (event) => watch.seen(event),
        onProblem: (problem) => watch.unwatched(problem),
      });
    if (this.#watched.length > 0)
      this.#timer = setInterval(() => {
        for (const { watch } of this.#watched) watch.tick();
      }, TICK_MS);
  }

  /** Before the last commit. Never throws, may be called twice. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#watched.map(({ input }) => input.stop()));
    for (const { watch } of this.#watched) watch.stop();
  }

  status(): EnclosureStatus[] {
    return this.#watched.map(({ watch }) => watch.status());
  }
}
