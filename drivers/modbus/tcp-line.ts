import { connect, type Socket } from "node:net";
import modbusSerial from "modbus-serial";
import { Problem } from "../../attest/problem.ts";
import type { ModbusLine, RegisterRequest } from "./line.ts";
import {
  closedProblem,
  exceptionProblem,
  malformedProblem,
  socketProblem,
  timeoutProblem,
} from "./problems.ts";
import { ReplyGuard } from "./reply-guard.ts";

export interface TcpLineOptions {
  readonly host: string;
  readonly port: number;
  /** Deadline of the connection itself. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** modbus-serial numbers its transactions 1, 2 .. 255, 0, 1 .. on every new connection. */
const TRANSACTION_IDS = 256;
const KEEP_ALIVE_MS = 30_000;

/**
 * Opens one TCP connection to a Modbus device. The socket is made and owned here and only lent to
 * `modbus-serial` (`linkTCP`): its `connectTCP` has no real time-out and it does not settle when the peer closes.
 * Throws a Problem: `modbus-refused`, `modbus-unreachable`, `modbus-host-unknown`, `modbus-timeout`.
 */
export async function openTcpLine(options: TcpLineOptions): Promise<ModbusLine> {
  const where = `${options.host}:${options.port}`;
  const socket = await openSocket(options, where);
  const guard = new ReplyGuard();
  const line = new TcpLine({ socket, guard, where });
  await line.link(options.port);
  return line;
}

function openSocket(options: TcpLineOptions, where: string): Promise<Socket> {
  const { host, port, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal, noDelay: true, keepAlive: true });
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(timeoutProblem(where, "no connection", timeoutMs));
    }, timeoutMs);
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(socketProblem(error, where));
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

interface Parts {
  readonly socket: Socket;
  readonly guard: ReplyGuard;
  readonly where: string;
}

interface Outstanding {
  readonly where: string;
  reject(reason: Error): void;
}

class TcpLine implements ModbusLine {
  readonly #parts: Parts;
  readonly #client = new modbusSerial.default();
  #nextTransaction = 1;
  #outstanding: Outstanding | undefined;
  #death: Error | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { socket, where } = parts;
    // Before modbus-serial's own listener, so that a bad frame is refused before it can become an answer.
    socket.on("data", (bytes: Uint8Array) => this.#inspect(bytes));
    socket.on("error", (error) => this.destroy(socketProblem(error, where)));
    socket.on("close", () => this.destroy(closedProblem(where)));
    socket.on("end", () => this.destroy(closedProblem(where)));
  }

  /** Hands the open socket to modbus-serial. */
  async link(port: number): Promise<void> {
    this.#client.on("error", (error) => this.destroy(socketProblem(asError(error), this.#parts.where)));
    await this.#client.linkTCP(this.#parts.socket, { port });
  }

  get alive(): boolean {
    return this.#death === undefined;
  }

  async read(request: RegisterRequest, timeoutMs: number): Promise<Uint16Array> {
    if (this.#death !== undefined) throw this.#death;
    const where = describe(this.#parts.where, request);
    const { promise, resolve, reject } = Promise.withResolvers<Uint16Array>();
    const timer = setTimeout(() => this.destroy(timeoutProblem(where, "no answer", timeoutMs)), timeoutMs);
    this.#outstanding = { where, reject };
    try {
      this.#send(request, (error, registers) => {
        if (error !== null) this.#refuse(error, where);
        else if (registers.length !== request.count)
          this.#refuseCount(where, request.count, registers.length);
        else resolve(Uint16Array.from(registers));
      });
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#outstanding = undefined;
    }
  }

  destroy(reason: Error): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    this.#parts.socket.destroy();
    this.#outstanding?.reject(reason);
  }

  #send(request: RegisterRequest, done: (error: Error | null, registers: readonly number[]) => void): void {
    const { unit, start, count } = request;
    this.#parts.guard.expect({ transaction: this.#nextTransaction, unit, count });
    this.#nextTransaction = (this.#nextTransaction + 1) % TRANSACTION_IDS;
    // writeFC3 takes the unit with the call; the promise API takes it from setID, which is shared state.
    this.#client.writeFC3(unit, start, count, (error, reply) => {
      if (error) done(asError(error), []);
      else done(null, reply.data);
    });
  }

  #inspect(bytes: Uint8Array): void {
    const fault = this.#parts.guard.push(bytes);
    if (fault === undefined) return;
    const where = this.#outstanding?.where ?? this.#parts.where;
    this.destroy(malformedProblem(where, fault.expected, fault.got));
  }

  #refuse(error: Error, where: string): void {
    const exception = exceptionCode(error);
    if (exception !== undefined) this.#outstanding?.reject(exceptionProblem(exception, where));
    else this.destroy(malformedProblem(where, "the registers asked for", error.message));
  }

  #refuseCount(where: string, expected: number, got: number): void {
    this.destroy(malformedProblem(where, `${expected} registers`, `${got}`));
  }
}

function describe(where: string, request: RegisterRequest): string {
  const last = request.start + request.count - 1;
  return `${where} unit ${request.unit} registers ${request.start}-${last}`;
}

function exceptionCode(error: Error): number | undefined {
  return "modbusCode" in error && typeof error.modbusCode === "number" ? error.modbusCode : undefined;
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  // modbus-serial's own errors (PortNotOpenError ...) are plain objects with a message.
  const message =
    typeof thrown === "object" && thrown !== null && "message" in thrown ? thrown.message : thrown;
  return new Problem("modbus-closed", String(message));
}
