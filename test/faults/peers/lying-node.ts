import { once } from "node:events";
import { type WebSocket, WebSocketServer } from "ws";
import { openCheckpoint, signCheckpoint } from "../../../attest/checkpoint.ts";
import { type HelloTerms, STREAM_SUBPROTOCOL, signHello } from "../../../attest/hello.ts";
import { logIdOf } from "../../../attest/identity.ts";
import {
  type BatchMessage,
  decodeMessage,
  encodeMessage,
  type Message,
  type OpenMessage,
  type WelcomeMessage,
} from "../../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { type Receipt, RULE_VERSION, signReceipt } from "../../../attest/receipt.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import { NETWORK } from "../kit/site.ts";

/** One way of lying. */
export type Lie =
  | "wrong-root"
  | "larger-size"
  | "other-manifest"
  | "forged-receipt"
  | "garbage-receipt"
  | "old-size"
  | "no-hello"
  | "no-welcome"
  | "no-receipt"
  | "relayed-hello"
  | "replayed-hello"
  | "other-device"
  | "future-epoch"
  | "bit-of-checkpoint"
  | "large-message"
  | "text"
  | "flood-of-receipts"
  | "refuses";

export const LIES: readonly Lie[] = [
  ...([
    "wrong-root",
    "larger-size",
    "other-manifest",
    "forged-receipt",
    "garbage-receipt",
    "old-size",
  ] as const),
  ...(["no-hello", "no-welcome", "no-receipt", "relayed-hello", "replayed-hello", "other-device"] as const),
  ...([
    "future-epoch",
    "bit-of-checkpoint",
    "large-message",
    "text",
    "flood-of-receipts",
    "refuses",
  ] as const),
];

const SEEDS = { own: 201, other: 202, device: 203 } as const;
const LARGE_BYTES = 100_000;
const FLOOD = 2000;

/** A node that proves its key and then lies, or does not even do that. */
export class LyingNode {
  readonly signer: LocalSigner = signerOf(SEEDS.own);
  /** Checkpoints that the device sent here, as it signed them. */
  readonly batches: BatchMessage[] = [];
  /** Connections that were made to it. */
  connections = 0;
  readonly #server: WebSocketServer;
  readonly #lie: Lie;
  #recordedHello: Message | undefined;

  private constructor(server: WebSocketServer, lie: Lie) {
    this.#server = server;
    this.#lie = lie;
    server.on("connection", (socket) => this.#connected(socket));
  }

  static async start(lie: Lie): Promise<LyingNode> {
    const handleProtocols = (): string => STREAM_SUBPROTOCOL;
    const options = { host: "127.0.0.1", port: 0, perMessageDeflate: false, handleProtocols };
    const server = new WebSocketServer(options);
    await once(server, "listening");
    return new LyingNode(server, lie);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connected(socket: WebSocket): void {
    this.connections += 1;
    let open: OpenMessage | undefined;
    let turn: Promise<void> = Promise.resolve();
    const send = (message: Message): void => socket.send(encodeMessage(message));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: Buffer) => {
      turn = turn.then(async () => {
        const message = decodeMessage(new Uint8Array(data));
        if (message.type === "open") {
          open = message;
          await this.#opened(message, send, socket);
        } else if (message.type === "deviceHello" && open !== undefined) await this.#greeted(open, send);
        else if (message.type === "batch" && open !== undefined) await this.#took(open, message, send);
      });
    });
  }

