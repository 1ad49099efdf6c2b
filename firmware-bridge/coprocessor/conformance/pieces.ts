import { OBJECT_TYPES } from "../../../attest/cose.ts";
import { type Checklist, type Fault, Skipped } from "../../../drivers/kit/checklist.ts";
import { echo } from "../../smp/os-group.ts";
import { RefusalProblem } from "../../smp/problems.ts";
import { DESCRIBE, KEY, READ } from "../protocol.ts";
import { type AskedKey, answered, type PieceAnswer } from "./asked-key.ts";
import { statement } from "./statement.ts";

/** Fits into the shortest buffer there is, with the request around it. */
const PIECE_BYTES = 48;
/** How far beside its place a piece is sent. */
const BESIDE_BYTES = 8;
const SHORT_BYTES = 16;
/** Far more than the message has, where all of a piece is taken; a part of each may be. */
const MOST_PIECES = 64;

/** The checks of a message that comes in pieces, in another order than a host would send it that knows no setback. */
export async function checkPieces(asked: AskedKey, list: Checklist): Promise<void> {
  const checks = new PieceChecks(asked);
  const run = (name: string, check: () => Promise<Fault>): Promise<boolean> =>
    list.run(name, () => answered("off, or a signature", check));
  await run("sign: nothing is taken of a piece that is not where the last one ended", () =>
    checks.elsewhere(),
  );
  await run("sign: off 0 begins anew in the middle of a message", () => checks.anew());
  await run("sign: len with a later piece does not change the length", () => checks.lateLength());
  await run("sign: other commands leave the pieces of a message alone", () => checks.between());
  await run("sign: nothing is there after a signature", () => checks.forgotten());
}

class PieceChecks {
  readonly #asked: AskedKey;
  readonly #message: Uint8Array;

  constructor(asked: AskedKey) {
    this.#asked = asked;
    this.#message = statement(OBJECT_TYPES.hello, asked.key.publicKey, 100);
  }

  async elsewhere(): Promise<Fault> {
    const stands = await this.#begun(this.#message);
    for (const off of [stands + BESIDE_BYTES, stands - BESIDE_BYTES].filter((at) => at > 0)) {
      const answer = await this.#sent(this.#message, off);
      if (answer !== stands) return `${stands} bytes were there, a piece with off ${off} came: got ${answer}`;
    }
    return this.#rest(this.#message, stands);
  }

  async anew(): Promise<Fault> {
    const first = statement(OBJECT_TYPES.rotation, this.#asked.key.publicKey, 80);
    const stands = await this.#begun(first);
    try {
      return await this.#rest(this.#message, 0);
    } catch (error) {
      // A message that is stuck would be found by everything that is asked hereafter.
      await this.#rest(first, stands).catch(() => undefined);
      throw error;
    }
  }

  /** It may be refused, or not be looked at. */
  async lateLength(): Promise<Fault> {
    const [asked, message] = [this.#asked, this.#message];
    const stands = await this.#begun(message);
    const len = stands + SHORT_BYTES;
    let answer: PieceAnswer;
    try {
      answer = await asked.piece({ len, off: stands, data: message.slice(stands, len) });
    } catch (error) {
      if (await asked.isRefusal("coprocessor-unknown", error)) return undefined;
      throw error;
    }
    if (answer.signature !== undefined) return `${len} of ${message.length} bytes were signed`;
    return this.#rest(message, answer.off);
  }

  async between(): Promise<Fault> {
    const { connection } = this.#asked;
    const stands = await this.#begun(this.#message);
    for (const request of [DESCRIBE, READ, KEY]) await anyAnswer(connection.ask(request));
    await anyAnswer(echo(connection, "between two pieces"));
    return answered("the message as it was before describe, read, key and echo", async () => {
      const off = await this.#sent(this.#message, stands);
      if (off <= stands) return `${stands} bytes were there, and ${off} behind describe, read, key and echo`;
      return this.#rest(this.#message, off);
    });
  }

  async forgotten(): Promise<Fault> {
    const fault = await this.#rest(this.#message, 0);
    if (fault !== undefined) return fault;
    const off = this.#message.length - SHORT_BYTES;
    const answer = await this.#asked.piece({ off, data: this.#message.slice(off) });
    if (answer.signature !== undefined) return "the last piece came again, and it signed again";
    return answer.off === 0 ? undefined : `expected off 0, got ${answer.off}`;
  }

  /** How much is there of a message that was begun. */
  async #begun(message: Uint8Array): Promise<number> {
    const stands = await this.#sent(message, 0);
    if (stands === 0) throw new Skipped("it took nothing of the first piece, which it may");
    return stands;
  }

  async #sent(message: Uint8Array, off: number): Promise<number> {
    return (await this.#asked.piece(pieceOf(message, off))).off;
  }

  /** Brings what is missing from `at` on; what is wrong with the signature. */
  async #rest(message: Uint8Array, at: number): Promise<Fault> {
    let off = at;
    for (let count = 0; count < MOST_PIECES; count += 1) {
      const answer = await this.#asked.piece(pieceOf(message, off));
      if (answer.signature !== undefined) return this.#asked.signedBy(message, answer.signature);
      off = answer.off;
    }
    return `not all there after ${MOST_PIECES} pieces; ${off} of ${message.length} bytes are`;
  }
}

function pieceOf(message: Uint8Array, off: number): Parameters<AskedKey["piece"]>[0] {
  return {
    ...{ len: off === 0 ? message.length : undefined, off },
    data: message.slice(off, off + PIECE_BYTES),
  };
}

/** A refusal is one, too. */
async function anyAnswer(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof RefusalProblem)) throw error;
  }
}
