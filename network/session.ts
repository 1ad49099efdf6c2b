import { randomBytes } from "node:crypto";
import { toHex } from "../attest/bytes.ts";
import { checkHello, type HelloTerms, NONCE_BYTES, signHello } from "../attest/hello.ts";
import {
  decodeMessage,
  type Message,
  type NodeHelloMessage,
  type OpenMessage,
  type WelcomeMessage,
} from "../attest/messages.ts";
import { Problem } from "../attest/problem.ts";
import { ingestBatch } from "./ingest.ts";
import type { IngestContext, KnownDevice } from "./ingest-types.ts";

/** What a session needs beside what taking batches needs. */
export interface SessionContext extends IngestContext {
  /** Whether the owner of the node takes this key; hexadecimal. */
  readonly admits: (deviceKey: string) => boolean;
  /** The once-per-key half of profile S, remembered. */
  readonly checkKey: (deviceKey: Uint8Array) => boolean;
}

/** How far a connection has come. Only `streaming` has proven who it is. */
type State =
  | { readonly name: "opening" }
  | { readonly name: "greeting"; readonly terms: HelloTerms; readonly agentVersion: string }
  | { readonly name: "streaming"; readonly device: KnownDevice };

/**
 * The node's side of the stream protocol, without a socket: one message in, one answer out.
 *
 *     open -> nodeHello -> deviceHello -> welcome -> batch -> receipt -> batch -> receipt …
 */
export class Session {
  readonly #context: SessionContext;
  #state: State = { name: "opening" };

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** The device behind the connection, once it has proven its key. */
  get device(): KnownDevice | undefined {
    return this.#state.name === "streaming" ? this.#state.device : undefined;
  }

  /** Answers one message. A thrown Problem is the refusal to send before closing. */
  async answer(bytes: Uint8Array): Promise<Message> {
    const message = decodeMessage(bytes);
    const state = this.#state;
    if (state.name === "opening" && message.type === "open") return this.#open(message);
    if (state.name === "greeting" && message.type === "deviceHello") return this.#greet(state, message.hello);
    if (state.name === "streaming" && message.type === "batch") {
      return { type: "receipt", receipt: await ingestBatch(this.#context, state.device, message) };
    }
    throw new Problem("message-unexpected", "the message is not for this point of the conversation", {
      expected: { opening: "open", greeting: "deviceHello", streaming: "batch" }[state.name],
      got: message.type,
    });
  }

  async #open(message: OpenMessage): Promise<NodeHelloMessage> {
    const { network, signer } = this.#context;
    if (message.network !== network) {
      throw new Problem("network-mismatch", "this node serves another network", {
        expected: network,
        got: message.network,
      });
    }
    this.#requireAdmitted(message.deviceKey);
    const { deviceKey, deviceNonce, agentVersion } = message;
    const nodeNonce = new Uint8Array(randomBytes(NONCE_BYTES));
    const terms = { network, deviceKey, nodeKey: signer.publicKey, deviceNonce, nodeNonce };
    const hello = await signHello(signer, "node", terms);
    this.#state = { name: "greeting", terms, agentVersion };
    return { type: "nodeHello", nodeKey: signer.publicKey, nodeNonce, hello };
  }

  async #greet(
    { terms, agentVersion }: { readonly terms: HelloTerms; readonly agentVersion: string },
    hello: Uint8Array,
  ): Promise<WelcomeMessage> {
    const { suite, store, nowMs } = this.#context;
    const key = terms.deviceKey;
    checkHello(suite, hello, { role: "device", terms });
    // After the signature, because it costs more and a stranger must not make the node pay for it.
    if (!this.#context.checkKey(key))
      throw new Problem("device-key", "the device key is not a canonical Ed25519 key of prime order");
    await store.touch(key, agentVersion, nowMs());
    const newest = await store.newestCheckpoint(key);
    this.#state = { name: "streaming", device: { key, agentVersion } };
    if (newest === undefined) return { type: "welcome" };
    return { type: "welcome", epoch: newest.epoch, checkpoint: newest.bytes, receipt: newest.receipt };
  }

  #requireAdmitted(deviceKey: Uint8Array): void {
    const key = toHex(deviceKey);
    if (this.#context.admits(key)) return;
    throw new Problem("device-unknown", "this node does not know the device", {
      got: key,
      hint: "add the key to devices in the node's configuration",
    });
  }
}
