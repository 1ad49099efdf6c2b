import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { lineProblem } from "../line/problems.ts";
import { type P1Fault, withFault } from "./p1-faults.ts";
import { encodeP1Telegram, type P1State } from "./p1-telegram.ts";

/** A client that takes nothing is dropped before its queue grows further. */
const MAX_QUEUED_BYTES = 64 * 1024;

/** Where a simulated meter sends its telegrams: a TCP port, or a serial port or pty. */
export type P1Outlet = { readonly host: string; readonly port: number } | { readonly path: string };

/** How a simulated meter behaves. */
export type P1MeterOptions = P1Outlet & {
  readonly periodMs: number;
  /** What the meter shows now; asked once a period. */
  readonly state: () => P1State;
  /** Raw bytes to send instead of an encoded state, for instance a capture's. */
  readonly telegram?: () => Uint8Array;
  /** The fault of the next telegram, or undefined for a good one. */
  readonly fault?: () => P1Fault | undefined;
  /** Called for each telegram that was sent to somebody, with its fault. */
  readonly onServed?: (state: P1State, fault: P1Fault | undefined) => void;
};

/** A running simulated meter. */
export interface P1MeterHandle {
  /** The port it listens on, also where 0 was asked for; 0 on a path. */
  readonly port: number;
  /** Clients connected now. */
  clients(): number;
  /** Hangs up on every client; they may come back. */
  hangUp(): void;
  close(): Promise<void>;
}

interface Outlet {
  readonly port: number;
  clients(): number;
  /** True when at least one receiver took the bytes. */
  send(bytes: Uint8Array): boolean;
  hangUp(): void;
  close(): Promise<void>;
}

/**
 * Starts a simulated DSMR 5 meter: every `periodMs` a telegram to every TCP client, as ser2net serves a real
 * one, or to a serial port.
 *
 * @throws Problem `line-…` when the port or path cannot be opened
 */
export async function startP1Meter(options: P1MeterOptions): Promise<P1MeterHandle> {
  const outlet = "path" in options ? await portOutlet(options.path) : await tcpOutlet(options);
  const timer = setInterval(() => serve(options, outlet), options.periodMs);
  return {
    port: outlet.port,
    clients: () => outlet.clients(),
    hangUp: () => outlet.hangUp(),
    close: () => {
      clearInterval(timer);
      return outlet.close();
    },
  };
}

function serve(options: P1MeterOptions, outlet: Outlet): void {
  if (outlet.clients() === 0) return;
  const state = options.state();
  const fault = options.fault?.();
  const telegram = options.telegram?.() ?? encodeP1Telegram(state);
  const sent = outlet.send(fault === undefined ? telegram : withFault(telegram, fault));
  if (sent) options.onServed?.(state, fault);
}

async function tcpOutlet({ host, port }: { readonly host: string; readonly port: number }): Promise<Outlet> {
  const clients = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    clients.add(socket);
    // A client that resets its connection is gone like any other: `close` follows.
    socket.on("error", () => clients.delete(socket));
    socket.on("close", () => clients.delete(socket));
    socket.resume();
  });
  await listening(server, host, port);
  const address = server.address();
  const hangUp = (): void => {
    for (const socket of clients) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    clients: () => clients.size,
    send: (bytes) => [...clients].filter((socket) => sendTo(socket, bytes)).length > 0,
    hangUp,
    close: () => {
      hangUp();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function sendTo(socket: Socket, bytes: Uint8Array): boolean {
  if (socket.writableLength > MAX_QUEUED_BYTES) {
    socket.destroy();
    return false;
  }
  socket.write(bytes);
  return true;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(lineProblem(`${host}:${port}`, error)));
    server.listen(port, host, () => resolve());
  });
}

async function portOutlet(path: string): Promise<Outlet> {
  let file: FileHandle;
  try {
    // Not blocking: a pty that nobody reads must not hold a thread.
    file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw lineProblem(path, error);
  }
  return new PortOutlet(file);
}

/** A serial port has one reader, connected or not; what it does not take is lost, as on a wire. */
class PortOutlet implements Outlet {
  readonly port = 0;
  readonly #file: FileHandle;
  #writing: Promise<unknown> | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  clients(): number {
    return 1;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#writing !== undefined) return false;
    const done = (): void => {
      this.#writing = undefined;
    };
    this.#writing = this.#file.write(bytes).then(done, done);
    return true;
  }

  hangUp(): void {}

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }
}
