import { describeProblem, type Problem } from "../../attest/problem.ts";
import {
  type SealedTamperState,
  TAMPER_STATES,
  type TamperEvent,
} from "../../firmware-bridge/tamper/tamper.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Guard } from "../guard.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { CalmedState } from "./calmed-state.ts";
import type { EnclosureStatus } from "./panel-status.ts";

/** What a watch over an enclosure needs of the agent around it. */
export interface EnclosureHost {
  readonly logger: Logger;
  readonly guard: Guard;
  /** The sealer of the log as it is now, after the clock has stated what it has to. */
  sealer(): Sealer;
  /** Makes what was sealed durable now, and has it signed soon. */
  urgent(): void;
}

/** What was seen, beside the state, for the log line. */
type Seen = Omit<TamperEvent, "input" | "state">;

/** Older ones are given up while the journal takes nothing; each of them has its log line. */
const MOST_WAITING = 64;

/** What is seen of one enclosure, made into leaves, and one log line each. It has no timer: {@link tick} is called each second. */
export class EnclosureWatch {
  readonly #name: string;
  readonly #host: EnclosureHost;
  readonly #state = new CalmedState();
  /** What the log does not say yet, oldest first. */
  readonly #waiting: SealedTamperState[] = [];
  #epoch: number | undefined;
  #sinceMs: number | undefined;
  #openings = 0;
  #leaves = 0;
  #seen: Seen | undefined;
  #problem: Problem | undefined;
  /** Codes of which a line said why nobody watches, since somebody did. */
  readonly #saidCodes = new Set<string>();

  constructor(name: string, host: EnclosureHost) {
    this.#name = name;
    this.#host = host;
  }

  seen({ input: _, state, ...seen }: TamperEvent): void {
    if (state === "opened" && this.#state.now !== "opened") this.#openings += 1;
    this.#seen = seen;
    this.#say(this.#state.push(state, performance.now()));
  }

  /** Nobody watches any more, or could not begin to. */
  unwatched(problem: Problem): void {
    this.#problem = problem;
    this.#say(this.#state.push("unwatched", performance.now()));
    if (this.#state.sealed === "unwatched") this.#sayWhy(problem);
  }

  /** Says what has lasted long enough, and again what the journal would not take, or a new epoch does not know. */
  tick(): void {
    this.#say(this.#state.settle(performance.now()));
    this.#seal();
  }

  /** From here on nobody of this agent watches. */
  stop(): void {
    if (this.#state.now === undefined) return;
    const state = this.#state.push("unwatched", performance.now());
    if (state !== undefined) this.#queue(state);
    this.#seal();
  }

  status(): EnclosureStatus {
    const { sealed, dueMs, sinceMs } = this.#state;
    const nowMs = performance.now();
    return {
      name: this.#name,
      ...(sealed === undefined ? {} : { state: sealed }),
      ...(this.#sinceMs === undefined ? {} : { sinceMs: this.#sinceMs }),
      ...(dueMs === undefined
        ? {}
        : {
            betterForMs: Math.max(0, Math.floor(nowMs - sinceMs)),
            believedInMs: Math.max(0, Math.ceil(dueMs - nowMs)),
          }),
      ...{ openings: this.#openings, leaves: this.#leaves, waiting: this.#waiting.length },
      ...(sealed !== "unwatched" || this.#problem === undefined ? {} : { problem: this.#problem.message }),
    };
  }

  #say(state: SealedTamperState | undefined): void {
    if (state === undefined) return;
    const { logger } = this.#host;
    const fields = { input: this.#name, ...this.#seen };
    if (state === "opened") logger.warn("enclosure-opened", fields);
    else if (state === "closed") logger.info("enclosure-closed", fields);
    if (state !== "unwatched") this.#saidCodes.clear();
    this.#queue(state);
    this.#seal();
  }

  /** A line for each cause, however often it is tried. */
  #sayWhy(problem: Problem): void {
    const { code } = describeProblem(problem);
    if (this.#saidCodes.has(code)) return;
    this.#saidCodes.add(code);
    this.#host.logger.problem("enclosure-unwatched", problem, { input: this.#name });
  }

  #queue(state: SealedTamperState): void {
    this.#sinceMs = Date.now();
    this.#waiting.push(state);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
  }

  #seal(): void {
    let isUrgent = false;
    this.#host.guard.run(
      "tamper-unsealed",
      () => {
        const { clock, rules } = this.#host.sealer();
        if (clock.isBusy) return;
        this.#introduce(rules.identity.epoch);
        for (let state = this.#waiting[0]; state !== undefined; state = this.#waiting[0]) {
          this.#append(state);
          isUrgent ||= state !== "closed";
        }
      },
      { input: this.#name },
    );
    if (isUrgent) this.#host.urgent();
  }

  /** A log that begins anew says how it is, too. */
  #introduce(epoch: number): void {
    const { sealed } = this.#state;
    const isNew = this.#epoch !== undefined && this.#epoch !== epoch;
    if (isNew && sealed !== undefined && this.#waiting.length === 0) this.#waiting.push(sealed);
  }

  #append(state: SealedTamperState): void {
    const sealer = this.#host.sealer();
    sealer.append({
      ...{ kind: "tamper", ...sealer.clock.now() },
      ...{ input: this.#name, state: TAMPER_STATES[state] },
    });
    this.#epoch = sealer.rules.identity.epoch;
    this.#waiting.shift();
    this.#leaves += 1;
  }
}