  async #opened(open: OpenMessage, send: (message: Message) => void, socket: WebSocket): Promise<void> {
    switch (this.#lie) {
      case "no-hello":
        return;
      case "refuses":
        send({ type: "refusal", code: "nonsense", message: "x".repeat(256) });
        return;
      case "large-message":
        socket.send(new Uint8Array(LARGE_BYTES));
        return;
      case "text":
        socket.send("welcome");
        return;
      case "relayed-hello":
        // As another node gave it: its own key, its own signature, over this device's nonce.
        send(await helloOf(signerOf(SEEDS.other), open));
        return;
      case "replayed-hello":
        this.#recordedHello ??= await helloOf(this.signer, {
          ...open,
          deviceNonce: new Uint8Array(32).fill(1),
        });
        send(this.#recordedHello);
        return;
      default:
        send(await helloOf(this.signer, open));
    }
  }

  async #greeted(open: OpenMessage, send: (message: Message) => void): Promise<void> {
    if (this.#lie === "no-welcome") return;
    send({ type: "welcome", ...(await this.#welcome(open)) });
  }

  async #welcome({ deviceKey }: OpenMessage): Promise<Omit<WelcomeMessage, "type">> {
    const stranger = signerOf(SEEDS.device);
    if (this.#lie === "other-device")
      return { epoch: 1, checkpoint: await checkpointBy(stranger, stranger.publicKey, 1) };
    if (this.#lie === "future-epoch")
      return { epoch: 9, checkpoint: await checkpointBy(stranger, deviceKey, 9) };
    const [first, ...more] = this.batches;
    if (first === undefined) return {};
    if (this.#lie === "old-size") return { epoch: first.epoch, checkpoint: first.checkpoint };
    const newest = more.at(-1) ?? first;
    if (this.#lie !== "bit-of-checkpoint") return { epoch: newest.epoch, checkpoint: newest.checkpoint };
    const changed = Uint8Array.from(newest.checkpoint);
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
    return { epoch: newest.epoch, checkpoint: changed };
  }

  async #took(open: OpenMessage, batch: BatchMessage, send: (message: Message) => void): Promise<void> {
    this.batches.push(batch);
    if (this.#lie === "no-receipt") return;
    const receipt = await this.#receipt(open, batch);
    const times = this.#lie === "flood-of-receipts" ? FLOOD : 1;
    for (let i = 0; i < times; i++) send({ type: "receipt", receipt });
  }

  async #receipt({ deviceKey }: OpenMessage, batch: BatchMessage): Promise<Uint8Array> {
    const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch: batch.epoch });
    const { manifestHash, size, root } = openCheckpoint(nativeSuite, batch.checkpoint, { deviceKey, logId });
    const honest = { manifestHash, size, root, receivedAtMs: Date.now(), ruleVersion: RULE_VERSION };
    if (this.#lie === "garbage-receipt") return new Uint8Array(200).fill(0xd2);
    const signer = this.#lie === "forged-receipt" ? signerOf(SEEDS.other) : this.signer;
    return signReceipt(signer, { ...honest, ...this.#falsified() });
  }

  #falsified(): Partial<Receipt> {
    if (this.#lie === "wrong-root") return { root: new Uint8Array(32).fill(7) };
    if (this.#lie === "larger-size") return { size: 1_000_000 };
    if (this.#lie === "other-manifest") return { manifestHash: new Uint8Array(32).fill(7) };
    return {};
  }
}

async function helloOf(signer: LocalSigner, open: OpenMessage): Promise<Message> {
  const { network, deviceKey, deviceNonce } = open;
  const nodeNonce = crypto.getRandomValues(new Uint8Array(32));
  const nodeKey = signer.publicKey;
  const terms: HelloTerms = { network, deviceKey, nodeKey, deviceNonce, nodeNonce };
  return { type: "nodeHello", nodeKey, nodeNonce, hello: await signHello(signer, "node", terms) };
}

/** A checkpoint far ahead that `signer` signed as if it were the log of `deviceKey`. */
function checkpointBy(signer: LocalSigner, deviceKey: Uint8Array, epoch: number): Promise<Uint8Array> {
  const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch });
  const hash = new Uint8Array(32).fill(5);
  return signCheckpoint(signer, logId, {
    ...{ size: 900_000, root: hash, manifestHash: hash, bootCount: 1, timeQuality: 3 },
    ...{ lastLeafMs: Date.now(), issuedAtMs: Date.now() },
  });
}

function signerOf(fill: number): LocalSigner {
  return nativeSigner(new Uint8Array(32).fill(fill));
}
