import { Problem } from "../../attest/problem.ts";
import { changeToWinterMs, isSummerTime } from "../telegram/summer-time.ts";
import type { ShownByMeter } from "./speaking.ts";

/** Faults of the wire, which hit one telegram in ten or so. */
const WIRE_FAULTS = {
  noise: "before one telegram in ten come some bytes of nothing",
  "lost-bytes": "one telegram in ten lacks seven bytes of its middle",
  "wrong-checksum": "one telegram in ten has a changed value, and its checksum as before",
  truncated: "one telegram in ten ends in its middle",
  "repeated-telegram": "one telegram in ten comes twice",
} as const;

/** Faults of the meter itself. */
const METER_FAULTS = {
  silence: "half a minute after the start, and each 90 s again, the meter says nothing for 40 s",
  midnight: "10 s after the start the meter's clock passes midnight in Central Europe",
  "dst-hour": "10 s after the start the meter's clock begins to repeat the last hour of summer time",
  "meter-swap": "half a minute after the start another meter is on the line, with registers of its own",
  "key-change": "half a minute after the start telegrams are enciphered with another key",
} as const;

/** What can go wrong with a simulated meter, one sentence each. */
export const TELEGRAM_FAULTS: Readonly<Record<TelegramFaultName, string>> = {
  ...WIRE_FAULTS,
  ...METER_FAULTS,
};

export type WireFaultName = keyof typeof WIRE_FAULTS;
export type MeterFaultName = keyof typeof METER_FAULTS;
export type TelegramFaultName = WireFaultName | MeterFaultName;
/** What happens to what a meter says at one instant. */
export type TelegramFault = WireFaultName | "silence";

/** The fault of that name. Throws Problem `simulate-fault`, which lists the known names. */
export function telegramFaultNamed(name: string): TelegramFaultName {
  if (isFault(name)) return name;
  throw new Problem("simulate-fault", "there is no such fault of a meter", {
    expected: `one of ${Object.keys(TELEGRAM_FAULTS).join(", ")}`,
    got: JSON.stringify(name),
  });
}

function isFault(name: string): name is TelegramFaultName {
  return Object.hasOwn(TELEGRAM_FAULTS, name);
}

function isWireFault(name: TelegramFaultName): name is WireFaultName {
  return Object.hasOwn(WIRE_FAULTS, name);
}

/** Bytes of a disturbed line, among them those with which telegrams begin and end. */
const NOISE: readonly number[] = [
  0xff, 0x00, 0x2f, 0x41, 0x21, 0x0d, 0x0a, 0xdb, 0x80, 0x1b, 0x1b, 0x68, 0x28, 0x2f, 0x2f, 0x7f, 0x02, 0x21,
  0x0a,
];
const LOST_BYTES = 7;

/** A telegram with one value changed and its checksum left as it was; undefined where it has none. */
export type WrongChecksum = (telegram: Uint8Array) => Uint8Array | undefined;

/**
 * What arrives instead of what a meter says at one instant. Noise comes before all of it, a repetition is of all of it;
 * what spoils a telegram spoils the last one. Undefined where that fault cannot happen to it.
 */
export function withTelegramFault(
  telegrams: readonly Uint8Array[],
  fault: TelegramFault,
  wrongChecksum: WrongChecksum,
): readonly Uint8Array[] | undefined {
  const before = telegrams.slice(0, -1);
  const last = telegrams.at(-1);
  if (last === undefined) return undefined;
  const middle = last.length >>> 1;
  switch (fault) {
    case "silence":
      return [];
    case "noise":
      return [Uint8Array.of(...NOISE, ...(telegrams[0] ?? [])), ...telegrams.slice(1)];
    case "repeated-telegram":
      return [...telegrams, ...telegrams];
    case "truncated":
      return [...before, last.slice(0, middle)];
    case "lost-bytes":
      return [...before, Uint8Array.of(...last.subarray(0, middle), ...last.subarray(middle + LOST_BYTES))];
    case "wrong-checksum":
      return withLast(before, wrongChecksum(last));
  }
}

function withLast(
  before: readonly Uint8Array[],
  last: Uint8Array | undefined,
): readonly Uint8Array[] | undefined {
  return last === undefined ? undefined : [...before, last];
}

