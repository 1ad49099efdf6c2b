import { Problem } from "../../attest/problem.ts";
import type { ByteLine } from "../../drivers/line/line.ts";
import { Talk } from "../../drivers/telegram/talk.ts";
import type { Framed } from "../../drivers/telegram/telegram.ts";
import { decodeSmpMap, encodeSmpMap, type SmpMap } from "./cbor.ts";
import { ConsoleFramer, encodeConsoleFrame, MAX_MESSAGE_BYTES } from "./console-frame.ts";
import { ANSWER_OF, decodeMessage, encodeMessage, type SmpMessage } from "./message.ts";
import { abortedProblem, answerProblem } from "./problems.ts";
import { isEcho, type LongRequest, type OtherMessage, timeoutProblem } from "./unanswered.ts";

/** What is asked of a microcontroller. */
export interface SmpRequest {
  /** How messages call it: "image list". */
  readonly name: string;
  readonly operation: "read" | "write";
  readonly group: number;
  readonly command: number;
  readonly fields?: SmpMap;
}

/** How it is asked. */
export interface Asking {
  /** For each attempt; what the bytes need on a slow line is part of it. */
  readonly timeoutMs?: number;
  /** More than one only for what does no harm when it is done twice. */
  readonly attempts?: number;
  /** What is under way is left alone: its answer comes late and is nobody's. */
  readonly signal?: AbortSignal | undefined;
}

export interface ConnectionSettings {
  /** For a request that says nothing else. */
  readonly timeoutMs?: number;
  readonly attempts?: number;
  /** 1 for firmware that does not answer requests of version 2. */
  readonly version?: 1 | 2;
}

export const DEFAULT_TIMEOUT_MS = 2_500;
export const DEFAULT_ATTEMPTS = 3;

/**
 * Where a microcontroller does not say its buffer. By default it has 384 bytes or more: zephyrproject-rtos/zephyr
 * subsys/mgmt/mcumgr/transport/Kconfig, commit 02e5494; MCUboot's recovery 512.
 */
const CAUTIOUS_MESSAGE_BYTES = 256;

/** How soon an abort is noticed. */
const SLICE_MS = 50;

/** What has arrived in time is looked at even where this process came to it late; a line that never rests ends it. */
const MAX_LATE_FRAMES = 64;

const NEWLINE = Uint8Array.of(0x0a);

/**
 * One SMP server on one line. Requests go out one at a time, in the order of asking; an answer is known by its sequence
 * number, group, command and operation, and any other one is late or foreign and ignored.
 */
export class SmpConnection {
  readonly name: string;
  readonly timeoutMs: number;
  readonly attempts: number;
  /** The longest message that the microcontroller takes, header and body. */
  maxMessageBytes: number = CAUTIOUS_MESSAGE_BYTES;
  /** The buffer that it says it has; undefined where it was not asked or does not say. */
  bufferBytes: number | undefined;
  readonly #talk: Talk;
  /** Of the protocol that it is asked in. */
  readonly version: 1 | 2;
  readonly #framer: ConsoleFramer = new ConsoleFramer(MAX_MESSAGE_BYTES);
  #turn: Promise<unknown> = Promise.resolve();
  #sequence = 0;
  /** Nothing was heard on the request before: it may have been cut short. */
  #unanswered = false;
  /** Of the messages that were answered. */
  #longestAnswered = 0;

  private constructor(talk: Talk, settings: ConnectionSettings) {
    this.name = talk.name;
    this.timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.attempts = settings.attempts ?? DEFAULT_ATTEMPTS;
    this.#talk = talk;
    this.version = settings.version ?? 2;
  }

  /** Opens the line. @throws Problem `line-…` */
  static async over(line: ByteLine, settings: ConnectionSettings = {}): Promise<SmpConnection> {
    return new SmpConnection(await Talk.over(line), settings);
  }

  /** The line went down: it has to be opened anew, with another connection. */
  get lost(): boolean {
    return this.#talk.lost;
  }

