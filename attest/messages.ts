import { type CborValue, decodeCborMap, encodeCbor } from "./cbor.ts";
import { may, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";

/** Largest message either side sends or takes, bytes. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** Device to node, first: who asks. Nothing here is believed until the device's hello has been verified. */
export interface OpenMessage {
  readonly type: "open";
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly deviceNonce: Uint8Array;
  readonly agentVersion: string;
}

/** Node to device: its key and nonce, and its signed hello over both sides' nonces. */
export interface NodeHelloMessage {
  readonly type: "nodeHello";
  readonly nodeKey: Uint8Array;
  readonly nodeNonce: Uint8Array;
  readonly hello: Uint8Array;
}

export interface DeviceHelloMessage {
  readonly type: "deviceHello";
  readonly hello: Uint8Array;
}

/** Node to device: the device's own newest checkpoint that the node holds, in any epoch, and its receipt. */
export interface WelcomeMessage {
  readonly type: "welcome";
  readonly epoch?: number;
  readonly checkpoint?: Uint8Array;
  readonly receipt?: Uint8Array;
}

/** Device to node: leaves and the checkpoint that covers them; leaves travel no other way. */
export interface BatchMessage {
  readonly type: "batch";
  readonly epoch: number;
  readonly firstSeq: number;
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

export interface ReceiptMessage {
  readonly type: "receipt";
  readonly receipt: Uint8Array;
}

/** Either side, before it closes: a stable code and one sentence. */
export interface RefusalMessage {
  readonly type: "refusal";
  readonly code: string;
  readonly message: string;
}

export type Message =
  | OpenMessage
  | NodeHelloMessage
  | DeviceHelloMessage
  | WelcomeMessage
  | BatchMessage
  | ReceiptMessage
  | RefusalMessage;

const TYPE_KEY = 0;
const LIMITS = { maxDepth: 2, maxLength: MAX_MESSAGE_BYTES };

type Body<T extends Message["type"]> = Omit<Extract<Message, { type: T }>, "type">;
type Codecs = {
  readonly [T in Message["type"]]: { readonly number: number; readonly body: RecordCodec<Body<T>> };
};

const CODECS: Codecs = {
  open: {
    number: 1,
    body: recordCodec<Body<"open">>("open", {
      network: must(1, "text"),
      deviceKey: must(2, "bytes32"),
      deviceNonce: must(3, "bytes32"),
      agentVersion: must(4, "text"),
    }),
  },
  nodeHello: {
    number: 2,
    body: recordCodec<Body<"nodeHello">>("nodeHello", {
      nodeKey: must(1, "bytes32"),
      nodeNonce: must(2, "bytes32"),
      hello: must(3, "bytes"),
    }),
  },
  deviceHello: {
    number: 3,
    body: recordCodec<Body<"deviceHello">>("deviceHello", { hello: must(1, "bytes") }),
  },
  welcome: {
    number: 4,
    body: recordCodec<Body<"welcome">>("welcome", {
      epoch: may(1, "uint"),
      checkpoint: may(2, "bytes"),
      receipt: may(3, "bytes"),
    }),
  },
  batch: {
    number: 5,
    body: recordCodec<Body<"batch">>("batch", {
      epoch: must(1, "uint"),
      firstSeq: must(2, "uint"),
      leaves: must(3, "bytes"),
      checkpoint: must(4, "bytes"),
    }),
  },
  receipt: {
    number: 6,
    body: recordCodec<Body<"receipt">>("receipt message", { receipt: must(1, "bytes") }),
  },
  refusal: {
    number: 7,
    body: recordCodec<Body<"refusal">>("refusal", { code: must(1, "text"), message: must(2, "longText") }),
  },
};

/** One binary WebSocket message: a deterministic CBOR map, `{0: type, 1…: as the type says}`. */
export function encodeMessage(message: Message): Uint8Array {
  const codec = CODECS[message.type];
  // The codec under a type's name is that type's; TypeScript cannot follow the correlation.
  const body = codec.body.toMap(message as never);
  return encodeCbor(new Map<number, CborValue>([[TYPE_KEY, codec.number], ...body]));
}

/** Decodes a message strictly. Throws `message-size`, `message-type`, `cbor-…`, `field` or `unknown-key`. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new Problem("message-size", "message is too large", {
      expected: `at most ${MAX_MESSAGE_BYTES} bytes`,
      got: String(bytes.length),
    });
  }
  const map = new Map(decodeCborMap(bytes, LIMITS));
  const number = map.get(TYPE_KEY);
  map.delete(TYPE_KEY);
  for (const [type, codec] of Object.entries(CODECS)) {
    // Body and type come from the same row of the table.
    if (codec.number === number) return { type, ...codec.body.fromMap(map) } as Message;
  }
  throw new Problem("message-type", "message type is unknown", {
    expected: "1 to 7",
    got: typeof number === "number" ? String(number) : typeof number,
  });
}

/** A refusal whose text fits the wire. */
export function refusal(code: string, message: string): RefusalMessage {
  // A cut may go through a surrogate pair, and half a pair has no UTF-8.
  return { type: "refusal", code: code.slice(0, 128), message: message.slice(0, 256).toWellFormed() };
}
