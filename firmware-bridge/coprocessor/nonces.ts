import { toHex } from "../../attest/bytes.ts";
import type { Suite } from "../../attest/suite.ts";

/** R, the first half of a signature (RFC 8032, 5.1.6). */
const COMMITMENT_BYTES = 32;
/** A nonce that does not depend on all of the message shows within a few statements of a device, which are much alike. */
const MOST_REMEMBERED = 1024;

/** R of a signature, as hexadecimal text. */
export function commitmentOf(signature: Uint8Array): string {
  return toHex(signature.subarray(0, COMMITMENT_BYTES));
}

/**
 * The first halves of one key's signatures. Two signatures over different messages that share it were made with one nonce,
 * and whoever has both computes the key.
 */
export class SeenNonces {
  readonly #suite: Pick<Suite, "sha256">;
  /** Hash of the message behind each first half, the oldest first. */
  readonly #messages = new Map<string, string>();

  constructor(suite: Pick<Suite, "sha256">) {
    this.#suite = suite;
  }

  /** Remembers a signature of 64 bytes; false where one over another message began alike. */
  isFresh(signature: Uint8Array, message: Uint8Array): boolean {
    const half = commitmentOf(signature);
    const digest = toHex(this.#suite.sha256(message));
    const known = this.#messages.get(half);
    if (known !== undefined) return known === digest;
    const [oldest] = this.#messages.keys();
    if (this.#messages.size === MOST_REMEMBERED && oldest !== undefined) this.#messages.delete(oldest);
    this.#messages.set(half, digest);
    return true;
  }
}
