import { existsSync } from "node:fs";
import { equalBytes, toHex } from "../../../attest/bytes.ts";
import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { logIdOf } from "../../../attest/identity.ts";
import type { Tombstone } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { openReceipt } from "../../../attest/receipt.ts";
import { fsck } from "./fsck.ts";
import { type EpochHistory, readJournal, readStore } from "./histories.ts";
import { MerkleLog } from "./merkle.ts";
import { NETWORK } from "./site.ts";

/** Files and keys of the two sides. */
export interface Sides {
  readonly journal: string;
  readonly store: string;
  readonly deviceKey: Uint8Array;
  readonly nodeKey: Uint8Array;
}

/** What was found, over all looks. */
export interface Findings {
  /** Leaves that some receipt covers. */
  acknowledged: number;
  /** Of these, readings (other leaves are closes, manifests, anchors). */
  lost: number;
  forks: number;
  fsckRuns: number;
  unsound: number;
  /** What was wrong, in words; the first ones. */
  readonly problems: string[];
}

const MOST_PROBLEMS = 20;

interface Known {
  /** Leaves under a receipt, from 0 on without a hole. */
  readonly leaves: Uint8Array[];
  readonly tree: MerkleLog;
  readonly lost: Set<number>;
}

/**
 * Remembers everything that was ever signed or receipted, and holds what both sides hold after each fault against it:
 * nothing that a receipt covers is gone or another one, no size of a log has two roots, both files are sound.
 */
export class Witness {
  readonly findings: Findings = {
    ...{ acknowledged: 0, lost: 0, forks: 0, fsckRuns: 0, unsound: 0 },
    problems: [],
  };
  readonly #roots = new Map<string, string>();
  readonly #checked = new Set<string>();
  readonly #known = new Map<number, Known>();

  /** Looks at both files, which may be in use, and has those of `checked` go through fsck. */
  async look(sides: Sides, checked: readonly ("journal" | "store")[] = ["journal", "store"]): Promise<void> {
    for (const side of checked) await this.#fsck(sides[side], sides);
    const store = existsSync(sides.store) ? readStore(sides.store, sides.deviceKey) : [];
    const journal = existsSync(sides.journal) ? readJournal(sides.journal) : [];
    for (const history of store) this.#takeStore(history, sides);
    for (const history of journal) this.#takeJournal(history, sides);
    for (const [epoch, known] of this.#known) {
      const at = (histories: readonly EpochHistory[]): EpochHistory | undefined =>
        histories.find((history) => history.epoch === epoch);
      this.#requireHeld(known, at(store), `the store's epoch ${epoch}`);
      const own = at(journal);
      this.#requireHeld(known, own, `the journal's epoch ${epoch}`, own && releasedIn(own));
    }
  }

