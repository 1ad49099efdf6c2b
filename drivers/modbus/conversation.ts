import { randomInt } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import type { Codec, Inquiry } from "./codec.ts";
import type { ModbusLine, Question } from "./line.ts";
import { EXCEPTION_BIT } from "./reply-shape.ts";
import type { ReplyKind, UnitState } from "./unit-state.ts";
import { sleepUntil } from "./waiting.ts";

/** One request to one unit. */
export interface Order<T> {
  readonly unit: number;
  readonly what: string;
  /** What the reply can be mistaken by; undefined for one that repeats its request. */
  readonly kind: ReplyKind | undefined;
  inquire(codec: Codec): Inquiry<T>;
}

export interface ConversationOptions {
  readonly line: ModbusLine;
  readonly codec: Codec;
  readonly unit: UnitState;
  /** The line's name in messages. */
  readonly where: string;
  readonly timeoutMs: number;
  /** Silence between a reply and the next request. */
  readonly minGapMs: number;
  /** Whether the unit may be asked for echoes. */
  readonly echo: boolean;
}

const NONCES = 0x1_0000;

/** One order on an open line: the request and its reply, between two echoes while the unit is in doubt. */
export class Conversation {
  readonly #options: ConversationOptions;
  #fault: Error | undefined;
  #repliedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** What went wrong on the line; undefined while all that went wrong was said by the device itself. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Throws the line's Problem, or the exception of the device. */
  async hold<T>(order: Order<T>): Promise<T> {
    const { unit } = this.#options;
    const doubted = this.#mayEcho && order.kind !== undefined && unit.trust.needsEcho(performance.now());
    if (doubted) await this.#echo(order.unit);
    const value = await this.#ask(order);
    if (doubted) await this.#echo(order.unit);
    return value;
  }

  /** Whether it is still to be found out, by {@link learn}, if the unit can be made sure of by an echo. */
  get wantsLearning(): boolean {
    return this.#mayEcho && this.#options.unit.trust.wantsLearning;
  }

  /** Asks for an echo. Throws as {@link hold}. */
  async learn(unitNumber: number): Promise<void> {
    await this.#echo(unitNumber);
  }

  get #mayEcho(): boolean {
    return this.#options.line.anonymousReplies && this.#options.echo;
  }

  async #ask<T>(order: Order<T>): Promise<T> {
    const { codec, unit, where } = this.#options;
    const inquiry = order.inquire(codec);
    const begunMs = performance.now();
    unit.counters.sent();
    const reply = await this.#exchange(inquiry).catch((error: unknown) => {
      unit.trust.failed();
      throw error;
    });
    const nowMs = performance.now();
    unit.counters.replied(nowMs - begunMs);
    unit.trust.answered();
    if (order.kind !== undefined) unit.replied(order.kind, ((reply[1] ?? 0) & EXCEPTION_BIT) !== 0, nowMs);
    return inquiry.decode(reply, where);
  }

  /** An exception is an answer, too: a device without this function says so. */
  async #echo(unitNumber: number): Promise<void> {
    const { codec, unit } = this.#options;
    unit.counters.echoed();
    try {
      await this.#exchange(codec.echo(unitNumber, randomInt(NONCES)));
      unit.trust.echoAnswered();
    } catch (error) {
      if (error instanceof Problem && error.code === "modbus-timeout") unit.trust.echoTimedOut();
      throw error;
    }
  }

  async #exchange(question: Question): Promise<Uint8Array> {
    const { line, timeoutMs, minGapMs } = this.#options;
    if (minGapMs > 0) await sleepUntil(this.#repliedAtMs + minGapMs);
    try {
      const reply = await line.exchange(question, timeoutMs);
      this.#repliedAtMs = performance.now();
      return reply;
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }
}
