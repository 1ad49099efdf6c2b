import { createServer, type Server, type Socket } from "node:net";
import type { Problem } from "../../../attest/problem.ts";
import type { LineListener } from "../../../drivers/line/line.ts";

/** Waits until `ready` holds; fails after 25 s with what was waited for. */
export async function until(what: string, ready: () => boolean): Promise<void> {
  const endMs = performance.now() + 25_000;
  while (!ready()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A listener that writes down what it is told. */
export class Recorder implements LineListener {
  readonly problems: Problem[] = [];
  received = "";

  onBytes(bytes: Uint8Array): void {
    this.received += Buffer.from(bytes).toString("latin1");
  }

  onClosed(problem: Problem): void {
    this.problems.push(problem);
  }
}

export interface TestServer {
  readonly port: number;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

/** A TCP server on a free or given port; `onClient` sees each connection. */
export async function listen(onClient: (socket: Socket) => void, port = 0): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
    onClient(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    sockets,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A port of this machine that nobody listens on. */
export async function unusedPort(): Promise<number> {
  const server = await listen(() => undefined);
  await server.close();
  return server.port;
}
