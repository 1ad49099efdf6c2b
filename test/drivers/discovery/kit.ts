import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Problem } from "../../../attest/problem.ts";
import { usualTerms } from "../../../drivers/discovery/discovery.ts";
import { Pace } from "../../../drivers/discovery/pace.ts";
import type { DiscoveryTerms, LineOpener } from "../../../drivers/discovery/terms.ts";
import type { SerialFormat } from "../../../drivers/line/address.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import { openLineOf } from "../../../drivers/modbus/open-line.ts";
import { openRtuLine } from "../../../drivers/modbus/rtu-line.ts";
import { type PeerOptions, PeerSession } from "../../../drivers/simulated/modbus-peer.ts";
import type { SlaveModel } from "../../../drivers/simulated/modbus-slave.ts";
import { KNOWN } from "./profiles.ts";
import { QUICK_TIMES } from "./speaking.ts";

/** Terms with short waits; nobody listens before asking unless that is added. */
export function quickTerms(
  signal: AbortSignal = new AbortController().signal,
  changes: Partial<DiscoveryTerms> = {},
): DiscoveryTerms {
  const usual = usualTerms(signal, KNOWN);
  return {
    ...usual,
    ...{ gapMs: 0, slowGapMs: 80 },
    network: { connectMs: 1000, replyMs: 300, width: 8, pace: new Pace(2000) },
    serial: { probeMs: 3, replyMs: 15 },
    meters: { ...usual.meters, ...{ speakers: [], askers: [], senders: [] }, times: QUICK_TIMES },
    ...changes,
  };
}

/** A serial meter at these settings; at others it hears nothing that it understands. */
export interface LinePeer extends PeerOptions {
  readonly format: SerialFormat;
}

/** Serial lines that are not there: each with the peer at its far end, which hears only what has its own settings. */
export class FakeLines {
  readonly #peers: Readonly<Record<string, LinePeer>>;
  /** Settings that were opened, in order. */
  readonly opened: string[] = [];
  /** Requests, of whatever settings. */
  requests = 0;
  open = 0;
  /** A port has one reader, and is free only when that has closed it. */
  readonly #taken = new Set<string>();

  constructor(peers: Readonly<Record<string, LinePeer>>) {
    this.#peers = peers;
  }

  readonly openLine: LineOpener = (line, timeoutMs) => {
    if (line.transport !== "rtu") return openLineOf(line, timeoutMs);
    // Bytes take no time here, whatever the settings.
    const timing = { characterMs: 0.01, silenceMs: 0.1 };
    return (signal) => openRtuLine(this.#byteLine(line.path, line), { timing, openSilenceMs: 1, signal });
  };

  #byteLine(path: string, format: SerialFormat): ByteLine {
    const peer = this.#peers[path];
    let listener: LineListener | undefined;
    const session = new PeerSession(
      peer ?? { framing: "rtu", model: { read: () => undefined } },
      (bytes) => void listener?.onBytes(bytes.slice()),
    );
    const { baudRate, dataBits, parity, stopBits } = format;
    const isHeard = peer !== undefined && same(peer.format, format);
    return {
      name: path,
      open: (own) => {
        if (this.#taken.has(path))
          return Promise.reject(new Problem("line-busy", "still open", { where: path }));
        this.#taken.add(path);
        listener = own;
        this.open += 1;
        this.opened.push(`${baudRate} ${dataBits}${parity[0]}${stopBits}`);
        return Promise.resolve();
      },
      write: (bytes) => {
        this.requests += 1;
        if (isHeard) setImmediate(() => session.receive(bytes));
        return Promise.resolve();
      },
      close: async () => {
        if (listener === undefined) return;
        listener = undefined;
        session.end();
        await new Promise((resolve) => setTimeout(resolve, 2));
        this.#taken.delete(path);
        this.open -= 1;
      },
    };
  }
}

function same(a: SerialFormat, b: SerialFormat): boolean {
  return a.baudRate === b.baudRate && a.parity === b.parity && a.stopBits === b.stopBits;
}

/** A TCP server that counts, on an address of this machine of its own. */
export interface CountingServer {
  readonly host: string;
  readonly port: number;
  /** Connections so far, and the most that were open at a time. */
  connections(): number;
  most(): number;
  /** Requests that a Modbus peer understood, or chunks of bytes that something else got. */
  requests(): number;
  close(): Promise<void>;
}

export interface CountingOptions {
  readonly host: string;
  readonly port?: number;
  /** Told of every connection that opens and closes, over several servers. */
  readonly tally?: Tally;
}

/** Counts connections that are open at a time, over one server or several. */
export class Tally {
  #open = 0;
  most = 0;

  follow(socket: Socket): void {
    this.#open += 1;
    // A connection that was ended before this one began is seen to end only in this turn of the event loop.
    setImmediate(() => {
      this.most = Math.max(this.most, this.#open);
    });
    let isOpen = true;
    for (const event of ["end", "close"])
      socket.once(event, () => {
        if (isOpen) this.#open -= 1;
        isOpen = false;
      });
  }
}

/** A Modbus TCP peer. */
export function startPeer(model: SlaveModel, options: CountingOptions): Promise<CountingServer> {
  return startServer(options, (socket, counted) => {
    const peer: PeerOptions = {
      framing: "tcp",
      model,
      fault: () => {
        counted();
        return undefined;
      },
    };
    const session = new PeerSession(peer, (bytes) => void (socket.destroyed || socket.write(bytes)));
    socket.on("data", (bytes: Uint8Array) => session.receive(bytes));
    socket.once("close", () => session.end());
  });
}

/** Anything that listens. */
export async function startServer(
  { host, port = 0, tally = new Tally() }: CountingOptions,
  serve: (socket: Socket, counted: () => void) => void,
): Promise<CountingServer> {
  const sockets = new Set<Socket>();
  const own = new Tally();
  let [connections, requests] = [0, 0];
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    for (const one of [tally, own]) one.follow(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    socket.resume();
    serve(socket, () => {
      requests += 1;
    });
  });
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  return {
    ...{ host, port: typeof address === "object" && address !== null ? address.port : 0 },
    ...{ connections: () => connections, most: () => own.most, requests: () => requests },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
