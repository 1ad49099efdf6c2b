import { createHash } from "node:crypto";

/** The tree hash of RFC 6962, 2.1, written down a second time so that it checks the one of the house. */
export class MerkleLog {
  /** Hashes of complete subtrees, largest first, with the number of leaves of each. */
  readonly #peaks: { readonly count: number; readonly hash: Uint8Array }[] = [];
  readonly #roots: Uint8Array[] = [];

  get size(): number {
    return this.#roots.length;
  }

  push(leaf: Uint8Array): void {
    let peak = { count: 1, hash: sha256(Uint8Array.of(0), leaf) };
    for (let last = this.#peaks.at(-1); last?.count === peak.count; last = this.#peaks.at(-1)) {
      this.#peaks.pop();
      peak = { count: 2 * peak.count, hash: sha256(Uint8Array.of(1), last.hash, peak.hash) };
    }
    this.#peaks.push(peak);
    this.#roots.push(
      this.#peaks.map(({ hash }) => hash).reduceRight((right, left) => sha256(Uint8Array.of(1), left, right)),
    );
  }

  /** Root over the first `size` leaves; undefined while there are not so many. */
  root(size: number): Uint8Array | undefined {
    return this.#roots[size - 1];
  }
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
