import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { STREAM_SUBPROTOCOL } from "../../../attest/hello.ts";
import { decodeMessage } from "../../../attest/messages.ts";
import { type Random, wholeBelow } from "../kit/random.ts";
import type { Direction } from "./tcp-proxy.ts";

/** What is done to one message. */
export type Harm = "truncate" | "duplicate" | "reorder" | "drop" | "flip" | "append" | "repeat-old";
export const HARMS: readonly Harm[] = [
  "truncate",
  "duplicate",
  "reorder",
  "drop",
  "flip",
  "append",
  "repeat-old",
];

/** What was done, to what. */
export interface Done {
  readonly harm: Harm;
  readonly direction: Direction;
  /** Type of the message as its sender meant it. */
  readonly type: string;
}

/** A message that is to change places goes in any case after so long. */
const REORDER_MS = 300;
/** Messages of each direction that can be sent again, on another connection. */
const KEPT_OLD = 50;

interface Ends {
  readonly agent: WebSocket;
  readonly node: WebSocket;
}

/** WebSocket messages between an agent and its node: whole ones, each of which may be harmed. */
export class MessageProxy {
  /** Codes of refusals, with who refused. */
  readonly refusals: Map<string, number> = new Map();
  readonly #server: WebSocketServer;
  readonly #nodeUrl: string;
  readonly #random: Random;
  readonly #old: Record<Direction, Uint8Array[]> = { up: [], down: [] };
  #armed: { readonly harm: Harm; passes: number; done(done: Done): void } | undefined;
  #ends: Ends | undefined;

  private constructor(server: WebSocketServer, nodeUrl: string, random: Random) {
    this.#server = server;
    this.#nodeUrl = nodeUrl;
    this.#random = random;
    server.on("connection", (agent) => this.#connected(agent));
  }

  static async start(nodeUrl: string, random: Random): Promise<MessageProxy> {
    const handleProtocols = (): string => STREAM_SUBPROTOCOL;
    const options = { host: "127.0.0.1", port: 0, perMessageDeflate: false, handleProtocols };
    const server = new WebSocketServer(options);
    await once(server, "listening");
    return new MessageProxy(server, nodeUrl, random);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}`;
  }

  /** Harms one message, after so many others have passed; resolves when that is done. */
  harm(harm: Harm, passes: number): Promise<Done> {
    return new Promise((done) => {
      this.#armed = { harm, passes, done };
    });
  }

  /** Ends the present connection, so that there is a handshake to be harmed. */
  cut(): void {
    this.#ends?.agent.terminate();
    this.#ends?.node.terminate();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connected(agent: WebSocket): void {
    const node = new WebSocket(this.#nodeUrl, [STREAM_SUBPROTOCOL], { perMessageDeflate: false });
    const opened = once(node, "open").catch(() => agent.terminate());
    this.#ends = { agent, node };
    // In order, and none before there is anybody to take it.
    let turn: Promise<unknown> = opened;
    agent.on("message", (data: Buffer) => {
      turn = turn.then(() => this.#take("up", new Uint8Array(data), new End(node)));
    });
    node.on("message", (data: Buffer) => this.#take("down", new Uint8Array(data), new End(agent)));
    this.#closeBoth(agent, node);
    this.#closeBoth(node, agent);
  }

  #closeBoth(one: WebSocket, other: WebSocket): void {
    one.on("error", () => other.terminate());
    one.on("close", (code, reason) => {
      if (other.readyState !== WebSocket.OPEN) other.terminate();
      else if (code === 1005 || code === 1006) other.terminate();
      else other.close(code, reason);
    });
  }

  #take(direction: Direction, bytes: Uint8Array, to: End): void {
    const message = decodeMessage(bytes);
    if (message.type === "refusal") this.#count(direction === "up" ? "agent" : "node", message.code);
    const old = this.#old[direction];
    const again = old[wholeBelow(this.#random, Math.max(1, old.length))];
    if (old.push(bytes) > KEPT_OLD) old.shift();
    const armed = this.#armed;
    if (armed === undefined || armed.passes > 0) {
      if (armed !== undefined) armed.passes -= 1;
      to.send(bytes);
      return;
    }
    this.#armed = undefined;
    this.#harm(armed.harm, { bytes, to, again });
    armed.done({ harm: armed.harm, direction, type: message.type });
  }

  #harm(
    harm: Harm,
    {
      bytes,
      to,
      again,
    }: { readonly bytes: Uint8Array; readonly to: End; readonly again: Uint8Array | undefined },
  ): void {
    switch (harm) {
      case "drop":
        break;
      case "truncate":
        to.send(bytes.subarray(0, wholeBelow(this.#random, bytes.length)));
        break;
      case "append":
        to.send(Uint8Array.of(...bytes, wholeBelow(this.#random, 256)));
        break;
      case "flip":
        to.send(flipped(bytes, this.#random));
        break;
      case "duplicate":
        to.send(bytes);
        to.send(bytes);
        break;
      case "repeat-old":
        to.send(bytes);
        to.send(again ?? bytes);
        break;
      case "reorder":
        to.sendLater(bytes);
        break;
    }
  }

  #count(by: string, code: string): void {
    const name = `${by}:${code}`;
    this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
  }
}

/** Where messages go, one of which may wait until the next has gone. */
class End {
  static readonly #waiting = new WeakMap<WebSocket, Uint8Array>();
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes);
    this.#flush();
  }

  sendLater(bytes: Uint8Array): void {
    End.#waiting.set(this.#socket, bytes);
    setTimeout(() => this.#flush(), REORDER_MS);
  }

  #flush(): void {
    const bytes = End.#waiting.get(this.#socket);
    if (bytes === undefined) return;
    End.#waiting.delete(this.#socket);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = Uint8Array.from(bytes);
  const bit = wholeBelow(random, 8 * changed.length);
  const at = Math.floor(bit / 8);
  changed[at] = (changed[at] ?? 0) ^ (1 << (bit % 8));
  return changed;
}
