import type { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "../line/line.ts";
import { Bursts } from "./listen-bursts.ts";
import { Ear, type Hearing, isKnown } from "./listen-ear.ts";
import type { ListenStop } from "./listen-plan.ts";
import type { ListenTimes } from "./terms.ts";

/** What came at one setting of a line. */
export interface StopResult {
  readonly hearing: Hearing | undefined;
  /** The first of what came. */
  readonly bytes: Uint8Array;
  /** More came than noise. */
  readonly spoke: boolean;
}

/** A burst of which a telegram was damaged shows by the next one whether the settings are right. */
const BURSTS_WHEN_DAMAGED = 2;
const KEPT_BYTES = 256;

/** Listens at one setting of a line until it is known who speaks, or that nobody does whom one may know there. */
export class StopListener {
  readonly #patienceMs: number;
  readonly #times: ListenTimes;
  readonly #ear: Ear;
  #bursts: Bursts;
  #openedMs = 0;
  /** When a telegram first came whole, and when there was nothing more to wait for. */
  #heardMs: number | undefined;
  #knownMs: number | undefined;
  #kept: Uint8Array = new Uint8Array();
  #lost: Problem | undefined;

  constructor({ speakers, patienceMs }: ListenStop, times: ListenTimes) {
    this.#patienceMs = patienceMs;
    this.#times = times;
    this.#ear = new Ear(speakers);
    this.#bursts = new Bursts(0, times.gapMs);
  }

  /** @throws Problem `line-…` */
  async open(line: ByteLine): Promise<void> {
    this.#begin();
    await line.open({
      onBytes: (bytes) => this.#take(bytes),
      onClosed: (problem) => {
        this.#lost = problem;
      },
    });
    if (!this.#bursts.any) this.#begin();
  }

  /** Since the line was opened. */
  get spentMs(): number {
    return performance.now() - this.#openedMs;
  }

  /** @throws Problem `line-…` when the line was lost */
  isDone(): boolean {
    if (this.#lost !== undefined) throw this.#lost;
    const best = this.#ear.best();
    if (best === undefined) return this.#isInVain();
    const nowMs = performance.now();
    this.#heardMs ??= nowMs;
    if (isKnown(best)) this.#knownMs ??= nowMs;
    // Around a telegram may stand what another kind knows better.
    if (this.#knownMs !== undefined) return nowMs - this.#knownMs >= this.#times.gapMs;
    // It may say its name in another of its telegrams.
    return nowMs - this.#heardMs > this.#patienceMs;
  }

  result(): StopResult {
    return { hearing: this.#ear.best(), bytes: this.#kept, spoke: this.#bursts.spoke };
  }

  #isInVain(): boolean {
    const limitMs = this.#patienceMs + (this.#bursts.spoke ? this.#times.telegramMs : 0);
    if (this.spentMs > limitMs || this.#bursts.endless) return true;
    const enough = this.#ear.damaged ? BURSTS_WHEN_DAMAGED : 1;
    return this.#bursts.whole(performance.now()) >= enough;
  }

  #begin(): void {
    this.#openedMs = performance.now();
    this.#bursts = new Bursts(this.#openedMs, this.#times.gapMs);
  }

  #take(bytes: Uint8Array): void {
    this.#bursts.take(bytes.length, performance.now());
    this.#ear.take(bytes);
    this.#kept = Uint8Array.of(...this.#kept, ...bytes.subarray(0, KEPT_BYTES - this.#kept.length));
  }
}
