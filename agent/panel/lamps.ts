import { type Indicated, indicated } from "../../firmware-bridge/indicator/indicated.ts";
import { Indicator } from "../../firmware-bridge/indicator/indicator.ts";
import type { IndicatorConfig } from "../../firmware-bridge/indicator/settings.ts";
import type { Guard } from "../guard.ts";
import type { JudgedReport } from "../outlet/report.ts";
import { GuardedLamp } from "./guarded-lamp.ts";
import { type LampPace, lampFacts } from "./lamp-facts.ts";

/** What the lamps need of the agent around them. */
export interface LampsHost {
  readonly guard: Guard;
  readonly pace: LampPace;
  report(): JudgedReport;
  /** Folder of the kernel's LED class, where it is another one. */
  readonly ledRoot?: string;
}

/** The lamps ask twice a second; how everything stands is looked up as often as somebody can tell. */
const LOOK_MS = 1000;

/** The lamps of a gateway: how far readings come, and what somebody can see to. */
export class Lamps {
  readonly #host: LampsHost;
  readonly #indicator: Indicator;
  #shown: Indicated = { stage: "starting" };
  #lookedMs = Number.NEGATIVE_INFINITY;
  #durable: { readonly leaves: number; readonly atMs: number | undefined } | undefined;

  constructor({ lamps }: IndicatorConfig, host: LampsHost) {
    this.#host = host;
    const lamp = (name: string): GuardedLamp => new GuardedLamp(name, host.guard, host.ledRoot);
    const [first, second, third] = lamps;
    this.#indicator = new Indicator({
      lamps:
        second === undefined || third === undefined
          ? [lamp(first)]
          : [lamp(first), lamp(second), lamp(third)],
      now: () => this.#look(),
      onProblem: (problem) => host.guard.failed("indicator-failed", problem),
    });
  }

  /** What they say. */
  get shown(): Indicated {
    return this.#shown;
  }

  start(): void {
    this.#indicator.start();
  }

  /** The lamps go dark. */
  stop(): Promise<void> {
    return this.#indicator.stop();
  }

  #look(): Indicated {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < LOOK_MS) return this.#shown;
    this.#lookedMs = nowMs;
    const report = this.#host.report();
    this.#shown = indicated(lampFacts(report, this.#host.pace, this.#sinceDurableMs(report, nowMs)));
    return this.#shown;
  }

  /** Since the log last grew on the disk; what was there at the start was written by somebody else. */
  #sinceDurableMs({ log }: JudgedReport, nowMs: number): number | undefined {
    const leaves = log.durableLeaves;
    if (this.#durable?.leaves !== leaves)
      this.#durable = { leaves, atMs: this.#durable === undefined ? undefined : nowMs };
    const { atMs } = this.#durable ?? {};
    return atMs === undefined ? undefined : nowMs - atMs;
  }
}
