import { toHex } from "../../../attest/bytes.ts";
import { Problem } from "../../../attest/problem.ts";
import { SIGNATURE_BYTES } from "../../../attest/signature.ts";
import type { Suite } from "../../../attest/suite.ts";
import type { Fault } from "../../../drivers/kit/checklist.ts";
import { smpMap } from "../../smp/cbor.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { RefusalProblem } from "../../smp/problems.ts";
import { AnswerFields } from "../answer-fields.ts";
import { commitmentOf, SeenNonces } from "../nonces.ts";
import { coprocessorProblem } from "../problems.ts";
import { SIGN } from "../protocol.ts";
import { type CoprocessorKey, type RawSignature, signMessage } from "../signing.ts";
import { refusedWith } from "./checks.ts";

/** What requests of SMP version 1 are answered with, which knows no errors of a group (docs/coprocessor-protocol.md, "Errors"). */
const PLAIN = {
  "coprocessor-unknown": [1, 3],
  "coprocessor-not-signable": [11],
  "coprocessor-too-long": [3],
} as const;
export type RefusalCode = keyof typeof PLAIN;

export interface SigningSettings {
  readonly suite: Suite;
  /** How long a signature may take, ms. */
  readonly signTimeoutMs: number;
}

/** What an answer to a piece says. */
export interface PieceAnswer {
  /** How much of the message is there. */
  readonly off: number;
  readonly signature: Uint8Array | undefined;
}

/** A key under check, and what it signed so far: how often, how fast, and with which nonces. */
export class AskedKey {
  readonly connection: SmpConnection;
  readonly key: CoprocessorKey;
  /** Signatures that were made here. */
  signatures = 0;
  /** From the last piece to its signature, ms. */
  readonly tookMs: number[] = [];
  /** The first half of two signatures over different messages, hex. */
  sharedNonce: string | undefined;
  /** The first error that had the form of version 1 upon a request of version 2. */
  oldForm: string | undefined;
  readonly #settings: SigningSettings;
  readonly #nonces: SeenNonces;

  constructor(connection: SmpConnection, key: CoprocessorKey, settings: SigningSettings) {
    this.connection = connection;
    this.key = key;
    this.#settings = settings;
    this.#nonces = new SeenNonces(settings.suite);
  }

  /** @throws Problem as `signMessage` */
  async sign(message: Uint8Array): Promise<RawSignature> {
    const { signTimeoutMs } = this.#settings;
    let lastMs = 0;
    const onLastPiece = (): void => {
      lastMs = performance.now();
    };
    const made = await signMessage(this.connection, message, { attempts: 1, signTimeoutMs, onLastPiece });
    this.tookMs.push(performance.now() - lastMs);
    this.signatures += 1;
    this.#remember(made.signature, message);
    return made;
  }

  /** Has a message signed that has to be. */
  signs(message: Uint8Array): Promise<Fault> {
    return answered("a signature", async () =>
      this.#unlikeKey(message, (await this.sign(message)).signature),
    );
  }

  /** What is wrong with a signature that {@link piece} brought. */
  signedBy(message: Uint8Array, signature: Uint8Array): Fault {
    this.#remember(signature, message);
    return this.#unlikeKey(message, signature);
  }

  #unlikeKey(message: Uint8Array, signature: Uint8Array): Fault {
    const { publicKey } = this.key;
    if (this.#settings.suite.verifySignature(publicKey, message, signature)) return undefined;
    return `the signature does not verify under ${toHex(publicKey)}`;
  }

  /** What is wrong unless `work` is refused so; the form of version 1 is noted, and told once of all. */
  refused(code: RefusalCode, work: () => Promise<unknown>): Promise<Fault> {
    return refusedWith(code, () => work().catch((error: unknown) => this.#noteForm(error)), PLAIN[code]);
  }

  /** Whether `error` is this refusal. */
  async isRefusal(code: RefusalCode, error: unknown): Promise<boolean> {
    return (await this.refused(code, () => Promise.reject(error))) === undefined;
  }

  /** Sends one piece, right or not, once. @throws Problem `coprocessor-…`, `smp-…`, `line-…` */
  async piece(fields: Parameters<typeof smpMap>[0]): Promise<PieceAnswer> {
    const { signTimeoutMs } = this.#settings;
    const timeoutMs = Math.max(signTimeoutMs, this.connection.timeoutMs);
    try {
      const request = { ...SIGN, fields: smpMap(fields) };
      const map = await this.connection.ask(request, { attempts: 1, timeoutMs });
      const answer = new AnswerFields(map, this.connection.where(SIGN));
      const signature = answer.has("sig")
        ? answer.bytes("sig", { fewest: SIGNATURE_BYTES, most: SIGNATURE_BYTES })
        : undefined;
      if (signature !== undefined) this.signatures += 1;
      return { off: answer.integer("off", 0), signature };
    } catch (error) {
      throw coprocessorProblem(error);
    }
  }

  #remember(signature: Uint8Array, message: Uint8Array): void {
    if (!this.#nonces.isFresh(signature, message)) this.sharedNonce ??= commitmentOf(signature);
  }

  #noteForm(error: unknown): never {
    const isPlain = error instanceof RefusalProblem && error.refusal.group === undefined;
    if (isPlain && error.code === "coprocessor-answer") this.oldForm ??= error.message;
    throw error;
  }
}

/** What is wrong with `work`, a refusal in its numbers: what the host's user is told of it is not for whoever writes firmware. */
export async function answered(expected: string, work: () => Promise<Fault>): Promise<Fault> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem) || !isRefusal(error)) throw error;
    return `expected ${expected}, got ${error.code} (${error.detail.got})`;
  }
}

function isRefusal(error: Problem): boolean {
  return error instanceof RefusalProblem || error.detail.cause instanceof RefusalProblem;
}
