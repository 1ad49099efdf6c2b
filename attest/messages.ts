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

/**
 * Node to device: the device's own newest checkpoint that the node holds, in any epoch, and its receipt. With the
 * countersignature where the device was enrolled on this very connection.
 */
export interface WelcomeMessage {
  readonly type: "welcome";
  readonly epoch?: number;
  readonly checkpoint?: Uint8Array;
  readonly receipt?: Uint8Array;
  readonly countersignature?: Uint8Array;
}

/** Node to device, in place of the welcome: the node does not know the device and asks it to enrol. */
export interface EnrolmentRequestMessage {
  readonly type: "enrolmentRequest";
  readonly nonce: Uint8Array;
}

/** Device to node: its signed statement, and what shows that it was given a one-time code, which itself never travels. */
export interface EnrolmentMessage {
  readonly type: "enrolment";
  readonly statement: Uint8Array;
  /** HMAC-SHA-256(SHA-256(code), SHA-256(statement)). */
  readonly codeProof?: Uint8Array;
}

/** Device to node: what a channel shows now. Unsigned, for a display; never evidence, never stored. */
export interface LiveMessage {
  readonly type: "live";
  /** Name of the channel, as in its manifest. */
  readonly channel: string;
  /** The device's clock, ms since 1970 UTC. */
  readonly atMs: number;
  readonly powerMw?: number;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly stateOfChargePpm?: number;
}

/** Node to device: show the raw frame behind a leaf's evidence digest. */
export interface FrameRequestMessage {
  readonly type: "frameRequest";
  /** The first 16 bytes of SHA-256 of the frame, as in the leaf. */
  readonly digest: Uint8Array;
}

/** Device to node: the frame that was asked for; without `bytes` when it is gone from the device's ring. */
export interface FrameMessage {
  readonly type: "frame";
  readonly digest: Uint8Array;
  readonly bytes?: Uint8Array;
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

/** Node to device: a commitment, a dispatch or a challenge, as the node signed it. */
export interface OrderMessage {
  readonly type: "order";
  readonly order: Uint8Array;
}

/** Device to node: an order that leaves no trace in the log, by SHA-256 of the whole object, and why. */
export interface OrderRefusedMessage {
  readonly type: "orderRefused";
  readonly digest: Uint8Array;
  readonly code: string;
  readonly message: string;
}

/** Node to device: its signed list of the dispatches under a commitment. */
export interface DispatchListMessage {
  readonly type: "dispatchList";
  readonly list: Uint8Array;
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
  | RefusalMessage
  | EnrolmentRequestMessage
  | EnrolmentMessage
  | LiveMessage
  | FrameRequestMessage
  | FrameMessage
  | OrderMessage
  | OrderRefusedMessage
  | DispatchListMessage;

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
      countersignature: may(4, "bytes"),
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
  enrolmentRequest: {
    number: 8,
    body: recordCodec<Body<"enrolmentRequest">>("enrolmentRequest", { nonce: must(1, "bytes32") }),
  },
  enrolment: {
    number: 9,
    body: recordCodec<Body<"enrolment">>("enrolment message", {
      statement: must(1, "bytes"),
      codeProof: may(2, "bytes32"),
    }),
  },
  live: {
    number: 10,
    body: recordCodec<Body<"live">>("live", {
      channel: must(1, "text"),
      atMs: must(2, "uint"),
      powerMw: may(3, "int"),
      importMwh: may(4, "int"),
      exportMwh: may(5, "int"),
      stateOfChargePpm: may(6, "uint"),
    }),
  },
  frameRequest: {
    number: 11,
    body: recordCodec<Body<"frameRequest">>("frameRequest", { digest: must(1, "bytes16") }),
  },
  frame: {
    number: 12,
    body: recordCodec<Body<"frame">>("frame", { digest: must(1, "bytes16"), bytes: may(2, "bytes") }),
  },
  order: {
    number: 13,
    body: recordCodec<Body<"order">>("order message", { order: must(1, "bytes") }),
  },
  orderRefused: {
    number: 14,
    body: recordCodec<Body<"orderRefused">>("orderRefused", {
      digest: must(1, "bytes32"),
      code: must(2, "text"),
      message: must(3, "longText"),
    }),
  },
  dispatchList: {
    number: 15,
    body: recordCodec<Body<"dispatchList">>("dispatchList message", { list: must(1, "bytes") }),
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
    expected: "1 to 15",
    got: typeof number === "number" ? String(number) : typeof number,
  });
}

/** A refusal whose text fits the wire. */
export function refusal(code: string, message: string): RefusalMessage {
  // A cut may go through a surrogate pair, and half a pair has no UTF-8.
  return { type: "refusal", code: code.slice(0, 128), message: message.slice(0, 256).toWellFormed() };
}
