import { equalBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { Frontier, HASH_BYTES } from "../../attest/tree.ts";
import { bytesOf, type Findings, guarded, placeOf, type Rows } from "../../runtime/fsck-rows.ts";

const HINT = "keep the file; the leaves stand under their signed roots, only proofs suffer";

/** Holds the hashes stored over each 256 leaves of a log against those leaves. */
export class SubtreeCheck {
  readonly #rows: Rows;
  readonly #log: number;
  #block = new Frontier(nativeSuite);

  constructor(rows: Rows, log: number) {
    this.#rows = rows;
    this.#log = log;
  }

  /** The next leaves by their hashes, 32 bytes each, without a hole from leaf 0 on. */
  *add(from: number, hashes: Uint8Array): Findings {
    const end = from + hashes.length / HASH_BYTES;
    for (let at = from; at < end; ) {
      const place = Math.floor(at / STORED_SUBTREE_LEAVES);
      const to = Math.min(end, (place + 1) * STORED_SUBTREE_LEAVES);
      this.#block.appendAll(hashes.subarray(HASH_BYTES * (at - from), HASH_BYTES * (to - from)));
      at = to;
      if (to % STORED_SUBTREE_LEAVES > 0) continue;
      const root = this.#block.root();
      this.#block = new Frontier(nativeSuite);
      yield* guarded(() => this.#require(place, root));
    }
  }

  #require(place: number, root: Uint8Array): void {
    const where = placeOf("subtree", { log: this.#log, place });
    const row = this.#rows.one("subtree", { log: this.#log, place });
    const stored = row && bytesOf(row, "hash", where);
    if (stored !== undefined && equalBytes(stored, root)) return;
    const first = place * STORED_SUBTREE_LEAVES;
    throw new Problem("fsck-subtree", "the hash stored over these leaves is not theirs", {
      where: `${where}, leaves ${first} to ${first + STORED_SUBTREE_LEAVES - 1}`,
      expected: toHex(root),
      got: stored === undefined ? "nothing" : toHex(stored),
      hint: HINT,
    });
  }
}
