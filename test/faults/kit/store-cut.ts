import { copyFileSync } from "node:fs";
import Database from "better-sqlite3";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { LogRules } from "../../../attest/log-rules.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { readStore } from "./histories.ts";
import { NETWORK } from "./site.ts";

/** Leaves of a complete subtree whose hash is stored. */
const SUBTREE_LEAVES = 256;
const CUT = [
  "DELETE FROM batch WHERE first_seq >= :size",
  "DELETE FROM checkpoint WHERE size > :size",
  "DELETE FROM mark WHERE seq >= :size",
  "DELETE FROM anchor WHERE seq >= :size",
  `DELETE FROM subtree WHERE (place + 1) * ${SUBTREE_LEAVES} > :size`,
];

/**
 * A node's store as it stood when it had taken the first `size` leaves of the only log. `source` is of a node that was
 * stopped, `size` one that it has a checkpoint of, or 0.
 */
export function cutStore(
  source: string,
  target: string,
  cut: { readonly size: number; readonly rules: string },
): void {
  copyFileSync(source, target);
  const database = new Database(target);
  try {
    database.pragma("foreign_keys = ON");
    database.transaction(() => {
      for (const sql of CUT) database.prepare(sql).run({ size: cut.size });
      if (cut.size > 0) database.prepare("UPDATE log SET size = :size, rules = :rules").run(cut);
      else for (const table of ["log", "device"]) database.prepare(`DELETE FROM ${table}`).run();
    })();
  } finally {
    database.close();
  }
}

/** What the rules remember behind the first `size` leaves, for each size that the store has a checkpoint of. */
export function rulesAt(store: string, deviceKey: Uint8Array): ReadonlyMap<number, string> {
  const [history] = readStore(store, deviceKey);
  if (history === undefined) return new Map();
  const rules = new LogRules(nativeSuite, { network: NETWORK, deviceKey, epoch: history.epoch });
  const sizes = new Set(history.checkpoints.map(({ size }) => size));
  const texts = new Map<number, string>();
  for (const bytes of history.leaves.values()) {
    rules.apply(decodeLeaf(bytes), bytes);
    if (sizes.has(rules.size)) texts.set(rules.size, rules.toText());
  }
  return texts;
}
