import { existsSync } from "node:fs";
import { equalBytes, toHex } from "../../../attest/bytes.ts";
import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { logIdOf } from "../../../attest/identity.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { fsck } from "../kit/fsck.ts";
import { type EpochHistory, readJournal, readStore } from "../kit/histories.ts";
import { NETWORK } from "../kit/site.ts";
import type { Findings } from "../kit/witness.ts";

/** The leaf of one epoch at one place, by which it is told from every other one. */
type Place = string;

/** One file, and whose it must be. */
export interface OneSide {
  readonly kind: "journal" | "store";
  readonly path: string;
  readonly deviceKey: Uint8Array;
  /** Nodes whose receipts may stand in it. */
  readonly nodeKeys: readonly Uint8Array[];
}

/** Something signed twice otherwise: of one epoch and size, with two roots. */
export interface Fork {
  readonly epoch: number;
  readonly size: number;
}

const MOST_PROBLEMS = 20;

/**
 * What was ever acknowledged and signed, where files are put back from copies or exist twice, so that no single one of them
 * need hold everything: a leaf may be gone from one side as long as the other side still has it.
 */
export class FileRecord {
  readonly findings: Findings = {
    ...{ acknowledged: 0, lost: 0, forks: 0, fsckRuns: 0, unsound: 0 },
    problems: [],
  };
  readonly forks: Fork[] = [];
  readonly #acknowledged = new Map<Place, Uint8Array>();
  readonly #roots = new Map<Place, string>();
  readonly #checked = new Set<string>();

  problem(text: string): void {
    if (this.findings.problems.length < MOST_PROBLEMS) this.findings.problems.push(text);
  }

  /** Reads the file and remembers what is acknowledged in it; with `check` it goes through fsck first. */
  async look(side: OneSide, { check = true }: { readonly check?: boolean } = {}): Promise<EpochHistory[]> {
    if (!existsSync(side.path)) return [];
    if (check) await this.#fsck(side);
    const histories = historiesOf(side);
    for (const history of histories) {
      for (const { size, bytes } of history.checkpoints) this.#signed(history.epoch, { size, bytes, side });
      const receipted = Math.max(0, ...history.receipts.map(({ size }) => size));
      for (const [seq, leaf] of history.leaves)
        if (seq < receipted) this.#acknowledge(`${history.epoch}/${seq}`, leaf);
    }
    return histories;
  }

  /** Everything that was ever acknowledged must stand in one of these files. */
  requireHeld(sides: readonly OneSide[]): void {
    const held = new Map<Place, Uint8Array[]>();
    for (const { epoch, leaves } of sides.flatMap(historiesOf))
      for (const [seq, leaf] of leaves) {
        const place = `${epoch}/${seq}`;
        held.set(place, [...(held.get(place) ?? []), leaf]);
      }
    const lost = [...this.#acknowledged].filter(
      ([place, leaf]) => !(held.get(place) ?? []).some((other) => equalBytes(other, leaf)),
    );
    this.findings.lost += lost.length;
    if (lost.length > 0)
      this.problem(`${lost.length} leaves were acknowledged and are gone, the first ${lost[0]?.[0]}`);
  }

  #acknowledge(place: Place, leaf: Uint8Array): void {
    if (this.#acknowledged.has(place)) return;
    this.#acknowledged.set(place, leaf);
    this.findings.acknowledged += 1;
  }

  async #fsck({ path, deviceKey, nodeKeys }: OneSide): Promise<void> {
    this.findings.fsckRuns += 1;
    const options = { deviceKeys: [deviceKey], nodeKeys: [...nodeKeys], network: NETWORK, most: 3 };
    const found = await fsck({ path, options });
    if (found.length === 0) return;
    this.findings.unsound += 1;
    for (const { code, message } of found) this.problem(`fsck ${path}: ${code}: ${message}`);
  }

  #signed(
    epoch: number,
    { size, bytes, side }: { readonly size: number; readonly bytes: Uint8Array; readonly side: OneSide },
  ): void {
    const id = toHex(bytes);
    if (this.#checked.has(id)) return;
    this.#checked.add(id);
    const { deviceKey } = side;
    const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch });
    const root = toHex(openCheckpoint(nativeSuite, bytes, { deviceKey, logId }).root);
    const place = `${epoch}/${size}`;
    const seen = this.#roots.get(place);
    this.#roots.set(place, seen ?? root);
    if (seen !== undefined && seen !== root) this.forks.push({ epoch, size });
  }
}

/** All leaves under a receipt in that file, by epoch, ascending. */
export function acknowledgedIn(side: OneSide): (readonly Leaf[])[] {
  return historiesOf(side).map(({ leaves, receipts }) => {
    const receipted = Math.max(0, ...receipts.map(({ size }) => size));
    return [...leaves].filter(([seq]) => seq < receipted).map(([, bytes]) => decodeLeaf(bytes));
  });
}

function historiesOf({ kind, path, deviceKey }: OneSide): EpochHistory[] {
  return kind === "journal" ? readJournal(path) : readStore(path, deviceKey);
}
