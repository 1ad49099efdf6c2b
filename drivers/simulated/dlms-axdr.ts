import { isSummerTime } from "../telegram/summer-time.ts";

/** Bytes one behind the other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** One byte up to 7F, else 81 or 82 and the length (IEC 62056-5-3, A-XDR). */
export function length(count: number): Uint8Array {
  if (count < 0x80) return Uint8Array.of(count);
  return count < 0x100 ? Uint8Array.of(0x81, count) : Uint8Array.of(0x82, count >>> 8, count & 0xff);
}

export function structure(...items: readonly Uint8Array[]): Uint8Array {
  return joined(Uint8Array.of(0x02), length(items.length), ...items);
}

export function array(...items: readonly Uint8Array[]): Uint8Array {
  return joined(Uint8Array.of(0x01), length(items.length), ...items);
}

export function octets(bytes: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(0x09), length(bytes.length), bytes);
}

export function octetText(text: string): Uint8Array {
  return octets(Buffer.from(text, "latin1"));
}

export function visibleText(text: string): Uint8Array {
  return joined(Uint8Array.of(0x0a), length(text.length), Buffer.from(text, "latin1"));
}

/** double-long-unsigned; a register beyond it begins again. */
export function unsigned32(value: number): Uint8Array {
  return joined(Uint8Array.of(0x06), bigEndian(value, 4));
}

/** long-unsigned. */
export function unsigned16(value: number): Uint8Array {
  return joined(Uint8Array.of(0x12), bigEndian(value, 2));
}

/** integer, of one byte. */
export function integer8(value: number): Uint8Array {
  return Uint8Array.of(0x0f, value & 0xff);
}

/** `C.D.E` of an electricity value. */
export function obis(quantity: string, [a, b]: readonly [number, number] = [1, 0]): Uint8Array {
  return octets(Uint8Array.of(a, b, ...quantity.split(".").map(Number), 255));
}

/** `{scaler, unit}` (IEC 62056-6-2). */
export function scalerUnit(scaler: number, unit: number): Uint8Array {
  return structure(integer8(scaler), Uint8Array.of(0x16, unit));
}

export function bigEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => Math.floor(value / 256 ** (bytes - 1 - at)) % 256);
}

/** How a simulated meter's clock goes: UTC+1 all year without saying so, or Central European time with its deviation. */
export type ShownClock = "standard" | "stated";

/** A COSEM date-time of 12 bytes (DLMS UA Blue Book, 4.1.6.1). */
export function dateTime(timeMs: number, clock: ShownClock): Uint8Array {
  const summer = clock === "stated" && isSummerTime(timeMs);
  const offsetMinutes = summer ? 120 : 60;
  const local = new Date(timeMs + offsetMinutes * 60_000);
  const weekday = local.getUTCDay() === 0 ? 7 : local.getUTCDay();
  const deviation = clock === "stated" ? 0x10000 - offsetMinutes : 0x8000;
  return joined(
    bigEndian(local.getUTCFullYear(), 2),
    Uint8Array.of(local.getUTCMonth() + 1, local.getUTCDate(), weekday),
    Uint8Array.of(local.getUTCHours(), local.getUTCMinutes(), local.getUTCSeconds(), 0xff),
    bigEndian(deviation, 2),
    Uint8Array.of(summer ? 0x80 : 0x00),
  );
}