/** From one spoilt telegram to the next: 5 to 15, so that no reader's own rhythm always meets it. */
const GAP = { least: 5, choices: 11 };
const SILENCE = { firstMs: 30_000, everyMs: 90_000, forMs: 40_000 };

/** Picks what goes wrong with what a meter says: the first time, and then one time in ten, each of the faults in turn. */
export class TelegramFaults {
  readonly #wire: readonly WireFaultName[];
  readonly #silence: boolean;
  #spoilt = 0;
  #left = 0;

  constructor(names: readonly TelegramFaultName[]) {
    this.#wire = names.filter(isWireFault);
    this.#silence = names.includes("silence");
  }

  /** The fault of what is said so long after the start. */
  next(elapsedMs: number): TelegramFault | undefined {
    if (this.#silence && isSilent(elapsedMs)) return "silence";
    const name = this.#wire[this.#spoilt % this.#wire.length];
    if (name === undefined || this.#left-- > 0) return undefined;
    this.#spoilt += 1;
    this.#left = GAP.least + ((this.#spoilt * 7) % GAP.choices) - 1;
    return name;
  }
}

function isSilent(elapsedMs: number): boolean {
  const { firstMs, everyMs, forMs } = SILENCE;
  return elapsedMs >= firstMs && (elapsedMs - firstMs) % everyMs < forMs;
}

/** So long after the start a meter or its key is exchanged. */
export const CHANGE_AFTER_MS = 30_000;
/** So long after the start a clock is at the instant that a fault is about. */
const INSTANT_AFTER_MS = 10_000;
/** Where the registers of the other meter begin: somebody has tried it. */
const OTHER_START_MWH = 1_234_000;

/** What faults of the meter hang on. */
export interface MeterFaultContext {
  readonly faults: readonly MeterFaultName[];
  readonly elapsedMs: number;
  /** What the meter showed at the start. */
  readonly first: ShownByMeter;
}

/** The faults among these that a meter shows by itself. */
export function meterFaultsAmong(names: readonly TelegramFaultName[]): readonly MeterFaultName[] {
  return names.filter((name): name is MeterFaultName => !isWireFault(name));
}

/** What a meter with these faults shows instead. */
export function withMeterFaults(shown: ShownByMeter, context: MeterFaultContext): ShownByMeter {
  const { faults, elapsedMs, first } = context;
  const clocked = { ...shown, timeMs: faultyTimeMs(shown, context) };
  const isSwapped = faults.includes("meter-swap") && elapsedMs >= CHANGE_AFTER_MS;
  return isSwapped ? anotherMeter(clocked, first) : clocked;
}

function faultyTimeMs({ timeMs }: ShownByMeter, { faults, elapsedMs, first }: MeterFaultContext): number {
  const instantMs = faults.includes("dst-hour")
    ? lastEndOfSummerTime(first.timeMs)
    : faults.includes("midnight")
      ? lastMidnight(first.timeMs)
      : undefined;
  return instantMs === undefined ? timeMs : instantMs - INSTANT_AFTER_MS + elapsedMs;
}

function anotherMeter(shown: ShownByMeter, first: ShownByMeter): ShownByMeter {
  const since = (name: "importT1Mwh" | "importT2Mwh" | "exportT1Mwh" | "exportT2Mwh"): number =>
    OTHER_START_MWH + shown[name] - first[name];
  return {
    ...shown,
    serial: otherSerial(shown.serial),
    importT1Mwh: since("importT1Mwh"),
    importT2Mwh: since("importT2Mwh"),
    exportT1Mwh: since("exportT1Mwh"),
    exportT2Mwh: since("exportT2Mwh"),
  };
}

/** The same with another last digit. */
function otherSerial(serial: string): string {
  return serial.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10));
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** The last midnight in Central European time at or before `timeMs`, ms since 1970 UTC. */
function lastMidnight(timeMs: number): number {
  const winterMs = Math.floor((timeMs + HOUR_MS) / DAY_MS) * DAY_MS - HOUR_MS;
  const summerMs = Math.floor((timeMs + 2 * HOUR_MS) / DAY_MS) * DAY_MS - 2 * HOUR_MS;
  return isSummerTime(summerMs) ? summerMs : winterMs;
}

function lastEndOfSummerTime(timeMs: number): number {
  const year = new Date(timeMs).getUTCFullYear();
  const thisYear = changeToWinterMs(year);
  return thisYear <= timeMs ? thisYear : changeToWinterMs(year - 1);
}
