import { BOUNDARY, type FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import { type ChallengeTerms, giveChallenge, halfSwingOf, isReadOften, middleOf } from "./challenge.ts";
import { isGrid } from "./checks.ts";
import type { Desk } from "./desk.ts";
import type { DeviceLog } from "./device-log.ts";

export interface RandomOptions {
  readonly desk: Desk;
  /** Keys of the devices that are connected now, in hexadecimal. */
  readonly connected: () => Iterable<string>;
  /** A clock that is never set. */
  readonly monotonicMs: () => number;
  /** From 0 to below 1; hard to foresee for devices. */
  readonly random: () => number;
}

const WEEK_MS = 604_800_000;
const HOUR_MS = 3_600_000;
/** What a device can do is asked of a reading this old at most. */
const RECENT_MS = 900_000;
/** How long after its issue the first step may begin. */
const START_WITHIN_MS = 60_000;
/** Challenges begun in one tick. */
const MOST_BEGUN = 16;

/**
 * Challenges connected devices at times that nobody can foresee: however long ago the last one was, the next one is as likely now
 * as ever. Only those that can take one by their newest flexibility reading, and that are bound to nothing meanwhile.
 */
export class RandomChallenges {
  readonly #options: RandomOptions;
  /** When each connected device is challenged next. */
  readonly #due = new Map<string, number>();

  constructor(options: RandomOptions) {
    this.#options = options;
  }

  /** Challenges those that are due. Never throws. */
  async tick(): Promise<void> {
    const nowMs = this.#options.monotonicMs();
    this.#schedule(nowMs);
    const due = [...this.#due].filter(([, atMs]) => atMs <= nowMs).slice(0, MOST_BEGUN);
    for (const [deviceKey] of due) {
      this.#due.set(deviceKey, this.#next(nowMs));
      await this.#challenge(deviceKey);
    }
  }

  #schedule(nowMs: number): void {
    const connected = new Set(this.#options.connected());
    for (const deviceKey of this.#due.keys()) if (!connected.has(deviceKey)) this.#due.delete(deviceKey);
    for (const deviceKey of connected)
      if (!this.#due.has(deviceKey)) this.#due.set(deviceKey, this.#next(nowMs));
  }

  /** Exponential pauses. */
  #next(nowMs: number): number {
    const { desk, random } = this.#options;
    return nowMs + (-Math.log(1 - random()) * WEEK_MS) / desk.config.challengesPerWeek;
  }

  async #challenge(deviceKey: string): Promise<void> {
    const { desk } = this.#options;
    try {
      await desk.orders.turns.take(deviceKey, async () => {
        const log = await desk.logs.newestOf(deviceKey);
        const terms = log && (await this.#termsFor(log));
        if (log !== undefined && terms !== undefined) await giveChallenge(desk, log, terms, true);
      });
    } catch (thrown) {
      // A device that is bound to something else is left alone until its next turn.
      if (thrown instanceof Problem && thrown.code.startsWith("order")) return;
      desk.counters.failed += 1;
      desk.logger.problem("flexibility-failed", thrown, { device: deviceKey });
    }
  }

  /** A channel that can take a challenge now, any with the same chance; undefined where there is none. */
  async #termsFor(log: DeviceLog): Promise<ChallengeTerms | undefined> {
    const { desk, random } = this.#options;
    const able: ChallengeTerms[] = [];
    for (const channel of log.channels.keys()) {
      const reading = await desk.logs.flexibility(log.log, channel);
      const terms = reading && termsOf(desk, log, reading);
      if (terms !== undefined) able.push(terms);
    }
    return able[Math.floor(random() * able.length)];
  }
}

/** The challenge of the configuration, where the reading says that the device can take it. */
export function termsOf(desk: Desk, log: DeviceLog, reading: FlexibilityLeaf): ChallengeTerms | undefined {
  const { config, nowMs } = desk;
  const { channel, minSetpointMw, maxSetpointMw } = reading;
  const isRecent = Math.abs(nowMs() - reading.timeMs) <= RECENT_MS;
  if (!isRecent || reading.availability !== 1 || reading.boundary !== BOUNDARY.device) return undefined;
  const halfSwingMw = halfSwingOf(desk);
  const stepMs = config.stepSeconds * 1000;
  const midMw = middleOf(reading, halfSwingMw);
  if (minSetpointMw === undefined || maxSetpointMw === undefined) return undefined;
  if (!isReadOften(log, channel, stepMs)) return undefined;
  if (midMw - halfSwingMw < minSetpointMw || midMw + halfSwingMw > maxSetpointMw) return undefined;
  // At worst half of the steps are one after the other to one side.
  const energyMwh = (halfSwingMw * config.steps * stepMs) / 2 / HOUR_MS;
  const { reduceEnergyMwh = energyMwh, increaseEnergyMwh = energyMwh } = reading;
  if (reduceEnergyMwh < energyMwh || increaseEnergyMwh < energyMwh) return undefined;
  const siteChannel = [...log.channels].find(
    ([number, state]) => number !== channel && isGrid(state) && isReadOften(log, number, stepMs),
  )?.[0];
  const startByMs = nowMs() + START_WITHIN_MS;
  return { channel, siteChannel, steps: config.steps, stepMs, midMw, halfSwingMw, startByMs };
}
