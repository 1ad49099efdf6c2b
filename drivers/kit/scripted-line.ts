import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** What a {@link ScriptedLine} does. Without any of it, it only listens and takes what comes. */
export interface LineScript {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 or left out: any free port. */
  readonly port?: number;
  /**
   * The answer to what a client has sent since the last answer; undefined waits for more bytes, an empty array
   * takes the bytes without an answer.
   */
  readonly reply?: (request: Uint8Array) => Uint8Array | undefined;
  /** Sent to each client, one after the other and over again, at that pace. */
  readonly sends?: { readonly telegrams: readonly Uint8Array[]; readonly everyMs: number };
  /** Cuts every answer and telegram into chunks of so many bytes. Default: whole. */
  readonly chunkBytes?: number;
}

/** A device of a few lines, on a real TCP port. */
export interface ScriptedLine {
  readonly host: string;
  readonly port: number;
  /** Everything that clients have sent, at most the last 64 KiB. */
  received(): Uint8Array;
  /** Clients connected now. */
  clients(): number;
  /** Hangs up on every client; they may come back. */
  hangUp(): void;
  close(): Promise<void>;
}

const MAX_KEPT_BYTES = 64 * 1024;
const MAX_CLIENTS = 16;

/** Starts a line that replies to bytes, sends bytes at a pace, or both. Rejects with the system's error. */
export async function startScriptedLine(script: LineScript): Promise<ScriptedLine> {
  const sockets = new Set<Socket>();
  const kept = new Tail(MAX_KEPT_BYTES);
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const stop = serve(socket, script, (bytes) => kept.push(bytes));
    // A client that resets its connection is gone like any other: `close` follows.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      stop();
      sockets.delete(socket);
    });
  });
  server.maxConnections = MAX_CLIENTS;
  server.listen(script.port ?? 0, script.host ?? "127.0.0.1");
  await once(server, "listening");
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    ...addressOf(server),
    received: () => kept.bytes,
    clients: () => sockets.size,
    hangUp,
    close: async () => {
      hangUp();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** Plays the script to one client; returns what ends it. */
function serve(socket: Socket, script: LineScript, keep: (bytes: Uint8Array) => void): () => void {
  const request = new Tail(MAX_KEPT_BYTES);
  const send = (bytes: Uint8Array): void => {
    const size = script.chunkBytes ?? Math.max(bytes.length, 1);
    for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size));
  };
  socket.on("data", (bytes: Uint8Array) => {
    keep(bytes);
    request.push(bytes);
    const answer = script.reply?.(request.bytes);
    if (answer === undefined) return;
    request.clear();
    send(answer);
  });
  const { sends } = script;
  if (sends === undefined || sends.telegrams.length === 0) return () => undefined;
  let sent = 0;
  const timer = setInterval(() => {
    const telegram = sends.telegrams[sent % sends.telegrams.length];
    sent += 1;
    // A client that takes nothing must not fill the memory.
    if (telegram !== undefined && socket.writableLength < MAX_KEPT_BYTES) send(telegram);
  }, sends.everyMs);
  return () => clearInterval(timer);
}

/** The last bytes of a stream. */
class Tail {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  push(more: Uint8Array): void {
    const joined = new Uint8Array(this.bytes.length + more.length);
    joined.set(this.bytes);
    joined.set(more, this.bytes.length);
    this.bytes = joined.slice(Math.max(0, joined.length - this.#most));
  }

  clear(): void {
    this.bytes = new Uint8Array(0);
  }
}

function addressOf(server: Server): { readonly host: string; readonly port: number } {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a TCP port");
  return { host: address.address, port: address.port };
}
