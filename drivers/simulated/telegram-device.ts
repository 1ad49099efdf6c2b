import { Problem } from "../../attest/problem.ts";
import type { ShownByMeter, SimulatedAnswerer, SimulatedSpeaker } from "./speaking.ts";
import {
  CHANGE_AFTER_MS,
  type MeterFaultName,
  meterFaultsAmong,
  type TelegramFault,
  type TelegramFaultName,
  TelegramFaults,
  withMeterFaults,
} from "./telegram-faults.ts";
import { telegramHome } from "./telegram-home.ts";
import type { MeterKeys, MeterKind, MeterSpeech } from "./telegram-kinds.ts";
import {
  type Answering,
  type Speaking,
  startAnsweringMeter,
  startSpeakingMeter,
  type TelegramMeterHandle,
} from "./telegram-meter.ts";
import type { TelegramPlace } from "./telegram-place.ts";

/** Clocks of a simulated meter, ms. */
export interface MeterClocks {
  /** Never set. */
  readonly monotonicMs: () => number;
  /** Since 1970 UTC. */
  readonly wallMs: () => number;
}

export interface SimulatedMeterOptions {
  readonly kind: MeterKind;
  readonly place: TelegramPlace;
  /** One of the kind's; left out: its first. */
  readonly layout?: string | undefined;
  readonly keys?: MeterKeys;
  /** Digits, at most nine. */
  readonly serial?: string | undefined;
  /** How often it speaks; left out: as such meters do. */
  readonly periodMs?: number | undefined;
  /** How much faster than real time the home's day passes; default 60. */
  readonly daySpeed?: number;
  readonly faults?: readonly TelegramFaultName[];
  readonly clocks?: MeterClocks;
}

/** A running simulated meter with a home behind it. */
export interface SimulatedMeter extends TelegramMeterHandle {
  /** What it shows now. */
  shown(): ShownByMeter;
  /** How many times it spoke or answered, and how often something was wrong with that. */
  said(): number;
  spoilt(): number;
  /** Settles only when the line went away by itself. */
  readonly lost: Promise<Problem>;
}

export const SIMULATED_SERIAL = "30471106";
const REAL_CLOCKS: MeterClocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/**
 * Starts a meter of any protocol in a simulated home.
 *
 * @throws Problem `simulate-layout`, `simulate-fault` for a fault that cannot happen to it, `line-…` or `simulate-place`
 *   when the place cannot be opened
 */
export async function startSimulatedMeter(options: SimulatedMeterOptions): Promise<SimulatedMeter> {
  const { kind, place, faults = [] } = options;
  const speech = await speechOf(options);
  const meter = new HomeMeter(options);
  requirePossible(faults, speech, meter.shown());
  let lose: (problem: Problem) => void = () => undefined;
  const lost = new Promise<Problem>((resolve) => {
    lose = resolve;
  });
  const common = {
    place: place.kind === "serial" ? { ...kind.format, ...place } : place,
    shown: () => meter.shown(),
    fault: () => meter.nextFault(),
    onServed: (_shown: ShownByMeter, fault: TelegramFault | undefined) => meter.count(fault),
    onLost: (problem: Problem) => lose(problem),
  };
  const handle =
    "speaker" in speech
      ? await startSpeakingMeter({
          ...common,
          periodMs: options.periodMs ?? speech.speaker.periodMs,
          speaker: changingSpeaker(speech, () => meter.isKeyChanged()),
        })
      : await startAnsweringMeter({ ...common, answerer: () => changingAnswerer(speech.answerer) });
  return {
    ...handle,
    shown: () => meter.shown(),
    said: () => meter.said,
    spoilt: () => meter.spoilt,
    lost,
  };
}

type Speech =
  | { readonly speaker: SimulatedSpeaker; readonly rekeyed: SimulatedSpeaker | undefined }
  | Extract<MeterSpeech, { readonly answerer: unknown }>;

