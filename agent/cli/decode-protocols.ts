import { Problem } from "../../attest/problem.ts";
import type { TelegramDecoder, TelegramKeys } from "../../drivers/telegram/decoder.ts";
import type { Framed } from "../../drivers/telegram/telegram.ts";

interface Protocol {
  /** How its telegrams begin and end, for whoever compares with a recording. */
  readonly looks: string;
  /** Each in a module of its own: nobody has all of these meters. */
  load(): Promise<TelegramDecoder>;
}

/** What `kilowitness decode` takes apart, by name. */
export const DECODED_PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  [
    "dsmr",
    {
      looks: "text from / to ! and a checksum; encrypted, DB 08 first",
      load: async () => (await import("../../drivers/dsmr/decoder.ts")).dsmrDecoder,
    },
  ],
  [
    "sml",
    {
      looks: "bytes from 1B 1B 1B 1B 01 01 01 01 to 1B 1B 1B 1B 1A",
      load: async () => (await import("../../drivers/sml/decoder.ts")).smlDecoder,
    },
  ],
  [
    "dlms",
    {
      looks: "whole frames of HDLC (7E A… 7E) or M-Bus (68 L L 68 … 16), not the list alone",
      load: async () => (await import("../../drivers/dlms/decoder.ts")).dlmsDecoder,
    },
  ],
  [
    "iec62056",
    {
      looks: "text from / to !, between STX and ETX where it has a checksum",
      load: async () => (await import("../../drivers/iec62056/decoder.ts")).iec62056Decoder,
    },
  ],
  [
    "mbus",
    {
      looks: "frames 68 L L 68 … 16",
      load: async () => (await import("../../drivers/mbus/decoder.ts")).mbusDecoder,
    },
  ],
  [
    "vedirect",
    {
      looks: "lines of a label, a tab and a value, the last one Checksum",
      load: async () => (await import("../../drivers/vedirect/decoder.ts")).vedirectDecoder,
    },
  ],
  [
    "speedwire",
    {
      looks: "datagrams that begin with SMA",
      load: async () => (await import("../../drivers/speedwire/decoder.ts")).speedwireDecoder,
    },
  ],
]);

/** What stands in a recording that another protocol was looked for in. */
export interface Spoken {
  readonly protocol: string;
  /** The recording has the parity bits in it: the port was not set to 7E1. */
  readonly withParity: boolean;
}

/**
 * The protocol whose telegrams stand in the bytes, other than `sought` unless they are hidden by their parity bits;
 * undefined where none is clear.
 */
export async function spokenProtocol(
  bytes: Uint8Array,
  sought: string,
  keys: TelegramKeys,
): Promise<Spoken | undefined> {
  const others = SEARCHED.filter((name) => name !== sought);
  const hidden = hasEvenParity(bytes)
    ? await firstSpoken(bytes.map(withoutParity), [sought, ...others], keys)
    : undefined;
  const protocol = hidden ?? (await firstSpoken(bytes, others, keys));
  return protocol === undefined ? undefined : { protocol, withParity: hidden !== undefined };
}

/** Within an encrypted DLMS telegram stands what would be an encrypted P1 telegram without a frame around it. */
const SEARCHED: readonly string[] = [
  "dlms",
  ...[...DECODED_PROTOCOLS.keys()].filter((name) => name !== "dlms"),
];

async function firstSpoken(
  bytes: Uint8Array,
  names: readonly string[],
  keys: TelegramKeys,
): Promise<string | undefined> {
  for (const name of names) {
    const decoder = await DECODED_PROTOCOLS.get(name)?.load();
    const framed = decoder?.createFramer().push(bytes) ?? [];
    if (framed.some((one) => decoder !== undefined && isSpoken(one, decoder, keys))) return name;
  }
  return undefined;
}

/** What is refused for want of its key is a telegram of that protocol all the same. */
const NEEDS_KEY: ReadonlySet<string> = new Set([
  ...["dsmr-encrypted", "dsmr-key"],
  ...["dlms-key-missing", "dlms-decrypt", "dlms-authentication"],
]);

function isSpoken(framed: Framed, decoder: TelegramDecoder, keys: TelegramKeys): boolean {
  if (framed.kind === "refused") return false;
  try {
    return decoder.decode(framed.bytes, keys).some(({ values }) => values.length > 0);
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return NEEDS_KEY.has(thrown.code);
  }
}

function withoutParity(byte: number): number {
  return byte & 0x7f;
}

/** Text at 7E1 that was recorded at 8N1; plain text has odd bytes, too. */
function hasEvenParity(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => (bitCount(byte) & 1) === 0);
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
}
