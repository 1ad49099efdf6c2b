/** What a program that looks after the clock says of it. */
export interface SyncAnswer {
  readonly synchronised: boolean;
  /** How far the clock may be off at most by the program's own account, ms. */
  readonly errorMs?: number;
  /** When the clock was last compared with a time server, ms since 1970 by the system's clock. */
  readonly comparedMs?: number;
}

/** Reads what a program printed; undefined for what it does not understand. */
export type AnswerReader = (text: string) => SyncAnswer | undefined;

const CHRONY_FIELDS = 14;
const CHRONY_SYNCHRONISED: ReadonlySet<string> = new Set(["Normal", "Insert second", "Delete second"]);
/** 127.127.1.1: chronyd serves its own clock, which nothing has compared (chronyc(1), "tracking"). */
const CHRONY_LOCAL = "7F7F0101";
/** Stratum 16 is not synchronised (RFC 5905, section 7.3). */
const MOST_STRATUM = 15;
/** Kernels count what the clock may be off by, and stop at 16 s: nobody has compared it for hours (adjtimex(2)). */
const KERNEL_UNKNOWN_US = 16_000_000;
/** From 1900, where NTP counts, to 1970. */
const NTP_EPOCH_S = 2_208_988_800;
const NTP_ERA_S = 2 ** 32;

/**
 * One line of `chronyc -c tracking`: reference id, its name, stratum, reference time, offset, last offset, RMS offset,
 * frequency, residual frequency, skew, root delay, root dispersion, update interval, leap status; seconds and ppm
 * (chrony 4.5, client.c, process_cmd_tracking).
 */
export function readChrony(text: string): SyncAnswer | undefined {
  const fields = text.trimEnd().split(",");
  const [id = "", , ...rest] = fields;
  const leap = rest.at(-1) ?? "";
  const numbers = rest.slice(0, -1).map(decimal);
  if (fields.length !== CHRONY_FIELDS || !/^[0-9A-F]{8}$/.test(id) || numbers.some(Number.isNaN))
    return undefined;
  const [stratum = 0, comparedS = 0, offsetS = 0, , , , , , delayS = 0, dispersionS = 0] = numbers;
  const served = stratum >= 1 && stratum <= MOST_STRATUM && id !== CHRONY_LOCAL;
  return {
    synchronised: served && CHRONY_SYNCHRONISED.has(leap),
    errorMs: 1000 * distance(offsetS, delayS, dispersionS),
    comparedMs: comparedS * 1000,
  };
}

/**
 * `timedatectl show -p NTPSynchronized --value`: whether the kernel's bound on the error is below 16 s, whoever leads
 * the clock. It grows by 0.5 ms a second, so that this lasts for 9 hours after the last comparison (systemd,
 * src/timedate/timedated.c, ntp_synced; Linux, kernel/time/ntp.c, second_overflow).
 */
export function readTimedatectl(text: string): SyncAnswer | undefined {
  const word = text.trim();
  return word === "yes" || word === "no" ? { synchronised: word === "yes" } : undefined;
}

/** `ntpq -c rv` of ntpd and NTPsec: the variables of the system itself, ms, times as NTP timestamps in hexadecimal. */
export function readNtpq(text: string): SyncAnswer | undefined {
  const value = (name: string): string => new RegExp(`\\b${name}=([^,\\s]*)`).exec(text)?.[1] ?? "";
  const names = ["stratum", "offset", "rootdelay", "rootdisp"];
  const numbers = names.map((name) => decimal(value(name)));
  const compared = /^[0-9a-f]{8}(?=\.[0-9a-f]{8}$)/.exec(value("reftime"))?.[0];
  if (!/^[01]{2}$/.test(value("leap")) || compared === undefined || numbers.some(Number.isNaN))
    return undefined;
  const [stratum = 0, offset = 0, delay = 0, dispersion = 0] = numbers;
  // LOCAL(0) or LOCL: served by nothing but its own clock.
  const served = stratum >= 1 && stratum <= MOST_STRATUM && !value("refid").startsWith("LOC");
  return {
    synchronised: served && value("leap") !== "11",
    errorMs: distance(offset, delay, dispersion),
    comparedMs: ntpSeconds(Number.parseInt(compared, 16)) * 1000,
  };
}

/** `adjtimex` as BusyBox has it: the kernel's own account, µs. */
export function readAdjtimex(text: string): SyncAnswer | undefined {
  const error = /^\s*maxerror:\s+(\d{1,12})\b/m.exec(text)?.[1];
  if (error === undefined) return undefined;
  return { synchronised: Number(error) < KERNEL_UNKNOWN_US };
}

/** Seconds since 1970: NTP's counter began anew in 2036 for what its upper half does not hold (RFC 5905, section 6). */
function ntpSeconds(counter: number): number {
  return counter - NTP_EPOCH_S + (counter < NTP_ERA_S / 2 ? NTP_ERA_S : 0);
}

/** The most that a clock may be off by: its offset and the root distance (RFC 5905, section 11.1). */
function distance(offset: number, delay: number, dispersion: number): number {
  // A negative delay or dispersion is no account at all.
  if (delay < 0 || dispersion < 0) return Number.POSITIVE_INFINITY;
  return Math.abs(offset) + delay / 2 + dispersion;
}

function decimal(text: string): number {
  return /^[+-]?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : Number.NaN;
}
