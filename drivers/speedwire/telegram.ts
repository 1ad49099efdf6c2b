import { Problem } from "../../attest/problem.ts";

/**
 * A telegram of a meter, all numbers big-endian (SMA, EMETER-Protokoll-TI-en-10, as RalfOGit/libspeedwire, 8d1b3c72, and
 * datenschuft/SMA-EM, fcf0a8ec, repeat it):
 *
 *     53 4D 41 00                     "SMA" 0
 *     00 04  02 A0  00 00 00 01       tag of 4 bytes: the group
 *     LL LL  00 10                    tag of LLLL bytes:
 *       60 69                           protocol of meters
 *       SS SS  NN NN NN NN              SUSy-ID and serial number
 *       TT TT TT TT                     ticker, ms
 *       CC II 04 RR  VV VV VV VV        a value of now: channel, index, type 4, tariff
 *       CC II 08 RR  VV … VV            a counter: type 8, 8 bytes
 *       90 00 00 00  MA MI BU RE        software version
 *     00 00  00 00                    end
 *
 * There is no checksum: a telegram proves itself by filling its length to the byte.
 */
const HEAD: readonly (number | undefined)[] = [
  ...[0x53, 0x4d, 0x41, 0x00, 0x00, 0x04, 0x02, 0xa0],
  ...[undefined, undefined, undefined, undefined],
  ...[undefined, undefined, 0x00, 0x10, 0x60, 0x69],
];

/** What HEAD has up to the protocol. */
export const HEAD_BYTES: number = HEAD.length;
const LENGTH_AT = 12;
/** What the length does not count: all up to its tag, and the end. */
const AROUND_BYTES = 20;
const IDENTITY_AT = 18;
const RECORDS_AT = 28;
const END_BYTES = 4;

/** Channels from here on are the maker's own. */
const VERSION_CHANNEL = 144;

/** True as far as `bytes` go. */
export function beginsTelegram(bytes: Uint8Array): boolean {
  return HEAD.every((byte, at) => byte === undefined || at >= bytes.length || bytes[at] === byte);
}

/** How long the telegram is whose head `bytes` begin with. */
export function telegramLength(bytes: Uint8Array): number {
  return viewOf(bytes).getUint16(LENGTH_AT) + AROUND_BYTES;
}

/** One record: OBIS-like, but its type is also the length of its value. */
export interface SpeedwireRecord {
  readonly channel: number;
  readonly index: number;
  readonly type: number;
  readonly tariff: number;
  readonly value: bigint;
}

export interface SpeedwireTelegram {
  readonly susyId: number;
  readonly serial: number;
  /** Milliseconds of the meter's own counting, which wraps at 2^32 (49.7 days) and begins anew with the meter. */
  readonly tickerMs: number;
  readonly records: readonly SpeedwireRecord[];
  /** Such as `2.18.14.R`. */
  readonly version?: string;
}

/**
 * Reads one whole telegram.
 *
 * @throws Problem `speedwire-frame` for anything else, with the offset of what is wrong
 */
export function parseSpeedwire(bytes: Uint8Array): SpeedwireTelegram {
  if (bytes.length < RECORDS_AT + END_BYTES || !beginsTelegram(bytes))
    throw fault(0, "the head of a meter's telegram", `${bytes.length} other bytes`);
  if (telegramLength(bytes) !== bytes.length)
    throw fault(LENGTH_AT, `${bytes.length - AROUND_BYTES}`, `${telegramLength(bytes) - AROUND_BYTES}`);
  const view = viewOf(bytes);
  const end = bytes.length - END_BYTES;
  if (view.getUint32(end) !== 0) throw fault(end, "the end tag 00000000", hex(bytes.subarray(end)));
  const { records, version } = recordsOf(bytes.subarray(0, end));
  return {
    susyId: view.getUint16(IDENTITY_AT),
    serial: view.getUint32(IDENTITY_AT + 2),
    tickerMs: view.getUint32(IDENTITY_AT + 6),
    records,
    ...(version === undefined ? {} : { version }),
  };
}

function recordsOf(bytes: Uint8Array): Pick<SpeedwireTelegram, "records" | "version"> {
  const view = viewOf(bytes);
  const records: SpeedwireRecord[] = [];
  let version: string | undefined;
  for (let at = RECORDS_AT; at < bytes.length; ) {
    const [channel = 0, index = 0, type = 0, tariff = 0] = bytes.subarray(at, at + 4);
    const isVersion = channel === VERSION_CHANNEL && type === 0;
    const length = isVersion ? 4 : type;
    if ((length !== 4 && length !== 8) || at + 4 + length > bytes.length)
      throw fault(at, "a record of type 4 or 8 with its value", hex(bytes.subarray(at, at + 4)));
    if (isVersion) version = versionText(bytes.subarray(at + 4, at + 8));
    else records.push({ channel, index, type, tariff, value: valueAt(view, at + 4, length) });
    at += 4 + length;
  }
  return version === undefined ? { records } : { records, version };
}

function valueAt(view: DataView, at: number, length: 4 | 8): bigint {
  return length === 4 ? BigInt(view.getUint32(at)) : view.getBigUint64(at);
}

/** Major, minor, build as numbers and the kind of release as a letter. */
function versionText(bytes: Uint8Array): string {
  const [major = 0, minor = 0, build = 0, release = 0] = bytes;
  const letter = release >= 0x41 && release <= 0x5a ? String.fromCharCode(release) : String(release);
  return [major, minor, build, letter].join(".");
}

function fault(at: number, expected: string, got: string): Problem {
  return new Problem("speedwire-frame", "not a telegram of a meter", {
    where: `telegram offset ${at}`,
    expected,
    got,
  });
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
