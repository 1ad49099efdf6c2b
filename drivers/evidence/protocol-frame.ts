import { digestOf } from "../digest.ts";
import { present } from "../present.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "../telegram/protocol.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";

/** A setting of the device's configuration that no manifest says, the other way. */
export interface OtherSetting {
  readonly setting: string;
  create(): TelegramProtocol;
}

/** How telegrams of a meter are decoded again. */
export interface ReplayedProtocol {
  create(): TelegramProtocol;
  /** What hangs on one of these is no evidence: a time is left out, another value comes both ways. */
  readonly others?: readonly OtherSetting[];
  /** `cut` unless the evidence may be what a telegram carried, deciphered: then it is decoded as it is. */
  readonly framing?: "cut" | "as-it-is";
}

/**
 * The readings of a telegram as the driver made them, with nothing remembered of earlier ones. Throws the Problem with
 * which the driver refuses it.
 */
export function decodeProtocolFrame(replayed: ReplayedProtocol, bytes: Uint8Array): DecodedFrame {
  const telegram = replay(replayed.create(), replayed, bytes);
  if (typeof telegram === "string") return { cannotDecode: telegram };
  const others = (replayed.others ?? []).map(({ setting, create }) => ({
    setting,
    telegram: replay(create(), replayed, bytes),
  }));
  const evidence = digestOf(bytes);
  const channels: DecodedChannel[] = [];
  for (const at of telegram.readings.keys()) {
    const channel = channelAt(at, { telegram, others, evidence });
    if (typeof channel === "string") return { cannotDecode: channel };
    channels.push(channel);
  }
  return { channels };
}

/** What the bytes say, or why they say nothing. */
function replay(
  protocol: TelegramProtocol,
  replayed: ReplayedProtocol,
  bytes: Uint8Array,
): MeterTelegram | string {
  const { framing = "cut" } = replayed;
  const whole = framing === "cut" ? cut(protocol, bytes) : bytes;
  if (whole === undefined) return `the bytes are not one ${protocol.what}`;
  return protocol.decode(whole) ?? `a ${protocol.what} like this one says nothing by itself`;
}

/** The telegram that the bytes are; undefined where there is anything else. Throws the Problem of a refused one. */
function cut(protocol: TelegramProtocol, bytes: Uint8Array): Uint8Array | undefined {
  const framer = protocol.createFramer();
  const [framed, ...more] = [...framer.push(bytes), ...framer.end()];
  if (framed?.kind === "refused") throw framed.problem;
  return more.length === 0 && framed?.bytes.length === bytes.length ? framed.bytes : undefined;
}

interface Said {
  readonly telegram: MeterTelegram;
  readonly others: readonly { readonly setting: string; readonly telegram: MeterTelegram | string }[];
  readonly evidence: Uint8Array;
}

/** What is sure of one channel, or which setting would have to be known. */
function channelAt(at: number, { telegram, others, evidence }: Said): DecodedChannel | string {
  const own = telegram.readings[at];
  if (own === undefined) return "a channel is missing";
  const { resolutionMwh, meterTimeMs, ...values } = own;
  const alike = others.map(({ setting, telegram: other }) => ({
    setting,
    reading: typeof other === "string" ? undefined : other.readings[at],
  }));
  const sureTime = alike.every(({ reading }) => reading?.meterTimeMs === meterTimeMs) ? { meterTimeMs } : {};
  const [otherwise, ...more] = alike.filter(({ reading }) => !saysTheSame(reading, own));
  if (more.length > 0) return `no manifest says how ${otherwise?.setting} is set, and values hang on it`;
  // Without a description of its own it is what all meters of telegrams are.
  const role = telegram.channels.find(({ name }) => name === own.channel)?.role ?? "grid";
  const reading = present<DecodedChannel["reading"]>({ ...values, ...sureTime, evidence });
  return present<DecodedChannel>({
    ...{ reading, role, resolutionMwh },
    otherwise: otherwiseOf(otherwise, evidence),
  });
}

type OtherReading = { readonly setting: string; readonly reading: UnprovenReading | undefined };

function otherwiseOf(other: OtherReading | undefined, evidence: Uint8Array): DecodedChannel["otherwise"] {
  if (other?.reading === undefined) return undefined;
  const { resolutionMwh: _step, meterTimeMs: _time, ...values } = other.reading;
  return { setting: other.setting, reading: { ...values, evidence } };
}

/** Times and steps aside. */
function saysTheSame(one: UnprovenReading | undefined, other: UnprovenReading): boolean {
  return one !== undefined && valuesText(one) === valuesText(other);
}

function valuesText({ resolutionMwh: _step, meterTimeMs: _time, ...values }: UnprovenReading): string {
  return JSON.stringify(Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1)));
}
