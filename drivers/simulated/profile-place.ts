import { once } from "node:events";
import { realpathSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { Problem } from "../../attest/problem.ts";
import type { SerialFormat } from "../line/address.ts";
import { SerialLine } from "../line/serial.ts";
import { type PeerOptions, PeerSession } from "./modbus-peer.ts";
import { RtuWire } from "./modbus-rtu-wire.ts";

/** Where a simulated device can be reached. */
export type SimulatedPlace =
  | {
      readonly kind: "tcp" | "rtu-over-tcp";
      /** Default 127.0.0.1: this machine alone. */
      readonly host?: string;
      /** 0 takes a free one. */
      readonly port: number;
    }
  /** A serial adapter, or one end of a pair of pseudo terminals; what is left out of the format is the profile's. */
  | ({ readonly kind: "serial"; readonly path: string } & Partial<SerialFormat>);

/** A place that is open. */
export interface OpenPlace {
  /** Port that it listens on; 0 on a serial line. */
  readonly port: number;
  /** Hangs up on every client; they may come back. */
  hangUp(): void;
  close(): Promise<void>;
}

export interface PlaceSettings {
  readonly peer: Omit<PeerOptions, "framing">;
  readonly format: SerialFormat;
  /** Connections that it serves at a time. */
  readonly maxClients: number;
  /** A serial line went down by itself. */
  onLost(problem: Problem): void;
}

/** Begins to answer. Throws Problem `simulate-place` or `line-…` where that cannot be. */
export function openPlace(place: SimulatedPlace, settings: PlaceSettings): Promise<OpenPlace> {
  return place.kind === "serial" ? openSerial(place, settings) : openTcp(place, settings);
}

async function openTcp(
  { kind, host = "127.0.0.1", port }: Exclude<SimulatedPlace, { readonly kind: "serial" }>,
  { peer, maxClients }: PlaceSettings,
): Promise<OpenPlace> {
  const sockets = new Set<Socket>();
  const framing = kind === "tcp" ? "tcp" : "rtu";
  const server = createServer({ noDelay: true }, (socket) => serve(socket, { ...peer, framing }, sockets));
  server.maxConnections = maxClients;
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw placeProblem(`${host}:${port}`, error);
  }
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: portOf(server),
    hangUp,
    close: async () => {
      hangUp();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

function serve(socket: Socket, options: PeerOptions, sockets: Set<Socket>): void {
  sockets.add(socket);
  const session = new PeerSession(options, (bytes) => {
    if (!socket.destroyed) socket.write(bytes);
  });
  socket.on("data", (bytes: Uint8Array) => session.receive(bytes));
  // A client that goes away in the middle is no fault of a device.
  socket.on("error", () => socket.destroy());
  socket.once("close", () => {
    session.end();
    sockets.delete(socket);
  });
}

/**
 * On an adapter bytes take the time that they take. A pseudo terminal carries them at once, so there a wire of the
 * line's format is put between.
 */
async function openSerial(
  { path, ...own }: Extract<SimulatedPlace, { readonly kind: "serial" }>,
  { peer, format, onLost }: PlaceSettings,
): Promise<OpenPlace> {
  const wireFormat = { ...format, ...own };
  const line = new SerialLine({ ...wireFormat, path });
  const toClient = (bytes: Uint8Array): void => {
    // A line that is lost says so to its reader.
    void line.write(bytes).catch(() => undefined);
  };
  const device = isPseudoTerminal(path)
    ? await behindWire(new RtuWire(wireFormat, { ...peer, framing: "rtu" }), toClient)
    : new PeerSession({ ...peer, framing: "rtu" }, toClient);
  await line.open({
    onBytes: (bytes) => device.receive(bytes),
    onClosed: (problem) => {
      device.end();
      onLost(problem);
    },
  });
  return {
    port: 0,
    hangUp: () => undefined,
    close: async () => {
      device.end();
      await line.close();
    },
  };
}

interface Device {
  receive(bytes: Uint8Array): void;
  end(): void;
}

async function behindWire(wire: RtuWire, toClient: (bytes: Uint8Array) => void): Promise<Device> {
  const line = wire.line();
  await line.open({ onBytes: toClient, onClosed: () => undefined });
  return { receive: (bytes) => void line.write(bytes), end: () => void line.close() };
}

function isPseudoTerminal(path: string): boolean {
  try {
    return realpathSync(path).startsWith("/dev/pts/");
  } catch {
    // Opening it says what is wrong with it.
    return false;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function placeProblem(where: string, error: unknown): Problem {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const taken = code === "EADDRINUSE";
  return new Problem(
    "simulate-place",
    taken ? "the port is taken" : error instanceof Error ? error.message : String(error),
    { where, hint: taken ? "take another one with --port" : "ports below 1024 need rights", cause: error },
  );
}
