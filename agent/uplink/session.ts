import { randomBytes } from "node:crypto";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import { checkHello, type HelloTerms, NONCE_BYTES, signHello } from "../../attest/hello.ts";
import type { Message, NodeHelloMessage, WelcomeMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { Signer } from "../../attest/signature.ts";

/** What one connection needs to know to prove itself and to judge the node. */
export interface SessionOptions {
  readonly network: string;
  readonly signer: Signer;
  /** The node key from the configuration: no other node is spoken to. */
  readonly nodeKey: Uint8Array;
  readonly agentVersion: string;
}

type Stage = "opening" | "greeting" | "welcomed";

/**
 * The device's side of the handshake: open, the node's hello, our hello, welcome. Takes each message in turn and
 * returns what to send, or the welcome at the end. Nothing of the log is sent before the node has proven its key.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #deviceNonce = new Uint8Array(randomBytes(NONCE_BYTES));
  #stage: Stage = "opening";

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get welcomed(): boolean {
    return this.#stage === "welcomed";
  }

  first(): Message {
    const { network, signer, agentVersion } = this.#options;
    return {
      type: "open",
      network,
      deviceKey: signer.publicKey,
      deviceNonce: this.#deviceNonce,
      agentVersion,
    };
  }

  /** Throws `node-key`, `hello-mismatch`, `cose-…`, or `handshake-order` for a message out of turn. */
  async take(message: Message): Promise<{ readonly reply: Message } | { readonly welcome: WelcomeMessage }> {
    if (message.type === "refusal") throw refusedBy(message.code, message.message);
    if (this.#stage === "opening" && message.type === "nodeHello") {
      const reply = await this.#greet(message);
      this.#stage = "greeting";
      return { reply };
    }
    if (this.#stage === "greeting" && message.type === "welcome") {
      this.#stage = "welcomed";
      return { welcome: message };
    }
    throw new Problem("handshake-order", "the node sent a message out of turn", {
      got: `${message.type} while ${this.#stage}`,
    });
  }

  async #greet(message: NodeHelloMessage): Promise<Message> {
    const { network, signer, nodeKey } = this.#options;
    if (!equalBytes(message.nodeKey, nodeKey)) {
      throw new Problem("node-key", "another node answers at this address", {
        expected: `key ${toHex(nodeKey)}`,
        got: toHex(message.nodeKey),
        hint: "correct the node's key in the configuration if its operator confirms the new one",
      });
    }
    if (message.nodeNonce.length !== NONCE_BYTES)
      throw new Problem("hello-mismatch", "the node's nonce has the wrong length");
    const terms: HelloTerms = {
      network,
      deviceKey: signer.publicKey,
      nodeKey,
      deviceNonce: this.#deviceNonce,
      nodeNonce: message.nodeNonce,
    };
    checkHello(nativeSuite, message.hello, { role: "node", terms });
    return { type: "deviceHello", hello: await signHello(signer, "device", terms) };
  }
}

/** What can be done on this side about a refusal, by the node's code. */
const REFUSAL_HINTS: ReadonlyMap<string, string> = new Map([
  ["network-mismatch", "correct `network` in the configuration, or name a node of this network"],
  ["device-unknown", "give the node's operator this device's key to list"],
  ["connection-replaced", "does another agent run with a copy of this key?"],
  ["fork", "was this key or this journal copied? this device needs a new key"],
]);

/** A refusal as the node sent it, for the log. */
export function refusedBy(code: string, message: string): Problem {
  const hint = REFUSAL_HINTS.get(code);
  const detail = hint === undefined ? {} : { hint };
  return new Problem(`node-refused:${code}`, `the node refused: ${message}`, detail);
}
