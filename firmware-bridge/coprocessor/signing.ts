import { Problem } from "../../attest/problem.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "../../attest/signature.ts";
import { encodeSmpMap, type SmpMap, smpMap } from "../smp/cbor.ts";
import type { Asking, SmpConnection, SmpRequest } from "../smp/connection.ts";
import { HEADER_BYTES } from "../smp/message.ts";
import { AnswerFields } from "./answer-fields.ts";
import { answerFault, coprocessorProblem } from "./problems.ts";
import { ALGORITHM_ED25519, KEY, LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES, SIGN } from "./protocol.ts";

/** How often a key was used, as the microcontroller counts. */
export interface KeyUse {
  /** How often the microcontroller has started in its life. */
  readonly boot: number;
  /** Signatures since that start. */
  readonly signatures: number;
}

/** The key of a coprocessor. */
export interface CoprocessorKey extends KeyUse {
  /** 32 bytes; what they are worth is not checked here. */
  readonly publicKey: Uint8Array;
  readonly maxMessageBytes: number;
}

/** A signature of 64 bytes that nobody has verified yet. */
export interface RawSignature extends KeyUse {
  readonly signature: Uint8Array;
}

export interface SigningOptions {
  readonly timeoutMs?: number;
  /** Of the last piece, upon which the microcontroller signs and checks what it signed. */
  readonly signTimeoutMs?: number;
  /** Each piece is sent at most so often. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
  /** Called each time that the last piece is about to leave: the microcontroller may sign once more. */
  readonly onLastPiece?: () => void;
}

const DEFAULT_SIGN_TIMEOUT_MS = 10_000;
/** How often the microcontroller may take less than it is given without getting further than it ever was. */
const MAX_SETBACKS = 5;
const MIN_PIECE_BYTES = 16;

/** @throws Problem `coprocessor-no-key`, `coprocessor-answer`, `smp-not-supported` where it does not sign, `smp-…`, `line-…` */
export async function readKey(connection: SmpConnection, asking?: Asking): Promise<CoprocessorKey> {
  const where = connection.where(KEY);
  try {
    return decodeKey(await connection.ask(KEY, asking), where);
  } catch (error) {
    throw coprocessorProblem(error);
  }
}

/** Reads the answer to `key`. Throws Problem `coprocessor-answer`. */
export function decodeKey(map: SmpMap, where: string): CoprocessorKey {
  const fields = new AnswerFields(map, where);
  fields.integer("alg", ALGORITHM_ED25519, ALGORITHM_ED25519);
  return {
    publicKey: fields.bytes("pub", { fewest: PUBLIC_KEY_BYTES, most: PUBLIC_KEY_BYTES }),
    maxMessageBytes: fields.integer("max", LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES),
    ...useOf(fields),
  };
}

/**
 * Has a message signed, piece by piece, each as long as a message of the connection may be, always from where the
 * microcontroller says that it stands. Signing twice is no harm: Ed25519 makes the same signature.
 *
 * @throws Problem `coprocessor-not-signable`, `coprocessor-too-long`, `coprocessor-…`, `smp-…`, `line-…`
 */
export async function signMessage(
  connection: SmpConnection,
  message: Uint8Array,
  options: SigningOptions = {},
): Promise<RawSignature> {
  try {
    return await new Signing(connection, message, options).run();
  } catch (error) {
    throw coprocessorProblem(error);
  }
}

class Signing {
  readonly #connection: SmpConnection;
  readonly #message: Uint8Array;
  readonly #options: SigningOptions;
  readonly #where: string;
  #at = 0;
  #furthest = 0;
  #silences = 0;
  /** How often nothing came back when all was there to be signed; the message may have been brought anew between. */
  #unsigned = 0;
  #setbacks = 0;

  constructor(connection: SmpConnection, message: Uint8Array, options: SigningOptions) {
    this.#connection = connection;
    this.#message = message;
    this.#options = options;
    this.#where = connection.where(SIGN);
  }

  async run(): Promise<RawSignature> {
    for (;;) {
      const piece = this.#piece();
      const answer = new AnswerFields(await this.#sent(piece), this.#where);
      const stands = answer.integer("off", 0, this.#message.length);
      if (stands === this.#message.length) return signatureOf(answer);
      this.#goOn(stands, piece.length);
    }
  }

  #piece(): Uint8Array {
    const { maxMessageBytes } = this.#connection;
    // The length of the data takes up to two bytes more than that of no data.
    const overhead = HEADER_BYTES + encodeSmpMap(this.#fields(new Uint8Array(0))).length + 2;
    return this.#message.subarray(this.#at, this.#at + Math.max(MIN_PIECE_BYTES, maxMessageBytes - overhead));
  }

  #fields(data: Uint8Array): SmpMap {
    return smpMap({ len: this.#at === 0 ? this.#message.length : undefined, off: this.#at, data });
  }

  async #sent(piece: Uint8Array): Promise<SmpMap> {
    const request: SmpRequest = { ...SIGN, fields: this.#fields(piece) };
    const last = this.#at + piece.length === this.#message.length;
    const { attempts = this.#connection.attempts } = this.#options;
    if (!last) this.#silences = 0;
    for (;;) {
      try {
        return await this.#asked(request, last);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "smp-timeout") throw error;
        this.#silences += 1;
        if (last) this.#unsigned += 1;
        if (Math.max(this.#silences, this.#unsigned) >= attempts) throw error;
      }
    }
  }

  #asked(request: SmpRequest, last: boolean): Promise<SmpMap> {
    const { timeoutMs = this.#connection.timeoutMs, signTimeoutMs = DEFAULT_SIGN_TIMEOUT_MS } = this.#options;
    if (last) this.#options.onLastPiece?.();
    const { signal } = this.#options;
    return this.#connection.ask(request, {
      attempts: 1,
      timeoutMs: last ? signTimeoutMs : timeoutMs,
      signal,
    });
  }

  #goOn(stands: number, pieceBytes: number): void {
    const expected = this.#at + pieceBytes;
    if (stands > expected) throw answerFault(`${this.#where}: off`, `at most ${expected}`, String(stands));
    if (stands > this.#furthest) this.#setbacks = 0;
    else if (stands < expected) this.#setbacks += 1;
    this.#furthest = Math.max(this.#furthest, stands);
    if (this.#setbacks > MAX_SETBACKS)
      throw new Problem(
        "coprocessor-stalled",
        "the coprocessor does not take the message that it is to sign",
        {
          where: this.#where,
          expected: `${expected} of ${this.#message.length} bytes`,
          got: `${stands}, and no more after ${MAX_SETBACKS} further attempts`,
          hint: "reset it; if it stays, tell the maker of its firmware, with this line",
        },
      );
    this.#at = stands;
  }
}

function signatureOf(answer: AnswerFields): RawSignature {
  return {
    signature: answer.bytes("sig", { fewest: SIGNATURE_BYTES, most: SIGNATURE_BYTES }),
    ...useOf(answer),
  };
}

function useOf(fields: AnswerFields): KeyUse {
  return { boot: fields.integer("boot", 0), signatures: fields.integer("n", 0) };
}
