import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { deliver, type Misbehaviour } from "./misbehaviour.ts";
import { encodeReply, exceptionPdu, type RequestFrame, RequestParser, registersPdu } from "./modbus-frame.ts";

/** A read of holding registers that arrived at the simulated device. */
export interface ReadRequest {
  readonly unit: number;
  readonly start: number;
  readonly count: number;
}

/** The registers, or the exception that the device answers with. */
export type ReadAnswer = { readonly registers: readonly number[] } | { readonly exception: number };

export interface ModbusServerOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port: number;
  read(request: ReadRequest): ReadAnswer;
  /** Asked once for each request; undefined is good behaviour. */
  misbehave?(request: ReadRequest): Misbehaviour | undefined;
  /** Called for each answer that went out whole and in order. */
  onServed?(request: ReadRequest, registers: readonly number[]): void;
}

/** A running simulated device. */
export interface ModbusServer {
  readonly host: string;
  readonly port: number;
  /** Connections accepted since the start. */
  connections(): number;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/** Exceptions of Modbus Application Protocol v1.1b3, 7. */
export const ILLEGAL_FUNCTION = 1;
export const ILLEGAL_ADDRESS = 2;
export const ILLEGAL_VALUE = 3;
export const NO_TARGET = 11;

const MAX_CLIENTS = 32;

/**
 * A small Modbus TCP server (function 3 only), written from the standard and sharing no code with the driver's side,
 * so that the two check each other. Serves many clients at a time.
 */
export async function startModbusServer(options: ModbusServerOptions): Promise<ModbusServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    new Session(socket, options).start();
  });
  server.maxConnections = MAX_CLIENTS;
  server.listen(options.port, options.host ?? "127.0.0.1");
  await once(server, "listening");
  const { host, port } = boundTo(server);
  return { host, port, connections: () => accepted, close: () => stop(server, sockets) };
}

function boundTo(server: Server): { host: string; port: number } {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a TCP port");
  return { host: address.address, port: address.port };
}

async function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  if (!server.listening) return;
  server.close();
  await once(server, "close");
}

class Session {
  readonly #socket: Socket;
  readonly #options: ModbusServerOptions;
  readonly #parser = new RequestParser();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(socket: Socket, options: ModbusServerOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  start(): void {
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    // A client that goes away in the middle is no fault of a device.
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.once("close", () => {
      for (const timer of this.#timers) clearTimeout(timer);
    });
  }

  #receive(bytes: Uint8Array): void {
    for (const frame of this.#parser.push(bytes)) this.#answer(frame);
    if (this.#parser.broken) this.#socket.destroy();
  }

  #answer(frame: RequestFrame): void {
    const request = readRequest(frame);
    const answer = "exception" in request ? request : this.#options.read(request);
    const pdu =
      "exception" in answer
        ? exceptionPdu(frame.pdu[0] ?? 0, answer.exception)
        : registersPdu(answer.registers);
    const misbehaviour = "exception" in request ? undefined : this.#options.misbehave?.(request);
    const delivery = deliver(encodeReply(frame, pdu), misbehaviour);
    const send = () => {
      if (this.#socket.destroyed) return;
      if (delivery.thenClose) this.#socket.end(delivery.bytes);
      else if (delivery.bytes.length > 0) this.#socket.write(delivery.bytes);
      if ("exception" in request || "exception" in answer || spoilt(misbehaviour)) return;
      this.#options.onServed?.(request, answer.registers);
    };
    if (delivery.afterMs === 0) send();
    else this.#later(send, delivery.afterMs);
  }

  #later(send: () => void, afterMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, afterMs);
    this.#timers.add(timer);
  }
}

/** Misbehaviours after which the whole answer still arrives. */
const HARMLESS: ReadonlySet<Misbehaviour["kind"]> = new Set(["delay", "twice", "close-after-reply"]);

function spoilt(misbehaviour: Misbehaviour | undefined): boolean {
  return misbehaviour !== undefined && !HARMLESS.has(misbehaviour.kind);
}

function readRequest(frame: RequestFrame): ReadRequest | { readonly exception: number } {
  const { pdu, unit } = frame;
  if (pdu[0] !== 3) return { exception: ILLEGAL_FUNCTION };
  if (pdu.length !== 5) return { exception: ILLEGAL_VALUE };
  const view = new DataView(pdu.buffer, pdu.byteOffset, pdu.length);
  const start = view.getUint16(1);
  const count = view.getUint16(3);
  if (count < 1 || count > 125) return { exception: ILLEGAL_VALUE };
  if (start + count > 65536) return { exception: ILLEGAL_ADDRESS };
  return { unit, start, count };
}
