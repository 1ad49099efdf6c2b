import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { Problem } from "../../attest/problem.ts";
import type { SerialFormat } from "../line/address.ts";
import { lineProblem } from "../line/problems.ts";
import { SerialLine } from "../line/serial.ts";
import { openPty } from "./telegram-pty.ts";

/** A client that takes nothing is dropped before its queue grows further. */
const MAX_QUEUED_BYTES = 64 * 1024;

/** Where a simulated meter sends its telegrams. */
export type TelegramPlace =
  /** To every client, as ser2net serves a real one. Port 0 takes a free one. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** A serial adapter, or one end of a pair of pseudo terminals. */
  | ({ readonly kind: "serial"; readonly path: string } & Partial<SerialFormat>)
  /** A pseudo terminal of its own, whose other end is linked at this path. */
  | { readonly kind: "pty"; readonly link: string }
  /** Datagrams to a multicast group, or to one address. */
  | {
      readonly kind: "datagrams";
      readonly group: string;
      readonly port: number;
      /** IPv4 address of the interface that they leave by; left out: the system's choice. */
      readonly interfaceAddress?: string;
    };

/** Somebody who listens to the meter. */
export interface TelegramClient {
  /** False where the bytes were not taken: they are lost, as on a wire. */
  send(bytes: Uint8Array): boolean;
}

export interface PlaceListener {
  /** Somebody came; what they send goes to what this gives. */
  onClient(client: TelegramClient): (bytes: Uint8Array) => void;
  /** The place went away by itself. */
  onLost(problem: Problem): void;
}

/** A place that is open. */
export interface OpenTelegramPlace {
  /** Port that it listens on; 0 where there is none. */
  readonly port: number;
  readonly clients: ReadonlySet<TelegramClient>;
  /** Hangs up on every client that can come back. */
  hangUp(): void;
  close(): Promise<void>;
}

const USUAL_FORMAT: SerialFormat = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 };

/** Throws Problem `simulate-place` or `line-…` where the place cannot be opened. */
export function openTelegramPlace(place: TelegramPlace, listener: PlaceListener): Promise<OpenTelegramPlace> {
  switch (place.kind) {
    case "tcp":
      return openTcp(place, listener);
    case "serial":
      return openSerial(place, listener);
    case "pty":
      return openOwnPty(place.link, listener);
    case "datagrams":
      return openDatagrams(place, listener);
  }
}

async function openTcp(
  { host, port }: Extract<TelegramPlace, { readonly kind: "tcp" }>,
  listener: PlaceListener,
): Promise<OpenTelegramPlace> {
  const sockets = new Map<Socket, TelegramClient>();
  const clients = new Set<TelegramClient>();
  const server = createServer({ noDelay: true }, (socket) => {
    const client = { send: (bytes: Uint8Array) => sendTo(socket, bytes) };
    sockets.set(socket, client);
    clients.add(client);
    const receive = listener.onClient(client);
    socket.on("data", (bytes: Uint8Array) => receive(bytes));
    // A client that resets its connection is gone like any other: `close` follows.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      sockets.delete(socket);
      clients.delete(client);
    });
  });
  await listening(server, host, port);
  const address = server.address();
  const hangUp = (): void => {
    for (const socket of sockets.keys()) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    clients,
    hangUp,
    close: () => {
      hangUp();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function sendTo(socket: Socket, bytes: Uint8Array): boolean {
  if (socket.destroyed) return false;
  if (socket.writableLength > MAX_QUEUED_BYTES) {
    socket.destroy();
    return false;
  }
  socket.write(bytes);
  return true;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(unlistenable(`${host}:${port}`, error)));
    server.listen(port, host, () => resolve());
  });
}

async function openSerial(
  { kind: _kind, ...settings }: Extract<TelegramPlace, { readonly kind: "serial" }>,
  listener: PlaceListener,
): Promise<OpenTelegramPlace> {
  const port = new SerialPlace({ ...USUAL_FORMAT, ...settings }, listener);
  await port.open();
  return port;
}

async function openOwnPty(link: string, listener: PlaceListener): Promise<OpenTelegramPlace> {
  const pty = await openPty(link, (problem) => listener.onLost(problem));
  const port = new SerialPlace({ ...USUAL_FORMAT, path: pty.path }, listener);
  try {
    await port.open();
  } catch (error) {
    await pty.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    await port.close();
    await pty.close();
  };
  return { port: 0, clients: port.clients, hangUp: () => undefined, close };
}

