import type { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "../line/line.ts";
import { lineProblem } from "../line/problems.ts";
import type { ModbusLine, Question } from "./line.ts";
import type { LineTiming } from "./line-timing.ts";
import { babbleProblem, crcProblem, malformedProblem, timeoutProblem } from "./problems.ts";
import { Glitches, RtuReply, type RtuVerdict } from "./rtu-reply.ts";
import { bytesDelivered, sleepUntil } from "./waiting.ts";

export interface RtuLineOptions {
  readonly timing: LineTiming;
  /** Silence that a freshly opened line must have shown: replies to somebody else's requests may be on their way. */
  readonly openSilenceMs: number;
  readonly signal: AbortSignal;
}

/** Silences that a line may take to show one of them, before it is taken for one that is never quiet. */
const MOST_SILENCES = 10;
const LEAST_BABBLE_MS = 500;

/**
 * Opens a serial line, or one behind a serial server, and drains it. Throws the line's own Problem (`line-…`) or
 * `modbus-babble`.
 */
export async function openRtuLine(byteLine: ByteLine, options: RtuLineOptions): Promise<ModbusLine> {
  const line = new RtuLine(byteLine, options.timing);
  const giveUp = (): void => line.destroy(lineProblem(byteLine.name, options.signal.reason));
  options.signal.addEventListener("abort", giveUp, { once: true });
  try {
    await line.open(options.openSilenceMs);
    return line;
  } catch (error) {
    line.destroy(lineProblem(byteLine.name, error));
    throw error;
  } finally {
    options.signal.removeEventListener("abort", giveUp);
  }
}

interface Outstanding {
  readonly reply: RtuReply;
  readonly where: string;
  resolve(frame: Uint8Array): void;
  reject(reason: Error): void;
  /** The reply is whole; it is one as soon as silence has followed it. */
  settling: boolean;
}

/**
 * Modbus over Serial Line v1.02, RTU mode. Replies carry no number: what keeps them apart is that a reply ends with
 * a silence before anything else is sent, and that after a fault the line is drained until it has been silent.
 */
class RtuLine implements ModbusLine {
  readonly anonymousReplies = true;
  readonly #line: ByteLine;
  readonly #timing: LineTiming;
  #outstanding: Outstanding | undefined;
  #lastByteMs = Number.NEGATIVE_INFINITY;
  #drainedBytes = 0;
  #unsettled = false;
  #glitches = new Glitches();
  #death: Error | undefined;
  readonly #dying = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(line: ByteLine, timing: LineTiming) {
    this.#line = line;
    this.#timing = timing;
  }

  async open(silenceMs: number): Promise<void> {
    await this.#line.open({
      onBytes: (bytes) => this.#receive(bytes),
      onClosed: (problem) => this.destroy(problem),
    });
    await this.recover(silenceMs);
    if (this.#death !== undefined) throw this.#death;
  }

  get alive(): boolean {
    return this.#death === undefined;
  }

  get unsettled(): boolean {
    return this.#unsettled;
  }

  get drainedBytes(): number {
    return this.#drainedBytes;
  }

  async exchange(question: Question, timeoutMs: number): Promise<Uint8Array> {
    const where = `${this.#line.name} ${question.what}`;
    await this.#line.discardInput?.();
    await bytesDelivered();
    if (this.#death !== undefined) throw this.#death;
    if (this.#unsettled) throw malformedProblem(where, "silence before the request", "bytes");
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const reply = new RtuReply(question.shape);
    const outstanding: Outstanding = { reply, where, resolve, reject, settling: false };
    this.#outstanding = outstanding;
    const deadline = setTimeout(
      () => void this.#expire(outstanding, timeoutMs),
      timeoutMs + this.#wireMs(question),
    );
    try {
      const [frame] = await Promise.all([promise, this.#line.write(question.frame)]);
      return frame;
    } finally {
      clearTimeout(deadline);
      this.#outstanding = undefined;
      this.#glitches = new Glitches();
    }
  }

  /** What request and reply take on the wire, and the silences that go with them. */
  #wireMs({ frame, shape }: Question): number {
    const { characterMs, silenceMs } = this.#timing;
    return (frame.length + shape.longestBytes + 3) * characterMs + 2 * silenceMs;
  }

  async recover(silenceMs: number): Promise<void> {
    const sinceMs = performance.now();
    const limitMs = sinceMs + Math.max(LEAST_BABBLE_MS, MOST_SILENCES * silenceMs);
    for (let calmMs = 0; calmMs < silenceMs && this.alive; ) {
      await this.#silentUntil(Math.max(sinceMs, this.#lastByteMs) + silenceMs);
      const now = performance.now();
      calmMs = now - Math.max(sinceMs, this.#lastByteMs);
      if (calmMs < silenceMs && now > limitMs) this.destroy(babbleProblem(this.#line.name, silenceMs));
    }
    this.#unsettled = false;
  }

  destroy(reason: Error): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    this.#dying.abort();
    this.#closed = this.#line.close();
    this.#outstanding?.reject(reason);
  }

  async closed(): Promise<void> {
    await this.#closed;
  }

  async #silentUntil(atMs: number): Promise<void> {
    try {
      await sleepUntil(atMs, this.#dying.signal);
    } catch {
      return;
    }
    await this.#line.discardInput?.();
    await bytesDelivered();
  }

  #receive(bytes: Uint8Array): void {
    this.#lastByteMs = performance.now();
    const outstanding = this.#outstanding;
    if (outstanding === undefined) {
      this.#drainedBytes += bytes.length;
      this.#unsettled ||= !bytes.every((byte) => this.#glitches.take(byte));
      return;
    }
    const verdict = outstanding.reply.push(bytes);
    if (verdict.state === "whole") this.#settle(outstanding, verdict.reply);
    else if (verdict.state !== "partial") outstanding.reject(faultOf(outstanding.where, verdict));
  }

  /** A reply is one only when silence follows it; what comes before that has refused it already. */
  #settle(outstanding: Outstanding, frame: Uint8Array): void {
    outstanding.settling = true;
    void sleepUntil(this.#lastByteMs + this.#timing.silenceMs)
      .then(bytesDelivered)
      .then(() => outstanding.resolve(frame));
  }

  async #expire(outstanding: Outstanding, timeoutMs: number): Promise<void> {
    await bytesDelivered();
    if (!outstanding.settling) outstanding.reject(timeoutProblem(outstanding.where, "no answer", timeoutMs));
  }
}

function faultOf(where: string, verdict: Extract<RtuVerdict, { state: "malformed" | "crc" }>): Problem {
  if (verdict.state === "crc") return crcProblem(where, verdict.expected, verdict.got);
  return malformedProblem(where, verdict.expected, verdict.got);
}
