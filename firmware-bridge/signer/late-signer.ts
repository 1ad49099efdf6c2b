import { Problem } from "../../attest/problem.ts";
import type { RemoteSigner } from "./remote-signer.ts";

export interface LateSignerOptions extends Pick<RemoteSigner, "publicKey" | "assuranceTier"> {
  /** Reaches the signer; throws where it cannot, or where it has another key. */
  readonly open: () => Promise<RemoteSigner>;
}

/**
 * A signer whose key is known and who need not be there yet: it is looked for when something is to be signed, and again
 * with the next one where it was not there.
 */
export class LateSigner implements RemoteSigner {
  readonly publicKey: Uint8Array;
  readonly assuranceTier: RemoteSigner["assuranceTier"];
  readonly #open: LateSignerOptions["open"];
  #opened: Promise<RemoteSigner> | undefined;
  #closed = false;

  constructor({ publicKey, assuranceTier, open }: LateSignerOptions) {
    this.publicKey = publicKey;
    this.assuranceTier = assuranceTier;
    this.#open = open;
  }

  /** Looks for the signer now. Throws what opening throws; the next signature looks again. */
  async reach(): Promise<void> {
    await this.#reached();
  }

  /** Throws what opening and signing throw, and `signer-closed`. */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    // What is signed is what was asked for, whatever becomes of the caller's bytes meanwhile.
    const copy = message.slice();
    const signer = await this.#reached();
    return await signer.sign(copy);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.close();
  }

  /** Who asks meanwhile waits for the same attempt. */
  #reached(): Promise<RemoteSigner> {
    if (this.#closed) return Promise.reject(new Problem("signer-closed", "the signer was closed"));
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}
