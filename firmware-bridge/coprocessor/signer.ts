import { equalBytes, toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { requireVerified } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import type { RemoteSigner } from "../signer/remote-signer.ts";
import type { SmpConnection } from "../smp/connection.ts";
import { learnParameters } from "../smp/os-group.ts";
import type { CoprocessorLine } from "./lines.ts";
import { commitmentOf, SeenNonces } from "./nonces.ts";
import { answerFault } from "./problems.ts";
import { KEY } from "./protocol.ts";
import { type CoprocessorKey, type KeyUse, readKey, type SigningOptions, signMessage } from "./signing.ts";

export interface CoprocessorSignerOptions {
  readonly line: CoprocessorLine;
  /** What verifies; `nativeSuite` in the agent. */
  readonly suite: Suite;
  /** The device's key as it is known from before; another one is refused. */
  readonly publicKey?: Uint8Array;
  /** Everything that one signature may take, waiting for the line included. */
  readonly deadlineMs?: number;
  /** The same for the first look at the key; left out: `deadlineMs`. */
  readonly openDeadlineMs?: number;
  readonly signing?: Pick<SigningOptions, "timeoutMs" | "signTimeoutMs" | "attempts">;
  /** What has to be said and stops nothing: the key was used by somebody else. */
  readonly onNotice?: (problem: Problem) => void;
}

const DEFAULT_DEADLINE_MS = 30_000;

/**
 * A device key that lives in a microcontroller and cannot leave it (assurance tier 2). No signature is handed out that does
 * not verify under the key that was found when the signer was opened.
 */
export class CoprocessorSigner implements RemoteSigner {
  readonly assuranceTier = 2;
  readonly publicKey: Uint8Array;
  readonly #options: CoprocessorSignerOptions;
  readonly #maxMessageBytes: number;
  readonly #nonces: SeenNonces;
  #use: KeyUse;
  /** How many signatures the microcontroller may have made for us since {@link #use}. */
  #asked = 0;
  /** It had another key last time: nothing is given to it before its key was looked at. */
  #isOther = false;
  /** It was silent: other firmware may have been started, which takes shorter messages and drops longer ones. */
  #wasSilent = false;
  #closed = false;

  private constructor(options: CoprocessorSignerOptions, key: CoprocessorKey) {
    this.#options = options;
    this.publicKey = key.publicKey;
    this.#maxMessageBytes = key.maxMessageBytes;
    this.#nonces = new SeenNonces(options.suite);
    this.#use = key;
  }

  /**
   * Asks for the key and checks it. On a failure the line is given back.
   *
   * @throws Problem `signer-key` where it is none of prime order, `signer-key-changed` where it is another than the known
   *   one, `signer-unsupported` where the firmware does not sign, `signer-silent`, `signer-refused`, `signer-unavailable`
   */
  static async open(options: CoprocessorSignerOptions): Promise<CoprocessorSigner> {
    try {
      const { deadlineMs, openDeadlineMs = deadlineMs, ...others } = options;
      const look = openDeadlineMs === undefined ? others : { ...others, deadlineMs: openDeadlineMs };
      const key = await within(look, (signal) =>
        options.line.talk((connection) => readKey(connection, { ...options.signing, signal })),
      );
      requireKey(options, key.publicKey);
      return new CoprocessorSigner(options, key);
    } catch (error) {
      await options.line.release();
      throw signerProblem(error, options.line.name);
    }
  }

  /**
   * @returns 64 bytes that verify under {@link publicKey}
   * @throws Problem `signer-fault`, `signer-nonce`, `signer-key-changed`, `signer-message` where it is empty or too long,
   *   `signer-refused`, `signer-silent`, `signer-unavailable`, `signer-closed`
   */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new Problem("signer-closed", "the signer was closed");
    this.#requireSize(message);
    // What is verified is what was asked for, whatever becomes of the caller's bytes meanwhile.
    const copy = message.slice();
    try {
      return await within(this.#options, (signal) => this.#made(copy, signal));
    } catch (error) {
      const problem = signerProblem(error, this.#options.line.name);
      this.#wasSilent ||= problem.code === "signer-silent";
      throw problem;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.line.release();
  }

  #made(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { line, signing, suite } = this.#options;
    const onLastPiece = (): void => {
      this.#asked += 1;
    };
    return line.talk(async (connection) => {
      if (this.#wasSilent) await learnParameters(connection, { ...signing, signal });
      // Another microcontroller, or a fault of this one: its key tells.
      const keyChecked = async (): Promise<void> => {
        const { publicKey } = await readKey(connection, { ...signing, signal });
        this.#isOther = !equalBytes(this.publicKey, publicKey);
        requireSameKey(this.publicKey, publicKey, line.name);
      };
      if (this.#isOther) await keyChecked();
      const made = await signMessage(connection, message, { ...signing, signal, onLastPiece }).catch(
        async (error: unknown) => {
          if (error instanceof Problem && error.code === "coprocessor-not-signable") await keyChecked();
          throw error;
        },
      );
      this.#wasSilent = false;
      const signed = { publicKey: this.publicKey, message, signature: made.signature };
      if (!suite.verifySignature(signed.publicKey, message, made.signature)) await keyChecked();
      const signature = requireVerified(suite, signed);
      // Firmware that started anew counts anew, which only its key command can confirm.
      const isNewStart = made.boot !== this.#use.boot;
      if (isNewStart) requireSameBoot(made, await readKey(connection, { ...signing, signal }), connection);
      // Of this key alone, and within its turn: the next signature is counted after this one.
      this.#notice(made);
      if (!this.#nonces.isFresh(signature, message)) throw nonceProblem(line.name, signature);
      return signature;
    });
  }

  #requireSize({ length }: Uint8Array): void {
    if (length > 0 && length <= this.#maxMessageBytes) return;
    throw new Problem("signer-message", "the coprocessor signs no message of this length", {
      where: this.#options.line.name,
      expected: `1 to ${this.#maxMessageBytes} bytes`,
      got: String(length),
      hint: "its firmware may be older than this program: update it",
    });
  }

  /** Says when the key made more signatures than it was asked for here. */
  #notice({ boot, signatures }: KeyUse): void {
    const before = boot === this.#use.boot ? this.#use.signatures : 0;
    const most = before + this.#asked;
    if (signatures <= before || signatures > most)
      this.#options.onNotice?.(
        new Problem("signer-used-elsewhere", "the key signed something that was not asked for here", {
          where: this.#options.line.name,
          expected: `${before + 1} to ${most} signatures since the coprocessor started`,
          got: String(signatures),
          hint: "find out who else uses the coprocessor; if nobody should, revoke the key",
        }),
      );
    this.#use = { boot, signatures };
    this.#asked = 0;
  }
}

function requireKey({ suite, publicKey, line }: CoprocessorSignerOptions, found: Uint8Array): void {
  if (!suite.checkPublicKey(found))
    throw new Problem("signer-key", "the coprocessor's key is no Ed25519 key", {
      where: line.name,
      expected: "the canonical encoding of a point of prime order",
      got: toHex(found),
      hint: "sign with another coprocessor, or with a key of the gateway's own, and tell this one's maker",
    });
  if (publicKey !== undefined) requireSameKey(publicKey, found, line.name);
}

function requireSameKey(known: Uint8Array, found: Uint8Array, where: string): void {
  if (equalBytes(known, found)) return;
  throw new Problem("signer-key-changed", "the coprocessor has another key than before", {
    where,
    expected: toHex(known),
    got: toHex(found),
    hint: 'put the coprocessor back that holds the expected key; a new key is a new device, and what it needs is in docs/backup.md, "Another coprocessor"',
  });
}

/** Where the two disagree, nobody can tell who else used the key. */
function requireSameBoot(signed: KeyUse, key: KeyUse, connection: SmpConnection): void {
  if (key.boot === signed.boot) return;
  throw answerFault(
    `${connection.where(KEY)}: boot`,
    `${signed.boot}, as with the signature before it`,
    String(key.boot),
  );
}

/** `signer-nonce`: with this signature beside the one before it, anybody computes the key (RFC 8032, 5.1.6). */
function nonceProblem(where: string, signature: Uint8Array): Problem {
  return new Problem("signer-nonce", "the coprocessor used one nonce for two messages", {
    where,
    expected: "another first half of the signature of each message",
    got: `${commitmentOf(signature)} again`,
    hint: "from two such signatures anybody computes the key; this one was thrown away: do not use this coprocessor, have its key revoked, and tell its maker",
  });
}

/** Ends in time whatever it waits for; what is under way is told to stop. */
async function within<T>(
  { deadlineMs = DEFAULT_DEADLINE_MS, line }: CoprocessorSignerOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  return await new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = silent(line.name, `an answer within ${deadlineMs} ms`);
      controller.abort(late);
      reject(late);
    }, deadlineMs);
    work(controller.signal)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

const CODES: ReadonlyMap<string, string> = new Map([
  ["smp-timeout", "signer-silent"],
  ["smp-aborted", "signer-silent"],
  ["smp-not-supported", "signer-unsupported"],
  ["driver-closed", "signer-closed"],
]);

/** Everything in the words of a signer, with what it came from. */
function signerProblem(error: unknown, where: string): Problem {
  const { code, message } = describeProblem(error);
  if (error instanceof Problem && code.startsWith("signer-")) return error;
  const refused = code.startsWith("coprocessor-") ? "signer-refused" : "signer-unavailable";
  // What comes from the line names it already.
  const reason = message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message;
  return new Problem(CODES.get(code) ?? refused, `the coprocessor did not sign: ${reason}`, {
    where,
    cause: error,
  });
}

function silent(where: string, expected: string): Problem {
  return new Problem("signer-silent", "the coprocessor did not sign in time", {
    where,
    expected,
    got: "none",
    hint: "it is asked again by itself; where that does not help, check its supply and its line, and reset it",
  });
}