  /**
   * The fields of the answer.
   *
   * @throws Problem `smp-timeout` after the last attempt, `smp-aborted`, `smp-cbor`, `line-…`, and the error that the
   *   microcontroller answers (see {@link answerProblem})
   */
  ask(request: SmpRequest, asking: Asking = {}): Promise<SmpMap> {
    const turn = this.#turn.then(() => this.#attempt(request, asking));
    // Whoever asked gets the failure; the next one asks anew.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /**
   * For checks of firmware: sends bytes as they are, in their turn, and hears what {@link ask} does not wait for.
   *
   * @param bytes made with a sequence number that is nobody else's
   * @param listening how long for the first message, and how long for more behind it, ms
   * @returns every whole message that came with that number
   * @throws Problem `line-…`
   */
  overhear(
    bytes: (sequence: number) => Uint8Array,
    listening: { readonly timeoutMs: number; readonly quietMs: number },
  ): Promise<readonly SmpMessage[]> {
    const turn = this.#turn.then(() => this.#overheard(bytes, listening));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** How problems name a request of this connection. */
  where(request: SmpRequest): string {
    return `${this.name}: ${request.name}`;
  }

  /** Never throws, may be called twice. */
  close(): Promise<void> {
    return this.#talk.close();
  }

  async #attempt(request: SmpRequest, asking: Asking): Promise<SmpMap> {
    const { timeoutMs = this.timeoutMs, attempts = this.attempts, signal } = asking;
    const heard: Heard = {};
    let messageBytes = 0;
    this.#framer.takeOther();
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (signal?.aborted === true) throw abortedProblem(this.where(request));
      const sent = this.#message(request);
      // A line that was cut short waits in the microcontroller for its end, and would swallow the next one.
      if (this.#unanswered) await this.#talk.send(NEWLINE);
      this.#unanswered = true;
      const message = encodeMessage(sent);
      messageBytes = message.length;
      await this.#talk.send(encodeConsoleFrame(message));
      const answer = await this.#answer(sent, { timeoutMs, signal, heard });
      if (answer === undefined) continue;
      this.#unanswered = false;
      this.#longestAnswered = Math.max(this.#longestAnswered, messageBytes);
      return this.#accepted(request, answer);
    }
    if (signal?.aborted === true) throw abortedProblem(this.where(request));
    const waited = `${attempts} × ${timeoutMs} ms`;
    throw timeoutProblem(this.where(request), waited, {
      ...{ ...heard, cut: this.#framer.isWithin, long: this.#long(messageBytes) },
      other: this.#framer.takeOther(),
    });
  }

  /** Longer than all that was answered: then its length may be why it was not. */
  #long(bytes: number): LongRequest | undefined {
    const longestAnswered = this.#longestAnswered;
    if (longestAnswered === 0 || bytes <= longestAnswered) return undefined;
    return { bytes, longestAnswered, bufferBytes: this.bufferBytes };
  }

  async #overheard(
    bytes: (sequence: number) => Uint8Array,
    { timeoutMs, quietMs }: { readonly timeoutMs: number; readonly quietMs: number },
  ): Promise<readonly SmpMessage[]> {
    const sequence = this.#nextSequence();
    const messages: SmpMessage[] = [];
    if (this.#unanswered) await this.#talk.send(NEWLINE);
    this.#unanswered = true;
    await this.#talk.send(bytes(sequence));
    let endMs = performance.now() + timeoutMs;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - performance.now()) {
      const framed = await this.#talk.receive(this.#framer, leftMs);
      const message = framed === undefined ? undefined : readable(framed, {});
      if (message?.sequence !== sequence) continue;
      if (messages.length === 0) endMs = performance.now() + quietMs;
      messages.push(message);
      this.#unanswered = false;
    }
    return messages;
  }

  #nextSequence(): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xff;
    return sequence;
  }

  #message({ operation, group, command, fields }: SmpRequest): SmpMessage {
    const sequence = this.#nextSequence();
    const body = encodeSmpMap(fields ?? new Map());
    return { version: this.version, operation, group, sequence, command, body };
  }

  /** The answer to `sent`; undefined when none came in time or nobody waits for it any more. */
  async #answer(sent: SmpMessage, { timeoutMs, signal, heard }: Waiting): Promise<SmpMessage | undefined> {
    const endMs = performance.now() + timeoutMs;
    for (let late = 0; late < MAX_LATE_FRAMES; ) {
      const leftMs = Math.max(0, endMs - performance.now());
      const framed = await this.#talk.receive(this.#framer, Math.min(leftMs, SLICE_MS));
      const message = framed === undefined ? undefined : readable(framed, heard);
      if (message !== undefined && answers(message, sent)) return message;
      if (message !== undefined) noteOther({ sent, got: message }, heard);
      if (signal?.aborted === true || (leftMs === 0 && framed === undefined)) return undefined;
      if (leftMs === 0) late += 1;
    }
    return undefined;
  }

  #accepted(request: SmpRequest, answer: SmpMessage): SmpMap {
    // Data are optional: no body is an empty map.
    const fields: SmpMap = answer.body.length === 0 ? new Map() : this.#decoded(request, answer.body);
    const { group } = request;
    const problem = answerProblem(fields, this.where(request), { version: this.version, group });
    if (problem !== undefined) throw problem;
    return fields;
  }

  /** What cannot be read says whose it is. */
  #decoded(request: SmpRequest, body: Uint8Array): SmpMap {
    try {
      return decodeSmpMap(body);
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      const { where = "", ...detail } = cause.detail;
      throw new Problem(cause.code, "the answer cannot be read", {
        ...{ ...detail, where: `${this.where(request)}: ${where}`, cause },
      });
    }
  }
}

interface Heard {
  /** The first one: what follows may be its rest. */
  refused?: Problem;
  /** The last message that is no answer to what was asked. */
  foreign?: OtherMessage;
  /** What was sent came back. */
  isEchoed?: boolean;
}

interface Waiting {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly heard: Heard;
}

/** The message of a frame; undefined where it is none, which is remembered: it may have been the answer. */
function readable(framed: Framed, heard: Heard): SmpMessage | undefined {
  if (framed.kind === "telegram") {
    try {
      return decodeMessage(framed.bytes);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      heard.refused ??= error;
    }
  } else heard.refused ??= framed.problem;
  return undefined;
}

function noteOther(other: OtherMessage, heard: Heard): void {
  if (isEcho(other)) heard.isEchoed = true;
  else heard.foreign = other;
}

function answers(message: SmpMessage, sent: SmpMessage): boolean {
  if (sent.operation !== "read" && sent.operation !== "write") return false;
  return (
    message.operation === ANSWER_OF[sent.operation] &&
    message.sequence === sent.sequence &&
    message.group === sent.group &&
    message.command === sent.command
  );
}
