/** What goes wrong with one reply of a simulated peer. All of it was seen on real devices, gateways and cables. */
export type WireFault =
  /** Sent only after so long; replies to later requests may pass it. */
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "lost" }
  /** Cut off after so many bytes. */
  | { readonly kind: "truncated"; readonly bytes: number }
  /** One byte changed on the wire: the CRC, where there is one, shows it. */
  | { readonly kind: "damaged"; readonly at: number; readonly xor: number }
  /** The header changed before the CRC was made: unit, function or byte count, with nothing to show it by. */
  | { readonly kind: "wrong-header"; readonly field: 0 | 1 | 2; readonly xor: number }
  /** Well formed, but with two bytes of data more or less than were asked for. */
  | { readonly kind: "wrong-size"; readonly words: 1 | -1 }
  | { readonly kind: "twice"; readonly gapMs: number }
  /** The previous reply again, and this one right behind it. */
  | { readonly kind: "behind-previous" }
  /** This reply and a well-formed one of another unit right behind it. */
  | { readonly kind: "before-foreign" }
  /** After this reply, a well-formed one that nobody asked for. */
  | { readonly kind: "then-unsolicited"; readonly afterMs: number; readonly reply: PlainReply }
  /** Some bytes of nothing before the reply. */
  | { readonly kind: "noise"; readonly bytes: readonly number[] }
  | { readonly kind: "exception"; readonly code: number };

/** Bytes that go out, each after its own time. */
export type Delivery = readonly { readonly bytes: Uint8Array; readonly afterMs: number }[];

/** A reply before it is framed. */
export interface PlainReply {
  readonly unit: number;
  readonly pdu: Uint8Array;
}

export interface SpoilContext {
  /** Puts a reply into a frame of the transport. */
  frame(reply: PlainReply): Uint8Array;
  /** The last reply's frame on this connection. */
  readonly previous: Uint8Array | undefined;
}

/** What goes out instead of `reply`, or the reply itself without a fault. */
export function spoil(reply: PlainReply, fault: WireFault | undefined, context: SpoilContext): Delivery {
  const good = context.frame(reply);
  const now = (...parts: readonly Uint8Array[]): Delivery => [{ bytes: joined(parts), afterMs: 0 }];
  switch (fault?.kind) {
    case undefined:
      return now(good);
    case "late":
      return [{ bytes: good, afterMs: fault.ms }];
    case "lost":
      return [];
    case "truncated":
      return now(good.subarray(0, Math.min(fault.bytes, good.length - 1)));
    case "damaged":
      return now(flipped(good, fault.at % good.length, fault.xor));
    case "wrong-header":
      return now(context.frame(wrongHeader(reply, fault.field, fault.xor)));
    case "wrong-size":
      return now(context.frame(resized(reply, fault.words)));
    case "twice":
      return [...now(good), { bytes: good, afterMs: fault.gapMs }];
    case "behind-previous":
      return now(context.previous ?? new Uint8Array(0), good);
    case "before-foreign":
      return now(good, context.frame(foreign(reply)));
    case "then-unsolicited":
      return [...now(good), { bytes: context.frame(fault.reply), afterMs: fault.afterMs }];
    case "noise":
      return now(Uint8Array.from(fault.bytes), good);
    case "exception":
      return now(context.frame(asException(reply, fault.code)));
  }
}

function wrongHeader({ unit, pdu }: PlainReply, field: 0 | 1 | 2, xor: number): PlainReply {
  return field === 0 ? { unit: unit ^ xor, pdu } : { unit, pdu: flipped(pdu, field - 1, xor) };
}

/** Byte count and data agree, as in the reply to another request. */
function resized({ unit, pdu }: PlainReply, words: 1 | -1): PlainReply {
  const data = words > 0 ? [...pdu.subarray(2), 0, 0] : [...pdu.subarray(2, -2)];
  return { unit, pdu: Uint8Array.of(pdu[0] ?? 0, data.length, ...data) };
}

function foreign({ unit, pdu }: PlainReply): PlainReply {
  return { unit: (unit % 3) + 1, pdu };
}

function asException({ unit, pdu }: PlainReply, code: number): PlainReply {
  return { unit, pdu: Uint8Array.of((pdu[0] ?? 0) | 0x80, code) };
}

function flipped(bytes: Uint8Array, at: number, xor: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ xor;
  return changed;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
