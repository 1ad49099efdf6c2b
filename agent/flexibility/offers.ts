import { type BaselineRequest, pastError } from "../../attest/baseline/baseline.ts";
import { closedEnergies, type EnergyAt } from "../../attest/baseline/energies.ts";
import { DAY_MS, instantOf, localDay, openZone, type Zone } from "../../attest/baseline/zone.ts";
import { DIRECTION, type Offer } from "../../attest/leaf-flexibility.ts";
import { describeProblem } from "../../attest/problem.ts";
import { Guard } from "../guard.ts";
import type { UntimedLifecycle } from "../sealing/leaves.ts";
import type { FlexHost, FlexibilityConfig, OfferSettings } from "./host.ts";
import {
  calendarDigest,
  calendarOf,
  type OfferCalendar,
  offeredTerms,
  parametersDigest,
} from "./offered-terms.ts";

/** What the methods' look-backs and the error's own 45 days take together. */
const HISTORY_MS = 110 * DAY_MS;

/** What an offer's calendar has beside the configuration: local days on which commitments were called. */
export type EventDays = () => readonly number[];

/** The offers of the configuration, each once a local day for the window that it is about. */
export class Offers {
  readonly #host: FlexHost;
  readonly #config: FlexibilityConfig;
  readonly #eventDays: EventDays;
  readonly #guard: Guard;
  readonly #sealed = new Map<number, Offer>();
  /** The local day up to which each offer has been seen to. */
  readonly #seenTo = new Map<OfferSettings, number>();
  readonly #zone: Zone | undefined;

