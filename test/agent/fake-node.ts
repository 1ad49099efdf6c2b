import { once } from "node:events";
import { type WebSocket, WebSocketServer } from "ws";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { DECISIONS, signCountersignature } from "../../attest/countersignature.ts";
import { checkHello, type HelloTerms, STREAM_SUBPROTOCOL, signHello } from "../../attest/hello.ts";
import { logIdOf } from "../../attest/identity.ts";
import {
  type BatchMessage,
  decodeMessage,
  type EnrolmentMessage,
  encodeMessage,
  type FrameMessage,
  type LiveMessage,
  type Message,
  type OpenMessage,
  type OrderRefusedMessage,
  type WelcomeMessage,
} from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { type Receipt, RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { NETWORK } from "./kit.ts";

/** What a node does otherwise than a good one; each is told the connection it happens on. */
export interface Script {
  /** The subprotocol that the node picks; false: none. */
  readonly subprotocol?: string | false;
  readonly key?: LocalSigner;
  /** How many connections it leaves without an answer, before it begins to speak. */
  readonly silentConnections?: number;
  /** Instead of its hello. */
  opened?(peer: Peer): void;
  /** Whether the node asks for an enrolment in place of the welcome. */
  asks?(peer: Peer): boolean;
  /** Instead of a welcome with a countersignature. */
  enrolment?(peer: Peer, message: EnrolmentMessage): void | Promise<void>;
  /** What the node says it holds. */
  welcome?(peer: Peer): Omit<WelcomeMessage, "type">;
  /** Instead of a receipt. */
  batch?(peer: Peer, batch: BatchMessage): void | Promise<void>;
}

/** One connection of a device, seen from the node. */
export class Peer {
  readonly socket: WebSocket;
  /** Counted from 0. */
  readonly number: number;
  readonly batches: BatchMessage[] = [];
  readonly enrolments: EnrolmentMessage[] = [];
  readonly lives: LiveMessage[] = [];
  readonly frames: FrameMessage[] = [];
  readonly refusedOrders: OrderRefusedMessage[] = [];
  /** Types of all messages, in order of arrival. */
  readonly types: Message["type"][] = [];
  /** What the device was asked to put in its statement. */
  nonce: Uint8Array = new Uint8Array(0);
  readonly closed: Promise<number>;
  readonly atMs: number = performance.now();
  open: OpenMessage | undefined;
  /** Batches that came and have no receipt yet, and the most there ever were. */
  waiting = 0;
  mostWaiting = 0;

  constructor(socket: WebSocket, number: number) {
    this.socket = socket;
    this.number = number;
    this.closed = once(socket, "close").then(([code]) => Number(code));
  }

  send(message: Message): void {
    this.socket.send(encodeMessage(message));
  }

  get deviceKey(): Uint8Array {
    if (this.open === undefined) throw new Error("the device has not opened");
    return this.open.deviceKey;
  }
}

/** A node on a real socket that keeps to its script, and to the protocol where the script is silent. */
export class FakeNode {
  readonly signer: LocalSigner;
  readonly peers: Peer[] = [];
  readonly #server: WebSocketServer;
  readonly #script: Script;

  private constructor(server: WebSocketServer, script: Script) {
    this.#server = server;
    this.#script = script;
    this.signer = script.key ?? nativeSigner(new Uint8Array(32).fill(200));
    server.on("connection", (socket) => this.#connected(new Peer(socket, this.peers.length)));
  }

  static async start(script: Script = {}): Promise<FakeNode> {
    const { subprotocol = STREAM_SUBPROTOCOL } = script;
    const server = new WebSocketServer({
      ...{ host: "127.0.0.1", port: 0, perMessageDeflate: false },
      handleProtocols: () => subprotocol,
    });
    await once(server, "listening");
    return new FakeNode(server, script);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}`;
  }

  /** All batches, of all connections, in order of arrival. */
  get batches(): BatchMessage[] {
    return this.peers.flatMap(({ batches }) => batches);
  }

  /** A receipt over what the batch's checkpoint says, with `changes`. */
  async receiptOf(peer: Peer, batch: BatchMessage, changes: Partial<Receipt> = {}): Promise<Uint8Array> {
    const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey: peer.deviceKey, epoch: batch.epoch });
    const { manifestHash, size, root } = openCheckpoint(nativeSuite, batch.checkpoint, {
      deviceKey: peer.deviceKey,
      logId,
    });
    const said = { manifestHash, size, root, receivedAtMs: Date.now(), ruleVersion: RULE_VERSION };
    return signReceipt(this.signer, { ...said, ...changes });
  }

  /** The node's answer to a statement. */
  countersign(statement: Uint8Array, decision: number = DECISIONS.accepted): Promise<Uint8Array> {
    return signCountersignature(nativeSuite, this.signer, { statement, decision, decidedAtMs: Date.now() });
  }

  /** Takes a device that asked, as a good node does. */
  async enrol(peer: Peer, { statement }: EnrolmentMessage): Promise<void> {
    const countersignature = await this.countersign(statement);
    peer.send({ type: "welcome", ...this.#script.welcome?.(peer), countersignature });
  }

  async giveReceipt(peer: Peer, batch: BatchMessage): Promise<void> {
    const receipt = await this.receiptOf(peer, batch);
    peer.waiting -= 1;
    peer.send({ type: "receipt", receipt });
  }

  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.terminate();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connected(peer: Peer): void {
    this.peers.push(peer);
    let terms: HelloTerms | undefined;
    // One message after the other, because hellos and receipts are signed asynchronously.
    let queue = Promise.resolve();
    peer.socket.on("error", () => peer.socket.terminate());
    peer.socket.on("message", (data: Buffer) => {
      queue = queue.then(async () => {
        const message = decodeMessage(new Uint8Array(data));
        peer.types.push(message.type);
        if (message.type === "open") terms = await this.#open(peer, message);
        else if (message.type === "deviceHello") this.#greet(peer, message.hello, terms);
        else if (message.type === "enrolment") await this.#enrolment(peer, message);
        else if (message.type === "batch") await this.#batch(peer, message);
        else if (message.type === "live") peer.lives.push(message);
        else if (message.type === "frame") peer.frames.push(message);
        else if (message.type === "orderRefused") peer.refusedOrders.push(message);
      });
    });
  }

  async #open(peer: Peer, open: OpenMessage): Promise<HelloTerms | undefined> {
    peer.open = open;
    if (peer.number < (this.#script.silentConnections ?? 0)) return undefined;
    if (this.#script.opened !== undefined) {
      this.#script.opened(peer);
      return undefined;
    }
    const { network, deviceKey, deviceNonce } = open;
    const nodeKey = this.signer.publicKey;
    const nodeNonce = crypto.getRandomValues(new Uint8Array(32));
    const terms = { network, deviceKey, nodeKey, deviceNonce, nodeNonce };
    peer.send({ type: "nodeHello", nodeKey, nodeNonce, hello: await signHello(this.signer, "node", terms) });
    return terms;
  }

  #greet(peer: Peer, hello: Uint8Array, terms: HelloTerms | undefined): void {
    if (terms === undefined) throw new Error("a hello before the node's own");
    checkHello(nativeSuite, hello, { role: "device", terms });
    if (this.#script.asks?.(peer) !== true) {
      peer.send({ type: "welcome", ...this.#script.welcome?.(peer) });
      return;
    }
    peer.nonce = crypto.getRandomValues(new Uint8Array(32));
    peer.send({ type: "enrolmentRequest", nonce: peer.nonce });
  }

  async #enrolment(peer: Peer, message: EnrolmentMessage): Promise<void> {
    peer.enrolments.push(message);
    if (this.#script.enrolment === undefined) await this.enrol(peer, message);
    else await this.#script.enrolment(peer, message);
  }

  async #batch(peer: Peer, batch: BatchMessage): Promise<void> {
    peer.batches.push(batch);
    peer.waiting += 1;
    peer.mostWaiting = Math.max(peer.mostWaiting, peer.waiting);
    if (this.#script.batch === undefined) await this.giveReceipt(peer, batch);
    else await this.#script.batch(peer, batch);
  }
}
