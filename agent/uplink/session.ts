import { randomBytes } from "node:crypto";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import { DECISIONS, openCountersignature } from "../../attest/countersignature.ts";
import type { EnrolmentRecord } from "../../attest/enrolled-key.ts";
import { checkHello, type HelloTerms, NONCE_BYTES, signHello } from "../../attest/hello.ts";
import type {
  EnrolmentMessage,
  Message,
  NodeHelloMessage,
  RefusalMessage,
  WelcomeMessage,
} from "../../attest/messages.ts";
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
  /** Answers a node that does not know this device; without it such a node is given up. */
  readonly enrol?: (nodeNonce: Uint8Array) => Promise<EnrolmentMessage>;
}

/** What comes of one message: something to send, or the welcome at the end, with the record of an enrolment before it. */
export type Step =
  | { readonly reply: Message }
  | { readonly welcome: WelcomeMessage; readonly enrolled?: EnrolmentRecord };

type Stage = "opening" | "greeting" | "enrolling" | "welcomed";

/**
 * The device's side of the handshake: open, the node's hello, our hello, welcome; an enrolment before the welcome where
 * the node asks for one. Takes each message in turn. Nothing of the log, and no statement, is sent before the node has
 * proven its key.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #deviceNonce = new Uint8Array(randomBytes(NONCE_BYTES));
  #stage: Stage = "opening";
  /** What this connection asked to be enrolled with. */
  #statement: Uint8Array | undefined;

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

  /**
   * Throws `node-key`, `hello-mismatch`, `cose-…`, `node-refused:…`, `enrolment-…` or `countersignature-…`, and
   * `handshake-order` for a message out of turn.
   */
  async take(message: Message): Promise<Step> {
    if (message.type === "refusal") throw this.refused(message);
    if (this.#stage === "opening" && message.type === "nodeHello") {
      const reply = await this.#greet(message);
      this.#stage = "greeting";
      return { reply };
    }
    if (this.#stage === "greeting" && message.type === "enrolmentRequest") {
      const reply = await this.#enrol(message.nonce);
      this.#statement = reply.statement;
      this.#stage = "enrolling";
      return { reply };
    }
    if (message.type === "welcome" && (this.#stage === "greeting" || this.#stage === "enrolling")) {
      const enrolled = this.#enrolled(message);
      this.#stage = "welcomed";
      return enrolled === undefined ? { welcome: message } : { welcome: message, enrolled };
    }
    throw new Problem("handshake-order", "the node sent a message out of turn", {
      got: `${message.type} while ${this.#stage}`,
    });
  }

  /** A refusal as the node sent it, for the log, with what to do about it. */
  refused({ code, message }: RefusalMessage): Problem {
    const hint = REFUSAL_HINTS.get(code)?.(toHex(this.#options.signer.publicKey));
    return refusedBy(code, message, hint);
  }

  async #enrol(nodeNonce: Uint8Array): Promise<EnrolmentMessage> {
    const { enrol } = this.#options;
    if (enrol !== undefined) return enrol(nodeNonce);
    throw new Problem("enrolment-unable", "the node asks for an enrolment, which this program does not do");
  }

  /** Who was asked for a statement is owed an answer to that very one; undefined where no statement was made. */
  #enrolled({ countersignature }: WelcomeMessage): EnrolmentRecord | undefined {
    const statement = this.#statement;
    // One that was not asked for answers a statement of another connection, and changes nothing.
    if (statement === undefined) return undefined;
    if (countersignature === undefined)
      throw new Problem("enrolment-unanswered", "the node took the enrolment and did not countersign it");
    const { nodeKey } = this.#options;
    const answer = openCountersignature(nativeSuite, countersignature, { statement, nodeKey });
    if (answer.countersignature.decision === DECISIONS.accepted) return { statement, countersignature };
    throw new Problem("enrolment-declined", "the node welcomes the device, and signed that it does not");
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

/** What can be done on this side about a refusal, by the node's code; keys in hexadecimal. */
const REFUSAL_HINTS: ReadonlyMap<string, (deviceKey: string) => string> = new Map<
  string,
  (deviceKey: string) => string
>([
  ["network-mismatch", () => "correct `network` in the configuration, or name a node of this network"],
  ["device-unknown", (key) => `give the node's operator this device's key to list: ${key}`],
  ["device-key", () => "the key file holds no usable key: this device needs a new one"],
  [
    "enrolment-waiting",
    (key) =>
      `ask the node's operator to approve key ${key}, or to hand out a one-time code; the agent asks again by itself`,
  ],
  [
    "enrolment-code",
    () =>
      "ask the node's operator for a new one-time code and put it in the file that enrolmentCodeFile names; each is good for one device and a limited time",
  ],
  [
    "enrolment-rejected",
    (key) => `the operator has turned this device down: ask the node's operator to approve key ${key}`,
  ],
  ["connection-replaced", () => "does another agent run with a copy of this key? stop one of the two"],
  ["fork", () => "was this key or this journal copied? this device needs a new key"],
  [
    "quarantine",
    (key) =>
      `too many epochs were opened in a day: does a copy of this gateway run? then ask the node's operator to release key ${key}`,
  ],
]);

/** A refusal by a node as a Problem with the code `node-refused:CODE`. */
export function refusedBy(code: string, message: string, hint?: string): Problem {
  const detail = hint === undefined ? {} : { hint };
  return new Problem(`node-refused:${code}`, `the node refused: ${message}`, detail);
}