  constructor(host: FlexHost, config: FlexibilityConfig, eventDays: EventDays) {
    this.#host = host;
    this.#config = config;
    this.#eventDays = eventDays;
    this.#guard = new Guard(host.logger);
    this.#zone = host.timeZone === undefined ? undefined : openZone(host.timeZone);
    if (this.#zone === undefined && config.offers.length > 0)
      host.logger.warn("flex-no-time-zone", { hint: "set site.timeZone: nothing is offered without it" });
  }

  /** Offer leaves of this epoch, by seq. */
  get sealed(): ReadonlyMap<number, Offer> {
    return this.#sealed;
  }

  /** Takes up what the log holds, instead of what was known before. */
  restore(offers: readonly Offer[]): void {
    this.#sealed.clear();
    this.#seenTo.clear();
    for (const offer of offers) this.#sealed.set(offer.seq, offer);
  }

  /** Offers what is due. Returns whether anything was sealed. */
  tick(): boolean {
    if (this.#zone === undefined || !this.#host.clockKnown()) return false;
    const today = localDay(this.#zone, this.#host.nowMs());
    let sealed = false;
    for (const offer of this.#config.offers)
      if ((this.#seenTo.get(offer) ?? Number.NEGATIVE_INFINITY) < today)
        sealed = this.#look(offer, this.#zone, today) || sealed;
    return sealed;
  }

  #look(offer: OfferSettings, zone: Zone, today: number): boolean {
    const channel = this.#host
      .channels()
      .find((each) => each.device === offer.device && each.channel === offer.channel)?.number;
    // A device that has not answered yet has no channel: asked again at the next tick.
    if (channel === undefined) return false;
    let sealed = false;
    const name = `${offer.device}/${offer.channel}`;
    this.#guard.run(
      "flex-offer-failed",
      () => {
        sealed = this.#offer(offer, { zone, day: today + offer.daysAhead, channel });
      },
      { channel: name },
    );
    this.#seenTo.set(offer, today);
    return sealed;
  }

  #offer(offer: OfferSettings, at: { zone: Zone; day: number; channel: number }): boolean {
    const window = windowOf(offer, at.zone, at.day);
    const { channel } = at;
    const { boundary, direction } = offer;
    const isKnown = [...this.#sealed.values()].some(
      (known) =>
        known.channel === channel &&
        known.boundary === boundary &&
        known.direction === direction &&
        known.fromMs === window.fromMs &&
        known.toMs === window.toMs,
    );
    if (isKnown || window.fromMs - offer.noticeMs <= this.#host.nowMs()) return false;
    const calendar = calendarOf(at.day, {
      holidays: this.#config.holidays,
      excludedDays: [...this.#config.excludedDays, ...this.#eventDays()],
    });
    const body = this.#body(offer, { ...at, ...window, calendar });
    const { seq, timeMs } = this.#host.seal(body);
    this.#sealed.set(seq, { ...body, seq, timeMs, timeQuality: 0, salt: new Uint8Array(16) });
    return true;
  }

  #body(offer: OfferSettings, terms: Terms): UntimedLifecycle<Offer> {
    const { boundary, direction, powerMw, energyMwh, noticeMs, baselineMethod } = offer;
    const { channel, fromMs, toMs, calendar, zone } = terms;
    return {
      kind: "offer",
      ...{ channel, boundary, direction, fromMs, toMs, powerMw, noticeMs, baselineMethod },
      ...(energyMwh === undefined ? {} : { energyMwh }),
      parametersDigest: parametersDigest(offeredTerms(offer, zone.name, calendar)),
      calendarDigest: calendarDigest(calendar),
      ...this.#error(offer, terms),
    };
  }

  /** What the method was off on past days; nothing where it cannot be said yet. */
  #error(offer: OfferSettings, terms: Terms): Pick<Offer, "biasPpm" | "relativeRmsePpm"> {
    try {
      const { error } = pastError(this.#request(offer, terms));
      if (error === undefined) return {};
      const { biasPpm, relativeRmsePpm } = error;
      return { biasPpm, relativeRmsePpm };
    } catch (thrown) {
      const { code, message } = describeProblem(thrown);
      this.#host.logger.info("flex-offer-without-error", { code, reason: message });
      return {};
    }
  }

  /** Past days have days before them, so that here the calendar is the whole one. */
  #request(offer: OfferSettings, { channel, fromMs, toMs, zone }: Terms): BaselineRequest {
    const intervalMs = this.#host.intervalMs();
    return {
      method: offer.baselineMethod,
      direction: offer.direction === DIRECTION.reduce ? "reduce" : "increase",
      windows: [{ fromMs, toMs }],
      intervalMs,
      noticeMs: fromMs - offer.noticeMs,
      energyAt: this.#energyAt(channel, intervalMs),
      calendar: {
        zone,
        holidays: new Set(this.#config.holidays),
        excluded: new Set([...this.#config.excludedDays, ...this.#eventDays()]),
      },
    };
  }

  /** By the later close, where a clock that was set back has left two of one interval. */
  #energyAt(channel: number, intervalMs: number): EnergyAt {
    const nowMs = this.#host.nowMs();
    const closes = this.#host.closes(channel, nowMs - HISTORY_MS, nowMs);
    const known = new Map(
      closedEnergies(closes, intervalMs).map(({ startMs, energyMwh }) => [startMs, energyMwh]),
    );
    return (startMs) => known.get(startMs);
  }
}

interface Terms {
  readonly channel: number;
  readonly zone: Zone;
  readonly fromMs: number;
  readonly toMs: number;
  readonly calendar: OfferCalendar;
}

/** [fromMs, toMs) of an offer on a local day, UTC; 24:00 is the beginning of the next day. */
export function windowOf(
  { fromClockMs, toClockMs }: Pick<OfferSettings, "fromClockMs" | "toClockMs">,
  zone: Zone,
  day: number,
): { readonly fromMs: number; readonly toMs: number } {
  const at = (clockMs: number): number =>
    instantOf(zone, day + Math.floor(clockMs / DAY_MS), { clockMs: clockMs % DAY_MS, repeat: 0 });
  return { fromMs: at(fromClockMs), toMs: at(toClockMs) };
}
