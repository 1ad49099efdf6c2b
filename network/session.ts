import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../attest/bytes.ts";
import { checkHello, type HelloTerms, NONCE_BYTES, signHello } from "../attest/hello.ts";
import {
  type BatchMessage,
  decodeMessage,
  type EnrolmentMessage,
  type FrameMessage,
  type Message,
  type NodeHelloMessage,
  type OpenMessage,
  type OrderRefusedMessage,
  type ReceiptMessage,
  type WelcomeMessage,
} from "../attest/messages.ts";
import { Problem } from "../attest/problem.ts";
import type { Standing } from "./admission.ts";
import { type EnrolmentRequest, enrolmentRejected } from "./enrolment/desk.ts";
import { ingestBatch } from "./ingest.ts";
import type { IngestContext, KnownDevice } from "./ingest-types.ts";

/** What a session needs beside what taking batches needs. */
export interface SessionContext extends IngestContext {
  /** Whether the owner of the node takes this key. */
  readonly standing: (deviceKey: Uint8Array) => Standing;
  /** The once-per-key half of profile S, remembered. */
  readonly checkKey: (deviceKey: Uint8Array) => boolean;
  /** The countersignature of a device that may be enrolled; throws the refusal of one that may not. */
  readonly enrol: (request: EnrolmentRequest) => Promise<Uint8Array>;
  /** How long a batch waits before it is looked at, ms; the key in hexadecimal. */
  readonly waitMs: (deviceKey: string, batch: BatchMessage) => number;
  /** Takes the bytes of a live value; the key in hexadecimal. */
  readonly live: (deviceKey: string, bytes: Uint8Array) => void;
  /** Takes the answer to a frame request. */
  readonly onFrame?: (deviceKey: Uint8Array, message: FrameMessage) => void;
  /** Takes a device's refusal of an order. */
  readonly onOrderRefused?: (deviceKey: Uint8Array, message: OrderRefusedMessage) => void;
}

/** Who is behind a connection, before the node has said that it takes it. */
interface Greeted {
  readonly terms: HelloTerms;
  readonly agentVersion: string;
}

/** How far a connection has come. Only `streaming` has proven who it is, and is taken. */
type State =
  | { readonly name: "opening" }
  | { readonly name: "greeting"; readonly greeted: Greeted }
  | { readonly name: "enrolling"; readonly greeted: Greeted; readonly nonce: Uint8Array }
  | { readonly name: "streaming"; readonly device: KnownDevice; readonly deviceKey: string };

const EXPECTED: Readonly<Record<State["name"], string>> = {
  ...{ opening: "open", greeting: "deviceHello", enrolling: "enrolment", streaming: "batch or live" },
};
/** Frames that are asked for and have not come. */
const MAX_ASKED_FRAMES = 16;
/** Orders that were sent and may still be refused; a device that takes one says nothing here. */
const MAX_SENT_ORDERS = 1024;

/**
 * The node's side of the stream protocol, without a socket: one message in, at most one answer out.
 *
 *     open -> nodeHello -> deviceHello -> welcome -> batch -> receipt -> batch -> receipt …
 *                          deviceHello -> enrolmentRequest -> enrolment -> welcome
 *
 * `live` may come at any time after the welcome and is not answered, nor are `frame`, which answers a `frameRequest`, and
 * `orderRefused`, which answers an `order`.
 */
export class Session {
  readonly #context: SessionContext;
  readonly #source: string;
  readonly #askedFrames = new Set<string>();
  readonly #sentOrders = new Set<string>();
  #state: State = { name: "opening" };

  /** @param source where the connection comes from, as limits count it */
  constructor(context: SessionContext, source: string) {
    this.#context = context;
    this.#source = source;
  }

  /** The device behind the connection, once it has proven its key and is taken. */
  get device(): KnownDevice | undefined {
    return this.#state.name === "streaming" ? this.#state.device : undefined;
  }

  /**
   * Answers one message, undefined where it needs no answer. A thrown Problem is the refusal to send before closing.
   *
   * @param hurry ends the wait of a batch that came before its time
   */
  async answer(bytes: Uint8Array, hurry: AbortSignal): Promise<Message | undefined> {
    const message = decodeMessage(bytes);
    const state = this.#state;
    if (state.name === "opening" && message.type === "open") return this.#open(message);
    if (state.name === "greeting" && message.type === "deviceHello")
      return this.#greet(state.greeted, message.hello);
    if (state.name === "enrolling" && message.type === "enrolment") return this.#enrol(state, message);
    if (state.name === "streaming" && message.type === "batch") return this.#take(state, message, hurry);
    if (state.name === "streaming" && message.type === "frame") return this.#frame(state.device, message);
    if (state.name === "streaming" && message.type === "orderRefused")
      return this.#orderRefused(state.device, message);
    throw this.#unexpected(message.type);
  }