/** A serial port has one reader, connected or not; what it does not take in time is lost, as on a wire. */
class SerialPlace implements OpenTelegramPlace {
  readonly port = 0;
  readonly clients: ReadonlySet<TelegramClient>;
  readonly #settings: SerialFormat & { readonly path: string };
  readonly #listener: PlaceListener;
  readonly #receive: (bytes: Uint8Array) => void;
  #line: SerialLine;
  #queuedBytes = 0;
  #closed = false;

  constructor(settings: SerialFormat & { readonly path: string }, listener: PlaceListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#line = new SerialLine(settings);
    const client = { send: (bytes: Uint8Array) => this.#send(bytes) };
    this.clients = new Set([client]);
    this.#receive = listener.onClient(client);
  }

  async open(): Promise<void> {
    await this.#line.open({
      onBytes: (bytes) => this.#receive(bytes),
      onClosed: (problem) => {
        if (!this.#closed) this.#listener.onLost(problem);
      },
    });
  }

  #send(bytes: Uint8Array): boolean {
    if (this.#closed || this.#queuedBytes + bytes.length > MAX_QUEUED_BYTES) return false;
    this.#queuedBytes += bytes.length;
    const line = this.#line;
    const done = (): void => {
      if (line === this.#line) this.#queuedBytes -= bytes.length;
    };
    line.write(bytes).then(done, () => this.#renew(line));
    return true;
  }

  /** What a port would not take still stands in its queue; another one has none. */
  async #renew(line: SerialLine): Promise<void> {
    if (this.#closed || line !== this.#line) return;
    this.#line = new SerialLine(this.#settings);
    this.#queuedBytes = 0;
    await line.close();
    try {
      if (!this.#closed) await this.open();
    } catch (error) {
      if (!this.#closed) this.#listener.onLost(lineProblem(this.#settings.path, error));
    }
  }

  hangUp(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    await this.#line.close();
  }
}

/** Datagrams do not leave the local network. */
const MULTICAST_TTL = 1;

async function openDatagrams(
  { group, port, interfaceAddress }: Extract<TelegramPlace, { readonly kind: "datagrams" }>,
  listener: PlaceListener,
): Promise<OpenTelegramPlace> {
  const socket = createSocket("udp4");
  const where = `udp://${group}:${port}`;
  try {
    socket.bind(0, interfaceAddress);
    await once(socket, "listening");
    socket.setMulticastTTL(MULTICAST_TTL);
    socket.setMulticastLoopback(true);
    if (interfaceAddress !== undefined) socket.setMulticastInterface(interfaceAddress);
  } catch (error) {
    socket.close();
    throw lineProblem(where, error);
  }
  const client = datagramClient(socket, { group, port });
  const receive = listener.onClient(client);
  socket.on("message", (bytes: Uint8Array) => receive(bytes));
  // A datagram that finds no way is lost like any other.
  socket.on("error", () => undefined);
  const close = (): Promise<void> => new Promise((resolve) => socket.close(() => resolve()));
  return { port: 0, clients: new Set([client]), hangUp: () => undefined, close };
}

function datagramClient(
  socket: DatagramSocket,
  { group, port }: { readonly group: string; readonly port: number },
): TelegramClient {
  return {
    send: (bytes) => {
      socket.send(bytes, port, group, () => undefined);
      return true;
    },
  };
}

const OTHER_HOST = "name one of this machine's addresses with --tcp, or 0.0.0.0 for all of them";

/** What is wrong, and what to do, by the system's code. */
const UNLISTENABLE: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["EADDRINUSE", ["the port is taken", "take another one with --tcp"]],
  ["EACCES", ["this user may not listen there", "ports below 1024 need rights"]],
  ["EADDRNOTAVAIL", ["this machine has no such address", OTHER_HOST]],
  ["ENOTFOUND", ["the host name is not known", OTHER_HOST]],
]);

/** Of a port to listen on, which is nothing to plug in. */
function unlistenable(where: string, error: Error): Problem {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const [what, hint] = UNLISTENABLE.get(code) ?? [error.message, "take another one with --tcp"];
  return new Problem("simulate-place", what, { where, hint, cause: error });
}
