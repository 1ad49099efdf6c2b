import { randomInt } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "../line/line.ts";
import type { ModbusLine, Question } from "./line.ts";
import { MbapReply } from "./mbap-reply.ts";
import { closedProblem, malformedProblem, tcpProblem, timeoutProblem } from "./problems.ts";
import { bytesDelivered } from "./waiting.ts";

export interface TcpLineOptions {
  /** The device in messages, `host:port`. */
  readonly where: string;
  /** Deadline of the connection itself, which `byteLine` keeps. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const TRANSACTIONS = 0x1_0000;
const HEADER_BYTES = 6;
const CRC_BYTES = 2;

/**
 * Opens one connection to a Modbus TCP device. Throws a Problem: `modbus-refused`, `modbus-unreachable`,
 * `modbus-host-unknown`, `modbus-timeout`.
 */
export async function openTcpLine(byteLine: ByteLine, options: TcpLineOptions): Promise<ModbusLine> {
  const line = new TcpLine(byteLine, options);
  const giveUp = (): void => line.destroy(closedProblem(options.where));
  options.signal.addEventListener("abort", giveUp, { once: true });
  try {
    await line.open();
    return line;
  } finally {
    options.signal.removeEventListener("abort", giveUp);
  }
}

interface Outstanding {
  readonly reply: MbapReply;
  readonly where: string;
  resolve(frame: Uint8Array): void;
  reject(reason: Error): void;
}

/**
 * A Modbus TCP connection. After a time-out or a malformed reply it is thrown away, so that a late answer has
 * nowhere to arrive; its transactions are numbered from a random number on, so that a gateway that hands the answer
 * to an earlier client to a later one is noticed as well.
 */
class TcpLine implements ModbusLine {
  readonly anonymousReplies = false;
  readonly unsettled = false;
  readonly drainedBytes = 0;
  readonly #line: ByteLine;
  readonly #where: string;
  readonly #connectMs: number;
  #transaction = randomInt(TRANSACTIONS);
  #outstanding: Outstanding | undefined;
  #death: Error | undefined;
  #closed: Promise<void> | undefined;

  constructor(line: ByteLine, { where, timeoutMs }: TcpLineOptions) {
    this.#line = line;
    this.#where = where;
    this.#connectMs = timeoutMs;
  }

  async open(): Promise<void> {
    try {
      await this.#line.open({
        onBytes: (bytes) => this.#receive(bytes),
        onClosed: (problem) => this.destroy(this.#told(problem)),
      });
    } catch (error) {
      throw error instanceof Problem ? this.#told(error) : error;
    }
    if (this.#death !== undefined) throw this.#death;
  }

  get alive(): boolean {
    return this.#death === undefined;
  }

  async exchange(question: Question, timeoutMs: number): Promise<Uint8Array> {
    if (this.#death !== undefined) throw this.#death;
    const where = `${this.#where} ${question.what}`;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#transaction = (this.#transaction + 1) % TRANSACTIONS;
    const reply = new MbapReply(this.#transaction, question.shape);
    const outstanding: Outstanding = { reply, where, resolve, reject };
    this.#outstanding = outstanding;
    const deadline = setTimeout(() => void this.#expire(outstanding, timeoutMs), timeoutMs);
    try {
      const [frame] = await Promise.all([promise, this.#write(question.frame)]);
      return frame;
    } finally {
      clearTimeout(deadline);
      this.#outstanding = undefined;
    }
  }

  recover(): Promise<void> {
    return Promise.resolve();
  }

  destroy(reason: Error): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    this.#closed = this.#line.close();
    this.#outstanding?.reject(reason);
  }

  async closed(): Promise<void> {
    await this.#closed;
  }

  async #write(frame: Uint8Array): Promise<void> {
    const pdu = frame.subarray(0, frame.length - CRC_BYTES);
    const bytes = new Uint8Array(HEADER_BYTES + pdu.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, this.#transaction);
    view.setUint16(4, pdu.length);
    bytes.set(pdu, HEADER_BYTES);
    try {
      await this.#line.write(bytes);
    } catch (error) {
      this.destroy(error instanceof Problem ? this.#told(error) : closedProblem(this.#where));
    }
  }

  #receive(bytes: Uint8Array): void {
    const outstanding = this.#outstanding;
    if (outstanding === undefined) {
      const got = `${bytes.length} bytes`;
      this.destroy(malformedProblem(this.#where, "nothing, no request is outstanding", got));
      return;
    }
    const verdict = outstanding.reply.push(bytes);
    if (verdict.state === "whole") outstanding.resolve(verdict.reply);
    else if (verdict.state === "malformed")
      this.destroy(malformedProblem(outstanding.where, verdict.expected, verdict.got));
  }

  async #expire(outstanding: Outstanding, timeoutMs: number): Promise<void> {
    await bytesDelivered();
    // Answered in the meantime: the next exchange has begun, or none.
    if (this.#outstanding !== outstanding) return;
    this.destroy(timeoutProblem(outstanding.where, "no answer", timeoutMs));
  }

  #told(problem: Problem): Problem {
    return tcpProblem(problem, this.#where, this.#connectMs);
  }
}