  /** A checkpoint seen anywhere else, such as on the wire. */
  signed(bytes: Uint8Array, epoch: number, sides: Pick<Sides, "deviceKey">): void {
    const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey: sides.deviceKey, epoch });
    const id = toHex(bytes);
    if (this.#checked.has(id)) return;
    this.#checked.add(id);
    try {
      const { size, root } = openCheckpoint(nativeSuite, bytes, { deviceKey: sides.deviceKey, logId });
      this.#root(epoch, size, root);
    } catch (cause) {
      this.problem(`a checkpoint of epoch ${epoch} cannot be opened: ${String(cause)}`);
    }
  }

  /** A leaf that should be there is not. */
  lost(text: string): void {
    this.findings.lost += 1;
    this.problem(text);
  }

  problem(text: string): void {
    if (this.findings.problems.length < MOST_PROBLEMS) this.findings.problems.push(text);
  }

  /** Leaves under a receipt, by epoch: what can be counted. */
  acknowledged(): ReadonlyMap<number, readonly Uint8Array[]> {
    return new Map([...this.#known].map(([epoch, { leaves }]) => [epoch, leaves]));
  }

  async #fsck(path: string, { deviceKey, nodeKey }: Sides): Promise<void> {
    if (!existsSync(path)) return;
    this.findings.fsckRuns += 1;
    const trust = { deviceKeys: [deviceKey], nodeKeys: [nodeKey], network: NETWORK };
    const found = await fsck({ path, options: { ...trust, most: 3 } });
    // A program that was killed before its first table was made has left a file that holds nothing.
    const real = found.filter(({ code, message }) => !isUnwritten(code, message));
    if (real.length === 0) return;
    this.findings.unsound += 1;
    for (const { code, message } of real) this.problem(`fsck ${path}: ${code}: ${message}`);
  }

  /** All that a store holds is under a receipt, which is as durable as the leaves. */
  #takeStore(history: EpochHistory, sides: Sides): void {
    this.#acknowledge(history, Math.max(0, ...history.receipts.map(({ size }) => size)));
    this.#takeSigned(history, sides);
  }

  #takeJournal(history: EpochHistory, sides: Sides): void {
    const ours = history.receipts.filter(
      ({ nodeKey }) => nodeKey === undefined || equalBytes(nodeKey, sides.nodeKey),
    );
    this.#acknowledge(history, Math.max(0, ...ours.map(({ size }) => size)));
    this.#takeSigned({ ...history, receipts: ours }, sides);
  }

  #acknowledge({ epoch, leaves }: EpochHistory, size: number): void {
    const known = this.#known.get(epoch) ?? { leaves: [], tree: new MerkleLog(), lost: new Set() };
    this.#known.set(epoch, known);
    for (let seq = known.leaves.length; seq < size; seq++) {
      const leaf = leaves.get(seq);
      if (leaf === undefined) {
        this.lost(`leaf ${seq} of epoch ${epoch} is under a receipt and not there`);
        return;
      }
      known.leaves.push(leaf);
      known.tree.push(leaf);
      this.findings.acknowledged += 1;
    }
  }

  #takeSigned({ epoch, checkpoints, receipts }: EpochHistory, sides: Sides): void {
    for (const { bytes } of checkpoints) this.signed(bytes, epoch, sides);
    for (const { bytes, size } of receipts) {
      const id = toHex(bytes);
      if (this.#checked.has(id)) continue;
      this.#checked.add(id);
      const receipt = openReceipt(nativeSuite, bytes, sides.nodeKey);
      if (receipt.size !== size) this.problem(`a receipt over ${receipt.size} leaves stands at ${size}`);
      this.#root(epoch, receipt.size, receipt.root);
      const own = this.#known.get(epoch)?.tree.root(size);
      if (own !== undefined && !equalBytes(own, receipt.root))
        this.problem(
          `the receipt over ${size} leaves of epoch ${epoch} is not over the leaves that are held`,
        );
    }
  }

  #root(epoch: number, size: number, root: Uint8Array): void {
    const place = `${epoch}/${size}`;
    const seen = this.#roots.get(place);
    this.#roots.set(place, seen ?? toHex(root));
    if (seen === undefined || seen === toHex(root)) return;
    this.findings.forks += 1;
    this.problem(`size ${size} of epoch ${epoch} was signed with two roots, ${seen} and ${toHex(root)}`);
  }

  /** @param mayMiss whether the log itself says that the leaf was released there */
  #requireHeld(
    { leaves, lost }: Known,
    history: EpochHistory | undefined,
    where: string,
    mayMiss: (seq: number, leaf: Uint8Array) => boolean = () => false,
  ): void {
    for (const [seq, leaf] of leaves.entries()) {
      const held = history?.leaves.get(seq);
      if (held !== undefined && equalBytes(held, leaf)) continue;
      if (lost.has(seq) || (held === undefined && mayMiss(seq, leaf))) continue;
      lost.add(seq);
      const now = held === undefined ? "gone from" : "another in";
      this.lost(`leaf ${seq} was acknowledged and is ${now} ${where}`);
    }
  }
}

/** Which leaves a journal may have let go: readings that its tombstones name. */
function releasedIn({ leaves }: EpochHistory): (seq: number, leaf: Uint8Array) => boolean {
  let tombstones: readonly Tombstone[] | undefined;
  return (seq, leaf) => {
    tombstones ??= [...leaves.values()].map(decodeLeaf).filter((one) => one.kind === "tombstone");
    const isNamed = tombstones.some(({ firstSeq, count }) => seq >= firstSeq && seq < firstSeq + count);
    return isNamed && decodeLeaf(leaf).kind === "reading";
  };
}

function isUnwritten(code: string, message: string): boolean {
  return (
    (code === "fsck-file" && message.includes("an empty file")) ||
    message.includes("nothing has been written yet")
  );
}