  /** Takes a live value, at once and beside what {@link answer} is busy with. Throws as that does. */
  live(bytes: Uint8Array): void {
    if (this.#state.name !== "streaming") throw this.#unexpected("live");
    this.#context.live(this.#state.deviceKey, bytes);
  }

  /** Notes that a frame is asked for; false when too many are. */
  expectFrame(digest: Uint8Array): boolean {
    if (this.#askedFrames.size >= MAX_ASKED_FRAMES) return false;
    this.#askedFrames.add(toHex(digest));
    return true;
  }

  /** Notes that an order was sent, which the device may now refuse. */
  expectRefusal(order: Uint8Array): void {
    this.#sentOrders.add(toHex(this.#context.suite.sha256(order)));
    const [oldest] = this.#sentOrders;
    if (this.#sentOrders.size > MAX_SENT_ORDERS && oldest !== undefined) this.#sentOrders.delete(oldest);
  }

  async #take(
    { device, deviceKey }: Extract<State, { name: "streaming" }>,
    batch: BatchMessage,
    hurry: AbortSignal,
  ): Promise<ReceiptMessage> {
    const waitMs = this.#context.waitMs(deviceKey, batch);
    // An abort is no failure here: the batch is then taken without a wait.
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: hurry }).catch(() => undefined);
    return { type: "receipt", receipt: await ingestBatch(this.#context, device, batch) };
  }

  #frame({ key }: KnownDevice, message: FrameMessage): undefined {
    if (!this.#askedFrames.delete(toHex(message.digest))) throw this.#unexpected("frame");
    this.#context.onFrame?.(key, message);
  }

  #orderRefused({ key }: KnownDevice, message: OrderRefusedMessage): undefined {
    if (!this.#sentOrders.delete(toHex(message.digest))) throw this.#unexpected("orderRefused");
    this.#context.onOrderRefused?.(key, message);
  }

  async #open(message: OpenMessage): Promise<NodeHelloMessage> {
    const { network, signer } = this.#context;
    if (message.network !== network) {
      throw new Problem("network-mismatch", "this node serves another network", {
        expected: network,
        got: message.network,
      });
    }
    const { deviceKey, deviceNonce, agentVersion } = message;
    if (this.#context.standing(deviceKey) === "unknown") throw deviceUnknown(deviceKey);
    const nodeNonce = new Uint8Array(randomBytes(NONCE_BYTES));
    const terms = { network, deviceKey, nodeKey: signer.publicKey, deviceNonce, nodeNonce };
    const hello = await signHello(signer, "node", terms);
    this.#state = { name: "greeting", greeted: { terms, agentVersion } };
    return { type: "nodeHello", nodeKey: signer.publicKey, nodeNonce, hello };
  }

  async #greet(greeted: Greeted, hello: Uint8Array): Promise<Message> {
    const { terms } = greeted;
    const key = terms.deviceKey;
    checkHello(this.#context.suite, hello, { role: "device", terms });
    // After the signature, because it costs more and a stranger must not make the node pay for it.
    if (!this.#context.checkKey(key))
      throw new Problem("device-key", "the device key is not a canonical Ed25519 key of prime order");
    // Asked again: the configuration may have changed since the connection was opened.
    switch (this.#context.standing(key)) {
      case "welcome":
        return this.#welcome(greeted);
      case "enrol":
        return this.#askToEnrol(greeted);
      case "rejected":
        throw enrolmentRejected();
      case "unknown":
        throw deviceUnknown(key);
    }
  }

  #askToEnrol(greeted: Greeted): Message {
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
    this.#state = { name: "enrolling", greeted, nonce };
    return { type: "enrolmentRequest", nonce };
  }

  async #enrol(
    { greeted, nonce }: Extract<State, { name: "enrolling" }>,
    { statement, codeProof }: EnrolmentMessage,
  ): Promise<WelcomeMessage> {
    const countersignature = await this.#context.enrol({
      ...{ deviceKey: greeted.terms.deviceKey, nodeNonce: nonce, source: this.#source, statement },
      ...(codeProof === undefined ? {} : { codeProof }),
    });
    return { ...(await this.#welcome(greeted)), countersignature };
  }

  async #welcome({ terms, agentVersion }: Greeted): Promise<WelcomeMessage> {
    const { store, nowMs } = this.#context;
    const key = terms.deviceKey;
    await store.touch(key, agentVersion, nowMs());
    const newest = await store.newestCheckpoint(key);
    this.#state = { name: "streaming", device: { key, agentVersion }, deviceKey: toHex(key) };
    if (newest === undefined) return { type: "welcome" };
    return { type: "welcome", epoch: newest.epoch, checkpoint: newest.bytes, receipt: newest.receipt };
  }

  #unexpected(got: string): Problem {
    return new Problem("message-unexpected", "the message is not for this point of the conversation", {
      expected: EXPECTED[this.#state.name],
      got,
    });
  }
}

function deviceUnknown(deviceKey: Uint8Array): Problem {
  return new Problem("device-unknown", "this node does not know the device", {
    got: toHex(deviceKey),
    hint: "add the key to devices in the node's configuration",
  });
}
