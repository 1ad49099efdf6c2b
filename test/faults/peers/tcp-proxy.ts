import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** `up` is from the agent to the node. */
export type Direction = "up" | "down";

/**
 * How a connection is ended: `rst` and `fin` at both ends; `hole`: nothing passes any more and nobody is told;
 * `half`: the node's end is reset and the agent's is not told.
 */
export type Cut = "rst" | "fin" | "hole" | "half";

/** Bytes that are handed on at once on a slow line. */
const SLOW_PIECE_BYTES = 64;

/** TCP between an agent and its node, as bad as it is told to be. It keeps nothing back of its own accord. */
export class TcpProxy {
  /** Connections that were let through. */
  connections = 0;
  readonly bytes: Record<Direction, number> = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #links = new Set<Link>();
  readonly #rates = new Map<Direction, number>();
  #refuses = false;
  #held: Promise<void> = Promise.resolve();

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on("connection", (socket: Socket) => this.#connected(socket));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, targetPort);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}`;
  }

  /** Ends every connection that there is. */
  cut(how: Cut): void {
    for (const link of this.#links) link.cut(how);
  }

  /** While it refuses, each new connection is reset at once. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  /** Holds everything back, on all connections, in both directions; it goes on where it was. */
  hold(ms: number): Promise<void> {
    this.#held = pause(ms);
    return this.#held;
  }

  /** Lets so many bytes pass in a second in that direction; without a number as many as there are. */
  limit(direction: Direction, bytesPerSecond?: number): void {
    if (bytesPerSecond === undefined) this.#rates.delete(direction);
    else this.#rates.set(direction, bytesPerSecond);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const link of this.#links) link.end();
    await once(this.#server, "close");
  }

  #connected(agent: Socket): void {
    if (this.#refuses) {
      agent.on("error", () => undefined);
      agent.resetAndDestroy();
      return;
    }
    this.connections += 1;
    const node = connect({ host: "127.0.0.1", port: this.#targetPort, allowHalfOpen: true });
    const link = new Link(agent, node, (direction, chunk, to) => this.#pass(direction, chunk, to));
    this.#links.add(link);
    void link.ended.then(() => this.#links.delete(link));
  }

  /** Hands a chunk on, at the line's pace. */
  async #pass(direction: Direction, chunk: Buffer, to: Socket): Promise<void> {
    await this.#held;
    for (let at = 0; at < chunk.length && !to.destroyed; ) {
      const rate = this.#rates.get(direction);
      const piece = rate === undefined ? chunk.subarray(at) : chunk.subarray(at, at + SLOW_PIECE_BYTES);
      at += piece.length;
      this.bytes[direction] += piece.length;
      if (!to.write(piece)) await Promise.race([once(to, "drain"), closed(to)]);
      if (rate !== undefined) await pause((1000 * piece.length) / rate);
    }
  }
}

type Pass = (direction: Direction, chunk: Buffer, to: Socket) => Promise<void>;

/** One connection: two sockets, and what passes between them. */
class Link {
  readonly ended: Promise<unknown>;
  readonly #agent: Socket;
  readonly #node: Socket;
  readonly #pass: Pass;
  #isHole = false;

  constructor(agent: Socket, node: Socket, pass: Pass) {
    this.#agent = agent;
    this.#node = node;
    this.#pass = pass;
    agent.setNoDelay(true);
    node.setNoDelay(true);
    this.#pump("up", agent, node);
    this.#pump("down", node, agent);
    this.ended = Promise.all([closed(agent), closed(node)]);
  }

  cut(how: Cut): void {
    this.#isHole = true;
    if (how === "rst") for (const socket of [this.#agent, this.#node]) socket.resetAndDestroy();
    if (how === "fin") for (const socket of [this.#agent, this.#node]) socket.end();
    if (how === "half") this.#node.resetAndDestroy();
  }

  end(): void {
    for (const socket of [this.#agent, this.#node]) socket.destroy();
  }

  /** One chunk after the other; how `from` ends is how `to` is ended. */
  #pump(direction: Direction, from: Socket, to: Socket): void {
    let turn: Promise<unknown> = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      if (this.#isHole) return;
      from.pause();
      turn = this.#pass(direction, chunk, to).finally(() => from.resume());
    });
    from.on("error", () => {
      if (!this.#isHole) to.resetAndDestroy();
    });
    from.on("end", () => void turn.then(() => this.#finished(from, to)));
    // A side that is gone for good: nothing can come back any more.
    from.on("close", () => {
      if (!this.#isHole) to.destroySoon();
    });
  }

  #finished(from: Socket, to: Socket): void {
    if (!this.#isHole) to.end();
    else from.end();
  }
}

function closed(socket: Socket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", resolve));
}
