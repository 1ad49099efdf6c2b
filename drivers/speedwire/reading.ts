import type { ChannelDescription, Doubt } from "../driver.ts";
import { GRID_CHANNEL, gridChannel, type ObisReading, obisReading } from "../telegram/obis-reading.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { decimalText } from "../telegram/text.ts";
import type { SpeedwireRecord, SpeedwireTelegram } from "./telegram.ts";
import { telegramValue } from "./values.ts";

/**
 * Counters are in watt-seconds, and in all published telegrams of Energy Meters 1.0 and 2.0 and of Sunny Home Managers
 * 2.0 multiples of 360: these meters count in 0.1 Wh.
 */
const WS_PER_TENTH_WH = 360n;

/** A value of now in OBIS (IEC 62056-6-1): what SMA calls type 4 is 7 there, an instantaneous value. */
const OBIS_OF: ReadonlyMap<string, string> = new Map([
  ["0:1.4.0", "1-0:1.7.0"],
  ["0:2.4.0", "1-0:2.7.0"],
  ["0:1.8.0", "1-0:1.8.0"],
  ["0:2.8.0", "1-0:2.8.0"],
  ["0:14.4.0", "1-0:14.7.0"],
  ...[31, 32, 51, 52, 71, 72].map((index) => [`0:${index}.4.0`, `1-0:${index}.7.0`] as const),
]);

/** A reading out of a telegram, and whether its counters are finer than 0.1 Wh. */
export interface SpeedwireReading extends ObisReading {
  readonly finer: boolean;
}

/**
 * What a telegram says of energy and power: 1.8.0 into the boundary, 2.8.0 out of it, power as 1.4.0 less 2.4.0.
 *
 * @param finer whether an earlier telegram of this meter had counters that are no multiples of 0.1 Wh; then energy is
 *   cut to whole mWh
 * @throws Problem `telegram-range`, `telegram-conflict`, `telegram-empty`
 */
export function readingOf(telegram: SpeedwireTelegram, finer: boolean): SpeedwireReading {
  const values: TelegramValue[] = [];
  const absent: string[] = [];
  const known = telegram.records.flatMap((record) => {
    const value = telegramValue(record);
    const code = OBIS_OF.get(value.code);
    return code === undefined ? [] : [{ record, value: { ...value, code } }];
  });
  const fine =
    finer || known.some(({ record }) => record.type === 8 && record.value % WS_PER_TENTH_WH !== 0n);
  for (const { record, value } of known) {
    if (isFilled(record)) absent.push(`${value.code}: every bit is 1, which is no value`);
    else values.push(value.unit === "Ws" ? inWattHours(value, record.value, fine) : value);
  }
  const reading = obisReading(values);
  return { ...reading, absent: [...absent, ...reading.absent], finer: fine };
}

function isFilled({ type, value }: SpeedwireRecord): boolean {
  return value === 2n ** BigInt(8 * type) - 1n;
}

/** 1 Ws is 1000/3600 mWh, which is no whole number; 360 Ws are exactly 0.1 Wh. */
function inWattHours(value: TelegramValue, wattSeconds: bigint, fine: boolean): TelegramValue {
  const scaled = fine
    ? { digits: (wattSeconds * 1_000n) / 3_600n, exponent: -3 }
    : { digits: wattSeconds / WS_PER_TENTH_WH, exponent: -1 };
  return { ...value, unit: "Wh", scaled };
}

/** The meter's one boundary. */
export function channelOf({ values }: ObisReading): ChannelDescription {
  return gridChannel(values, {
    signSource: "EMETER-Protokoll-TI-en-10 and datenschuft/SMA-EM: 1 is drawn (import), 2 is fed in (export)",
    // Each direction has a power and a counter of its own.
    signVerified: true,
  });
}

/** Sums of the phases and the total are rounded each for itself; in published telegrams they differ by 0.1 W at most. */
const TOLERANCE_DECIWATTS = 5n;

/** That the phases of one telegram do not add up to its total. */
export function doubtsOf({ records }: SpeedwireTelegram): readonly Doubt[] {
  const now = new Map(
    records.flatMap((one) => (one.channel === 0 && one.type === 4 ? [[one.index, one.value] as const] : [])),
  );
  const net = (first: number): bigint | undefined => {
    const [into, out] = [now.get(first), now.get(first + 1)];
    return into === undefined || out === undefined ? undefined : into - out;
  };
  const total = net(1);
  const phases = [21, 41, 61].map(net).filter((power) => power !== undefined);
  if (total === undefined || phases.length < 3) return [];
  const sum = phases.reduce((one, other) => one + other);
  const difference = sum > total ? sum - total : total - sum;
  if (difference <= TOLERANCE_DECIWATTS) return [];
  const message = `the phases add up to ${watts(sum)} W, the total is ${watts(total)} W (tolerance ${watts(TOLERANCE_DECIWATTS)} W)`;
  return [{ channel: GRID_CHANNEL, quantities: ["power"], message }];
}

function watts(tenths: bigint): string {
  return decimalText({ digits: tenths, exponent: -1 });
}
