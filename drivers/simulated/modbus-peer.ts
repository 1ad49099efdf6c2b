import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { ByteLine } from "../line/line.ts";
import { type PlainReply, spoil, type WireFault } from "./modbus-faults.ts";
import { encodeReply, type RequestFrame, RequestParser } from "./modbus-frame.ts";
import { encodeRtu, RtuRequestParser } from "./modbus-rtu-frame.ts";
import { answerPdu, type SlaveModel } from "./modbus-slave.ts";

/** A request as the peer's faults see it. */
export interface PeerRequest {
  readonly unit: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
}

export interface PeerOptions {
  readonly framing: "rtu" | "tcp";
  readonly model: SlaveModel;
  /** Asked once for each request; undefined is good behaviour. */
  fault?(request: PeerRequest): WireFault | undefined;
  /**
   * `own`: every reply goes out at its own time and may pass others, as behind a gateway of many threads. `turn`: the
   * next request is looked at when the reply before has gone out, as by a device. Default `own`.
   */
  readonly order?: "own" | "turn";
}

/** A running peer. */
export interface RunningPeer {
  /** Port that it listens on; 0 without one. */
  readonly port: number;
  /** Connections so far. */
  connections(): number;
  close(): Promise<void>;
}

/** One connection's worth of a peer: bytes in, bytes out. Written from the standard, sharing nothing with the drivers. */
export class PeerSession {
  readonly #options: PeerOptions;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #tcp = new RequestParser();
  readonly #rtu = new RtuRequestParser();
  readonly #timers = new Set<NodeJS.Timeout>();
  #previous: Uint8Array | undefined;
  #waiting: RequestFrame[] = [];
  #busy = false;
  #ended = false;

  constructor(options: PeerOptions, send: (bytes: Uint8Array) => void) {
    this.#options = options;
    this.#send = send;
  }

  receive(bytes: Uint8Array): void {
    const { framing, order = "own" } = this.#options;
    const requests =
      framing === "tcp"
        ? this.#tcp.push(bytes)
        : this.#rtu.push(bytes).map((request) => ({ ...request, transaction: 0 }));
    for (const request of requests) {
      if (order === "own") this.#answer(request, () => undefined);
      else this.#waiting.push(request);
    }
    this.#next();
  }

  end(): void {
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #next(): void {
    if (this.#busy) return;
    const request = this.#waiting.shift();
    if (request === undefined) return;
    this.#busy = true;
    this.#answer(request, () => {
      this.#busy = false;
      this.#next();
    });
  }

  #answer(request: RequestFrame, done: () => void): void {
    const { model, framing, fault } = this.#options;
    const pdu = answerPdu(model, request.unit, request.pdu);
    if (pdu === undefined) {
      done();
      return;
    }
    const frame = (reply: PlainReply): Uint8Array =>
      framing === "rtu" ? encodeRtu(reply.unit, reply.pdu) : encodeReply({ ...request, ...reply }, reply.pdu);
    const reply = { unit: request.unit, pdu };
    const previous = this.#previous;
    this.#previous = frame(reply);
    const delivery = spoil(reply, fault?.(request), { frame, previous });
    if (delivery.length === 0) done();
    for (const [at, { bytes, afterMs }] of delivery.entries())
      this.#after(afterMs, () => {
        if (bytes.length > 0) this.#send(bytes);
        if (at === 0) done();
      });
  }

  #after(ms: number, act: () => void): void {
    if (ms === 0) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#ended) act();
    }, ms);
    this.#timers.add(timer);
  }
}

/** Serves a peer on a TCP port of this machine; 0 takes a free one. */
export async function startTcpPeer(options: PeerOptions, port = 0): Promise<RunningPeer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
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
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    connections: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** Serves a peer at the far end of a serial line. */
export async function startLinePeer(options: PeerOptions, line: ByteLine): Promise<RunningPeer> {
  const session = new PeerSession(options, (bytes) => {
    // A line that is lost says so to its reader.
    void line.write(bytes).catch(() => undefined);
  });
  await line.open({ onBytes: (bytes) => session.receive(bytes), onClosed: () => session.end() });
  return {
    port: 0,
    connections: () => 1,
    close: async () => {
      session.end();
      await line.close();
    },
  };
}
