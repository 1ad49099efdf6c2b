import { once } from "node:events";
import { WebSocket } from "ws";
import { concatBytes } from "../../attest/bytes.ts";
import { breakClose, closeReferences, dueClose } from "../../attest/channel-state.ts";
import { type Checkpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { checkHello, STREAM_SUBPROTOCOL, signHello } from "../../attest/hello.ts";
import { leafSalt } from "../../attest/identity.ts";
import type { Leaf, Unplaced } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { type BatchMessage, decodeMessage, encodeMessage, type Message } from "../../attest/messages.ts";
import { hmacSha256, nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { LocalSigner } from "../../attest/signature.ts";

export const NETWORK = "test-network";
/** A full minute of 2026, UTC. */
export const START_MS: number = Date.UTC(2026, 0, 5, 12);
export const INTERVAL_MS = 60_000;

const SALT_KEY = new Uint8Array(32).fill(7);

export function seedOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(number);
}

export interface FakeLogOptions {
  readonly seed?: Uint8Array;
  readonly network?: string;
  readonly epoch?: number;
  readonly intervalMs?: number;
}

/** A device that writes lawful logs and hands them out as batches; what is unlawful a test makes of them itself. */
export class FakeDevice {
  readonly signer: LocalSigner;
  readonly network: string;
  readonly epoch: number;
  readonly rules: LogRules;
  readonly leaves: Uint8Array[] = [];
  nowMs: number = START_MS;
  importMwh = 1_000_000;
  readonly #intervalMs: number;
  #sent = 0;

  constructor(options: FakeLogOptions = {}) {
    this.signer = nativeSigner(options.seed ?? seedOf(1));
    this.network = options.network ?? NETWORK;
    this.epoch = options.epoch ?? 1;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    const { network, epoch } = this;
    this.rules = new LogRules(nativeSuite, { network, deviceKey: this.signer.publicKey, epoch });
  }

  /** The manifests of the log and of channel 1, "grid". */
  open(old?: {
    readonly oldLogId: Uint8Array;
    readonly oldSize: number;
    readonly oldRoot: Uint8Array;
  }): this {
    this.append({ kind: "logManifest", network: this.network, epoch: this.epoch, ...this.#manifest() });
    if (this.epoch > 1) this.append({ kind: "epochOpen", reason: "restored", ...old, ...this.#time() });
    this.append({
      ...{ kind: "channelManifest", channel: 1, role: 1, name: "grid", registers: 3, samplingMs: 5000 },
      ...{ make: "Acme", model: "M1", serial: "4711", driver: "test", ...this.#time() },
    });
    return this;
  }

  /** `count` readings 5 s apart, 7 Wh each, with the closes that fall due between them. */
  read(count: number): this {
    for (let i = 0; i < count; i++) {
      this.nowMs += 5000;
      this.importMwh += 7_000;
      this.closeDue();
      const { importMwh } = this;
      this.append({
        ...{ kind: "reading", channel: 1, importMwh, exportMwh: 500, activePowerMw: 5_040_000 },
        ...this.#time(),
      });
    }
    return this;
  }

  /** The meter is replaced: a partial close, a discontinuity, and new registers. */
  replaceMeter(): this {
    const state = this.#channel();
    const close = breakClose(state, this.#intervalMs);
    if (close !== undefined)
      this.append({
        kind: "intervalClose",
        channel: 1,
        ...close,
        ...closeReferences(state),
        ...this.#time(),
      });
    const after = this.#channel();
    this.append({
      ...{ kind: "discontinuity", channel: 1, classification: 3, gapToMs: this.nowMs, ...this.#time() },
      ...{ gapFromMs: after.lastReadingMs ?? 0, newImportMwh: 7000, newExportMwh: 500 },
      ...(after.last?.importMwh === undefined ? {} : { oldImportMwh: after.last.importMwh }),
      ...(after.last?.exportMwh === undefined ? {} : { oldExportMwh: after.last.exportMwh }),
    });
    this.importMwh = 0;
    return this;
  }

  closeDue(): void {
    const due = dueClose(this.#channel(), this.nowMs, this.#intervalMs);
    if (due === undefined) return;
    const references = closeReferences(this.#channel());
    this.append({ kind: "intervalClose", channel: 1, ...due, ...references, ...this.#time() });
  }

  append(unplaced: Unplaced): void {
    const seq = this.leaves.length;
    const salt = leafSalt(hmacSha256, { saltKey: SALT_KEY, logId: this.rules.logId, seq });
    // A leaf without its place, and its place.
    const leaf = { ...unplaced, seq, salt } as Leaf;
    const bytes = encodeLeaf(leaf);
    this.rules.apply(leaf, bytes);
    this.leaves.push(bytes);
  }

  /** What the next checkpoint says. */
  checkpoint(): Checkpoint {
    const { rules } = this;
    return {
      ...{ size: rules.size, root: rules.root(), manifestHash: rules.manifestHash, issuedAtMs: this.nowMs },
      ...{ lastLeafMs: rules.lastTime.timeMs, timeQuality: rules.lastTime.timeQuality },
      bootCount: rules.bootCount,
    };
  }

  /** The leaves since the last batch, or since `firstSeq`, under a fresh checkpoint. */
  async batch(firstSeq: number = this.#sent): Promise<BatchMessage> {
    this.#sent = this.leaves.length;
    return {
      ...{ type: "batch", epoch: this.epoch, firstSeq },
      leaves: concatBytes(...this.leaves.slice(firstSeq)),
      checkpoint: await signCheckpoint(this.signer, this.rules.logId, this.checkpoint()),
    };
  }

  #channel(): NonNullable<ReturnType<LogRules["channels"]["get"]>> {
    const channel = this.rules.channels.get(1);
    if (channel === undefined) throw new Error("the fake device has not opened its channel");
    return channel;
  }

  #time(): { timeMs: number; timeQuality: number } {
    return { timeMs: this.nowMs, timeQuality: 3 };
  }

  #manifest(): Omit<Extract<Unplaced, { kind: "logManifest" }>, "kind" | "network" | "epoch"> {
    return {
      ...{ deviceKey: this.signer.publicKey, agentVersion: "test", assuranceTier: 0, bootCount: 1 },
      ...{ intervalMs: this.#intervalMs, ...this.#time() },
    };
  }
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One WebSocket to a node, message by message. Every wait ends at the test's own deadline. */
export class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #arrived: Message[] = [];
  readonly #waiting: ((message: Message) => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: Buffer) => {
      const message = decodeMessage(new Uint8Array(data));
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#arrived.push(message);
      else waiter(message);
    });
  }

  static async connect(url: string, protocols: string[] = [STREAM_SUBPROTOCOL]): Promise<Client> {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
    const client = new Client(socket);
    await once(socket, "open");
    return client;
  }

  /** Connects and proves the key of `signer`; the welcome is returned. */
  static async greeted(
    url: string,
    signer: LocalSigner,
    network: string = NETWORK,
  ): Promise<{ client: Client; welcome: Message; nodeKey: Uint8Array }> {
    const client = await Client.connect(url);
    const { reply, nodeKey } = await client.answerHello(signer, network);
    client.send(reply);
    return { client, welcome: await client.next(), nodeKey };
  }

  /** Opens and checks the node's hello; returns the device's hello, not sent yet. */
  async answerHello(signer: LocalSigner, network: string): Promise<{ reply: Message; nodeKey: Uint8Array }> {
    const deviceNonce = crypto.getRandomValues(new Uint8Array(32));
    const deviceKey = signer.publicKey;
    const hello = await this.ask({ type: "open", network, deviceKey, deviceNonce, agentVersion: "test" });
    if (hello.type !== "nodeHello") throw new Error(`no hello but ${JSON.stringify(hello)}`);
    const { nodeKey, nodeNonce } = hello;
    const terms = { network, deviceKey, nodeKey, deviceNonce, nodeNonce };
    checkHello(nativeSuite, hello.hello, { role: "node", terms });
    return { reply: { type: "deviceHello", hello: await signHello(signer, "device", terms) }, nodeKey };
  }

  send(message: Message): void {
    this.sendBytes(encodeMessage(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** The next message of the node; rejects when the socket closes first. */
  next(): Promise<Message> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    const message = new Promise<Message>((resolve) => this.#waiting.push(resolve));
    const ended = this.closed.then(({ code, reason }): never => {
      throw new Error(`closed with ${code} ${reason}`);
    });
    return Promise.race([message, ended]);
  }

  ask(message: Message): Promise<Message> {
    this.send(message);
    return this.next();
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
