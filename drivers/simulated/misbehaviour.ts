/** What a simulated device does to one reply, by name. Everything here was seen on a real device or gateway. */
export type Misbehaviour =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "silence" }
  | { readonly kind: "truncate" }
  | { readonly kind: "garbage-length" }
  | { readonly kind: "wrong-byte-count" }
  | { readonly kind: "wrong-protocol" }
  | { readonly kind: "wrong-transaction" }
  | { readonly kind: "wrong-unit" }
  | { readonly kind: "twice" }
  | { readonly kind: "close-before-reply" }
  | { readonly kind: "close-in-reply" }
  | { readonly kind: "close-after-reply" }
  | { readonly kind: "exception"; readonly code: number }
  /** An exception that another unit behind the same gateway meant for somebody else. */
  | { readonly kind: "foreign-exception"; readonly code: number };

/** How a reply goes out: these bytes after this time, then perhaps the end of the connection. */
export interface Delivery {
  readonly bytes: Uint8Array;
  readonly afterMs: number;
  readonly thenClose: boolean;
}

/** The delivery of `reply` (a whole Modbus TCP frame) under `misbehaviour`. */
export function deliver(reply: Uint8Array, misbehaviour: Misbehaviour | undefined): Delivery {
  const good: Delivery = { bytes: reply, afterMs: 0, thenClose: false };
  if (misbehaviour === undefined) return good;
  switch (misbehaviour.kind) {
    case "delay":
      return { ...good, afterMs: misbehaviour.ms };
    case "silence":
      return { ...good, bytes: new Uint8Array(0) };
    case "truncate":
      return { ...good, bytes: reply.subarray(0, reply.length - 1) };
    case "garbage-length":
      return { ...good, bytes: patch(reply, 4, [0xff, 0xff]) };
    case "wrong-byte-count":
      return { ...good, bytes: patch(reply, 8, [0xfe]) };
    case "wrong-protocol":
      return { ...good, bytes: patch(reply, 2, [0x12, 0x34]) };
    case "wrong-transaction":
      return { ...good, bytes: patch(reply, 0, [0x7e, 0x7e]) };
    case "wrong-unit":
      return { ...good, bytes: anotherUnit(reply) };
    case "twice":
      return { ...good, bytes: Uint8Array.of(...reply, ...reply) };
    case "close-before-reply":
      return { ...good, bytes: new Uint8Array(0), thenClose: true };
    case "close-in-reply":
      return { ...good, bytes: reply.subarray(0, reply.length >> 1), thenClose: true };
    case "close-after-reply":
      return { ...good, thenClose: true };
    case "foreign-exception":
      return { ...good, bytes: anotherUnit(asException(reply, misbehaviour.code)) };
    case "exception":
      return { ...good, bytes: asException(reply, misbehaviour.code) };
  }
}

function patch(reply: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const patched = Uint8Array.from(reply);
  patched.set(values, at);
  return patched;
}

function anotherUnit(reply: Uint8Array): Uint8Array {
  return patch(reply, 6, [(reply[6] ?? 0) ^ 0x55]);
}

function asException(reply: Uint8Array, code: number): Uint8Array {
  const functionCode = (reply[7] ?? 0) | 0x80;
  return Uint8Array.of(...reply.subarray(0, 4), 0, 3, reply[6] ?? 0, functionCode, code);
}
