/** A COSEM date-time has 12 bytes (DLMS UA Blue Book, 4.1.6.1). */
export const DATE_TIME_BYTES = 12;

const NOT_SPECIFIED = 0xff;
const DEVIATION_NOT_SPECIFIED = -0x8000;
const MAX_DEVIATION_MINUTES = 720;

/** What a meter's clock shows, and what it says about itself. */
export interface MeterClock {
  /** As the meter shows it: `2022-01-17T12:44:40`, with hundredths only where it has some. */
  readonly localText: string;
  /** UTC is local time plus this; absent where the meter does not say. It contains summer time. */
  readonly deviationMinutes?: number;
  /** Clock status; absent where the meter does not say. */
  readonly status?: ClockStatus;
}

export interface ClockStatus {
  /** The time was lost and not found again: it is none. */
  readonly invalid: boolean;
  /** The time was lost and found again, and is not vouched for. */
  readonly doubtful: boolean;
  readonly differentBase: boolean;
  /** One of these bits itself is not to be relied on. */
  readonly invalidStatus: boolean;
  readonly daylightSaving: boolean;
}

/**
 * Reads `year 2, month, day, weekday, hour, minute, second, hundredths, deviation 2, status`.
 *
 * The deviation goes from local time to UTC and contains summer time: a meter in UTC+2 sends -120 (DLMS UA Blue
 * Book, 4.1.6.1; OSGP/Documentation, SynchronizeTime.md; the telegram of an Iskra AM550 of 1 April 2023 in
 * esphome-libs/dlms_parser, tests/dumps/hdlc_iskra550.log, has FF88 with the summer time bit).
 *
 * @returns undefined for what is no date-time, or one whose date, hour, minute or second is left open
 */
export function readDateTime(bytes: Uint8Array): MeterClock | undefined {
  if (bytes.length !== DATE_TIME_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const localText = localTextOf(view);
  const deviation = view.getInt16(9);
  if (localText === undefined) return undefined;
  if (deviation !== DEVIATION_NOT_SPECIFIED && Math.abs(deviation) > MAX_DEVIATION_MINUTES) return undefined;
  const status = view.getUint8(11);
  return {
    localText,
    ...(deviation === DEVIATION_NOT_SPECIFIED ? {} : { deviationMinutes: deviation }),
    ...(status === NOT_SPECIFIED ? {} : { status: statusOf(status) }),
  };
}

/** UTC in ms, where the meter says how far its clock is from it. */
export function utcMsOf(clock: MeterClock): number | undefined {
  if (clock.deviationMinutes === undefined) return undefined;
  return Date.parse(`${clock.localText}Z`) + clock.deviationMinutes * 60_000;
}

function localTextOf(view: DataView): string | undefined {
  const [year, month, day] = [view.getUint16(0), view.getUint8(2), view.getUint8(3)];
  const [hour, minute, second] = [view.getUint8(5), view.getUint8(6), view.getUint8(7)];
  const hundredths = view.getUint8(8) === NOT_SPECIFIED ? 0 : view.getUint8(8);
  if (year > 9999 || hundredths > 99) return undefined;
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  const time = `${digits(hour, 2)}:${digits(minute, 2)}:${digits(second, 2)}`;
  // Fields left open are FF and more; what comes back otherwise does not exist.
  const shown = new Date(Date.UTC(year, month - 1, day, hour, minute, second)).toISOString();
  if (shown.slice(0, 19) !== `${date}T${time}`) return undefined;
  return hundredths === 0 ? `${date}T${time}` : `${date}T${time}.${digits(hundredths, 2)}`;
}

function statusOf(status: number): ClockStatus {
  return {
    invalid: (status & 0x01) !== 0,
    doubtful: (status & 0x02) !== 0,
    differentBase: (status & 0x04) !== 0,
    invalidStatus: (status & 0x08) !== 0,
    daylightSaving: (status & 0x80) !== 0,
  };
}

function digits(value: number, count: number): string {
  return value.toString().padStart(count, "0");
}
