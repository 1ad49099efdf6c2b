import { LEAF_KINDS, type Leaf, type Tamper } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import { BatchReader } from "./batch-reader.ts";
import {
  type EarlierEpochs,
  EnclosureBook,
  type EnclosureState,
  type FurtherLeaves,
  tamperLeaves,
} from "./enclosure-book.ts";
import type { Statements } from "./statements.ts";
import type { EnclosureRecord, Enclosures } from "./store.ts";

const KIND = LEAF_KINDS.tamper;
/** Inputs of one device that a question shows; a device that opens epochs can name 8 others in each. */
const MOST_SHOWN = 64;

/** Writes what a log's next leaves say of enclosures, inside the caller's transaction. Most batches say nothing of them. */
export function addEnclosures(statements: Statements, log: number, leaves: readonly Leaf[]): void {
  const said = tamperLeaves(leaves);
  if (said.length > 0) enter(statements, log, said);
}

function enter(statements: Statements, log: number, said: readonly Tamper[]): void {
  const further = statements.get<FurtherLeaves>("enclosure-further", [log]);
  const inputs = statements.all<EnclosureState>("enclosures-of-log", [log]);
  const book = new EnclosureBook(earlierEpochs(statements, log), { inputs, further });
  for (const leaf of said) book.enter(leaf);
  for (const input of new Set(said.map((leaf) => leaf.input))) {
    const state = book.inputs.get(input);
    if (state !== undefined) statements.run("keep-enclosure", { log, ...state });
  }
  if (book.further.leaves !== (further?.leaves ?? 0))
    statements.run("keep-enclosure-further", { log, ...book.further });
}

/** What the device's earlier epochs say, as the store has them. */
export function earlierEpochs(statements: Statements, log: number): EarlierEpochs {
  // Nearly every leaf is younger than all of them: then one question is enough for a batch of any size.
  let lastMs: number | undefined;
  return {
    state: (input) => statements.get<EnclosureState>("enclosure-before", { log, input }),
    hasLeafAt: (timeMs) => {
      lastMs ??= statements.get<{ timeMs: number }>("last-tamper-before", { log, kind: KIND })?.timeMs ?? -1;
      return timeMs <= lastMs && statements.get("tamper-before", { log, timeMs, kind: KIND }) !== undefined;
    },
  };
}

/** Reads the logs of a store that was written before enclosures were kept, one in a transaction, in the order of their epochs. */
export function catchUpEnclosures(statements: Statements): void {
  for (const { log } of statements.all<{ log: number }>("enclosure-backlog", [])) {
    statements.database
      .transaction(() => {
        enter(statements, log, storedTampers(statements, log));
        statements.run("end-enclosure-backlog", [log]);
      })
      .immediate();
  }
}

function storedTampers(statements: Statements, log: number): readonly Tamper[] {
  const reader = new BatchReader(statements, log);
  const seqs = statements.all<{ seq: number }>("tamper-seqs", { log, kind: KIND });
  return tamperLeaves(seqs.flatMap(({ seq }) => readable(reader, seq)));
}

/** A damaged leaf does not keep the node from starting: `kilowitness fsck` says what is wrong with it. */
function readable(reader: BatchReader, seq: number): readonly Leaf[] {
  try {
    return [decodeLeaf(reader.leaf(seq))];
  } catch (cause) {
    if (cause instanceof Problem || cause instanceof RangeError) return [];
    throw cause;
  }
}

/** What the device's logs say of its enclosures: the newest state of each input, newest epochs first. */
export function enclosuresOf(statements: Statements, deviceKey: Uint8Array): Enclosures {
  const inputs = statements.all<EnclosureRecord>("enclosures", { deviceKey, limit: MOST_SHOWN });
  const further = statements.get<FurtherLeaves & { inputs: number }>("enclosures-further", { deviceKey });
  return {
    inputs,
    further: {
      inputs: (further?.inputs ?? 0) - inputs.length,
      ...{ leaves: further?.leaves ?? 0, opened: further?.opened ?? 0 },
    },
  };
}
