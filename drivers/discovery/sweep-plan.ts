import { formatText, type SerialFormat } from "../line/address.ts";
import { lineTiming } from "../modbus/line-timing.ts";
import { formatOf } from "../profile/delivery.ts";
import type { ProfileTransport } from "../profile/profile.ts";
import type { RegisterRange } from "./facts.ts";
import type { KnownProfile } from "./known.ts";
import { type FormatText, formatFrom, sameFormat } from "./serial-format.ts";
import { SERIAL_UNITS, serialUnits } from "./units.ts";

/** One short request to one unit. */
export interface SweepAsk {
  readonly unit: number;
  readonly range: RegisterRange;
}

/** The line is opened with these settings once, and these units are asked. */
export interface SweepStop {
  readonly format: SerialFormat;
  readonly asks: readonly SweepAsk[];
}

export interface SweepOptions {
  /** All units at every setting. */
  readonly allUnits: boolean;
  /** Settings that no known device is delivered with, too. */
  readonly thorough: boolean;
}

/** What installers set meters to, beside what they are delivered with. */
const USUAL: readonly FormatText[] = [
  ...(["9600 8N1", "19200 8E1", "9600 8E1", "19200 8N1", "38400 8N1", "2400 8N1", "4800 8N1"] as const),
  ...(["115200 8N1", "2400 8E1", "38400 8E1", "57600 8N1"] as const),
];
const ALL_BAUDS = [9600, 19200, 38400, 2400, 4800, 115_200, 57_600, 1200] as const;
const ALL_FRAMES = ["8N1", "8E1", "8N2", "8O1"] as const;
/** Units of the first round: most lines have one meter, and it has number 1. */
const FIRST_UNITS = 3;
/** A probe needs no more of a device's registers. */
const PROBE_REGISTERS = 2;
/** Requests that a unit is asked with which may keep silent where it has no registers. */
const PROBES = 2;

/** Opening a port and waiting until it is silent. */
const OPENING_MS = 100;
/** Unit, function, data and CRC of a request to read; unit, function, byte count and CRC of its reply. */
const REQUEST_BYTES = 8;
const REPLY_FRAME_BYTES = 5;
/** Of the silences between frames. */
const SILENCES = 2;

/** Line settings in the order in which they are tried: those that most kinds of device are delivered with first. */
export function sweepFormats(
  transports: readonly ProfileTransport[],
  thorough: boolean,
): readonly SerialFormat[] {
  const usual = USUAL.map(formatFrom);
  const delivered = transports.flatMap(({ serial }) => (serial === undefined ? [] : [formatOf(serial)]));
  const frequency = (one: SerialFormat): number => delivered.filter((other) => sameFormat(one, other)).length;
  const all = ALL_BAUDS.flatMap((baud) => ALL_FRAMES.map((frame): FormatText => `${baud} ${frame}`));
  // What is as frequent stays in the order of what is usual; a sort is stable.
  const known = [...usual, ...delivered].sort((a, b) => frequency(b) - frequency(a));
  const formats = [...known, ...(thorough ? all.map(formatFrom) : [])];
  return [...new Map(formats.map((format) => [formatText(format), format])).values()];
}

/**
 * Requests that find a device at these settings: any device answers any of them, if only with an exception, but some keep
 * silent where they have no registers. The first one is of registers that most devices with these settings have.
 */
export function probeRanges(
  format: SerialFormat,
  profiles: readonly KnownProfile[],
): readonly RegisterRange[] {
  const serial = profiles.filter(({ compiled }) => compiled.profile.transport.serial !== undefined);
  const own = serial.filter(({ compiled }) => isDeliveredWith(compiled.profile.transport, format));
  const set = serial.filter(({ compiled }) => canBeSetTo(compiled.profile.transport, format));
  const rivals = [own, set, serial].find((some) => some.length > 0) ?? [];
  const ranges = rivals.flatMap(({ rules }) => rules.flatMap(({ ranges }) => ranges)).map(shortened);
  const chosen: RegisterRange[] = [];
  let open = rivals;
  while (chosen.length < PROBES && open.length > 0) {
    const [best] = ranges
      .map((range) => ({ range, have: open.filter((profile) => hasRegisters(profile, range)).length }))
      .sort((a, b) => b.have - a.have);
    if (best === undefined || best.have === 0) break;
    chosen.push(best.range);
    open = open.filter((profile) => !hasRegisters(profile, best.range));
  }
  return chosen.length === 0 ? [{ table: "holding", start: 0, count: 1 }] : chosen;
}

/**
 * The whole sweep of a line, likely finds first: the first units at every setting, then the other likely ones, and unit 1
 * again with another request; last, if wanted, all others. No unit is asked the same thing twice at one setting.
 */
export function planSweep(profiles: readonly KnownProfile[], options: SweepOptions): readonly SweepStop[] {
  const transports = profiles
    .map(({ compiled }) => compiled.profile.transport)
    .filter(({ serial }) => serial !== undefined);
  const formats = sweepFormats(transports, options.thorough).map((format) => ({
    format,
    ranges: probeRanges(format, profiles),
  }));
  const likely = serialUnits(transports.map(({ unit }) => unit));
  const [first, second] = [likely.slice(0, FIRST_UNITS), likely.slice(FIRST_UNITS)];
  const last = options.allUnits ? everyUnit().filter((unit) => !likely.includes(unit)) : [];
  const asks = (units: readonly number[], range: RegisterRange | undefined): SweepAsk[] =>
    range === undefined ? [] : units.map((unit) => ({ unit, range }));
  const rounds: ((ranges: readonly RegisterRange[]) => SweepAsk[])[] = [
    ([range]) => asks(first, range),
    ([range, other]) => [...asks(first.slice(0, 1), other), ...asks(second, range)],
    ([range]) => asks(last, range),
  ];
  return rounds.flatMap((round) =>
    formats.flatMap(({ format, ranges }) => {
      const now = round(ranges);
      return now.length === 0 ? [] : [{ format, asks: now }];
    }),
  );
}

/** How long one request without an answer takes at these settings, ms. */
export function probeMs(format: SerialFormat, replyMs: number): number {
  const { characterMs, silenceMs } = lineTiming(format);
  const bytes = REQUEST_BYTES + REPLY_FRAME_BYTES + 2 * PROBE_REGISTERS;
  return replyMs + bytes * characterMs + SILENCES * silenceMs;
}

/** How long a sweep takes at most, if nothing answers, ms. */
export function sweepMs(stops: readonly SweepStop[], replyMs: number): number {
  return stops.reduce(
    (sum, { format, asks }) => sum + OPENING_MS + asks.length * probeMs(format, replyMs),
    0,
  );
}

/** Whether devices of the kind are delivered with these settings. */
export function isDeliveredWith({ serial }: ProfileTransport, format: SerialFormat): boolean {
  return serial !== undefined && sameFormat(formatOf(serial), format);
}

function canBeSetTo({ serial }: ProfileTransport, { baudRate }: SerialFormat): boolean {
  return serial?.alsoBaud.includes(baudRate) === true;
}

function hasRegisters({ compiled }: KnownProfile, { table, start, count }: RegisterRange): boolean {
  return Object.values(compiled.profile.snapshots).some(
    (block) =>
      !block.optional &&
      block.table === table &&
      block.start <= start &&
      start + count <= block.start + block.count,
  );
}

function shortened({ table, start, count }: RegisterRange): RegisterRange {
  return { table, start, count: Math.min(count, PROBE_REGISTERS) };
}

function everyUnit(): number[] {
  const [from, to] = SERIAL_UNITS;
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