async function speechOf({
  kind,
  layout = kind.layouts[0],
  keys = {},
}: SimulatedMeterOptions): Promise<Speech> {
  if (layout === undefined || !kind.layouts.includes(layout))
    throw new Problem("simulate-layout", "such a meter has no layout of that name", {
      where: "layout",
      expected: kind.layouts.length === 0 ? "none" : `one of ${kind.layouts.join(", ")}`,
      got: JSON.stringify(layout),
    });
  if (keys.key !== undefined && !kind.isEncryptable)
    throw new Problem("simulate-key", "telegrams of such meters are never encrypted", { expected: "no key" });
  const speech = await kind.load({ layout, keys });
  if (!("speaker" in speech)) return speech;
  const other = keys.key === undefined ? undefined : await kind.load({ layout, keys: withOtherKey(keys) });
  return {
    speaker: speech.speaker,
    rekeyed: other !== undefined && "speaker" in other ? other.speaker : undefined,
  };
}

function withOtherKey({ key, ...rest }: MeterKeys): MeterKeys {
  return key === undefined ? rest : { ...rest, key: key.map((byte) => byte ^ 0xff) };
}

function changingSpeaker(
  { speaker, rekeyed = speaker }: Extract<Speech, { readonly speaker: unknown }>,
  isChanged: () => boolean,
): Speaking<ShownByMeter> {
  return {
    telegrams: (shown) => (isChanged() ? rekeyed : speaker).telegrams(shown),
    withWrongChecksum: (telegram) => speaker.withWrongChecksum(telegram),
  };
}

/** Another meter knows nothing of the conversation with the one before. */
function changingAnswerer(make: (serial: string) => SimulatedAnswerer): Answering<ShownByMeter> {
  let known: { readonly serial: string; readonly answerer: SimulatedAnswerer } | undefined;
  return {
    answers: (bytes, shown) => {
      const { serial } = shown;
      if (known?.serial !== serial) known = { serial, answerer: make(serial) };
      return known.answerer.answers(bytes, shown);
    },
    withWrongChecksum: (telegram) => known?.answerer.withWrongChecksum(telegram),
  };
}

function requirePossible(faults: readonly TelegramFaultName[], speech: Speech, shown: ShownByMeter): void {
  const canChangeKey = "speaker" in speech && speech.rekeyed !== undefined;
  if (faults.includes("key-change") && !canChangeKey) throw noPlaceFor("key-change", "a meter without a key");
  if (!faults.includes("wrong-checksum") || !("speaker" in speech)) return;
  const telegram = speech.speaker.telegrams(shown).at(-1);
  if (telegram === undefined || speech.speaker.withWrongChecksum(telegram) === undefined)
    throw noPlaceFor("wrong-checksum", "telegrams without a checksum");
}

function noPlaceFor(fault: TelegramFaultName, why: string): Problem {
  return new Problem("simulate-fault", `the fault ${fault} cannot happen to this meter`, { got: why });
}

/** What a meter in a home shows, and what goes wrong with it, as time passes. */
class HomeMeter {
  readonly #clocks: MeterClocks;
  readonly #startMs: number;
  readonly #home: () => ShownByMeter;
  readonly #first: ShownByMeter;
  readonly #faults: readonly MeterFaultName[];
  readonly #wire: TelegramFaults;
  said = 0;
  spoilt = 0;

  constructor({
    kind,
    layout = kind.layouts[0],
    serial = SIMULATED_SERIAL,
    ...options
  }: SimulatedMeterOptions) {
    const { clocks = REAL_CLOCKS, daySpeed = 60, faults = [] } = options;
    this.#clocks = clocks;
    this.#startMs = clocks.monotonicMs();
    this.#faults = meterFaultsAmong(faults);
    this.#wire = new TelegramFaults(faults);
    this.#home = telegramHome({
      ...{ part: kind.partOf(layout ?? ""), serial, daySpeed },
      ...{ monotonicMs: clocks.monotonicMs, clockMs: clocks.wallMs },
    });
    this.#first = this.#home();
  }

  get #elapsedMs(): number {
    return this.#clocks.monotonicMs() - this.#startMs;
  }

  shown(): ShownByMeter {
    const context = { faults: this.#faults, elapsedMs: Math.floor(this.#elapsedMs), first: this.#first };
    return withMeterFaults(this.#home(), context);
  }

  nextFault(): TelegramFault | undefined {
    return this.#wire.next(this.#elapsedMs);
  }

  isKeyChanged(): boolean {
    return this.#faults.includes("key-change") && this.#elapsedMs >= CHANGE_AFTER_MS;
  }

  count(fault: TelegramFault | undefined): void {
    this.said += 1;
    if (fault !== undefined) this.spoilt += 1;
  }
}
