import { toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import { buildSettlementProof } from "../../attest/flexibility/proof-build.ts";
import { verifySettlement } from "../../attest/flexibility/proof-verify.ts";
import { isoTime } from "../../attest/iso-time.ts";
import type { Commitment } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { HeldEpoch } from "../journal/held-epochs.ts";
import type { JournalReader } from "../journal/journal-reader.ts";
import { journalProofSource } from "../journal/proof-source.ts";

interface Held {
  readonly leaf: Commitment;
  readonly held: HeldEpoch;
}

/** A settlement proof that is ready to be written, and what to say of it. */
export interface ProvenCommitment {
  readonly bytes: Uint8Array;
  readonly words: readonly string[];
  readonly facts: object;
  /** The node that ordered it: without it nothing in the file counts. */
  readonly nodeKey: string;
}

const WHOLE_NUMBER = /^\d{1,16}$/;

/** The commitments of the journal, oldest first, a line or a JSON object each. */
export function commitmentLines(
  journal: JournalReader,
  epochs: readonly HeldEpoch[],
  json: boolean,
): readonly string[] {
  return commitmentsOf(journal, epochs).map(({ leaf, held }) => {
    const { epoch } = held.identity;
    const { seq, fromMs, deltaMwh } = leaf;
    const toMs = endOf(leaf);
    const channel = nameOf(held, leaf.channel);
    const totalMwh = deltaMwh.reduce((total, delta) => total + delta, 0);
    if (json) return JSON.stringify({ commitment: seq, epoch, channel, fromMs, toMs, deltaMwh });
    const span = `${isoTime(fromMs)} to ${isoTime(toMs)}`;
    return `${String(seq).padStart(10)}  ${channel.padEnd(20)} ${span}  ${Math.round(totalMwh / 1000)} Wh, epoch ${epoch}`;
  });
}

/**
 * The settlement proof of the commitment at leaf `asked`, which was verified. Throws `commitment-missing` for what is none,
 * and what building and verifying throw.
 */
export function proveCommitment(
  journal: JournalReader,
  epochs: readonly HeldEpoch[],
  asked: string,
): ProvenCommitment {
  const { leaf, held } = commitmentAt(commitmentsOf(journal, epochs), asked);
  const { identity } = held;
  const list = journal.dispatchList(identity.epoch, leaf.seq);
  const bytes = buildSettlementProof(journalProofSource(journal, identity), {
    commitmentSeq: leaf.seq,
    ...(list === undefined ? {} : { list }),
  });
  verifySettlement(nativeSuite, bytes);
  const channel = nameOf(held, leaf.channel);
  const missing = "it holds no list of dispatches: the node has not sent one, and its operator may add it";
  return {
    bytes,
    words: [
      `it settles commitment ${leaf.seq} of ${channel}, ${isoTime(leaf.fromMs)} to ${isoTime(endOf(leaf))}`,
      ...(list === undefined ? [missing] : []),
    ],
    facts: { channel, commitment: leaf.seq, epochs: [identity.epoch], list: list !== undefined },
    nodeKey: toHex(parseObject(leaf.counterparty).kid),
  };
}

function endOf({ fromMs, intervalMs, deltaMwh }: Commitment): number {
  return fromMs + intervalMs * deltaMwh.length;
}

/** Of two epochs with a commitment at the same leaf, the newer one's. */
function commitmentAt(known: readonly Held[], asked: string): Held {
  const found = WHOLE_NUMBER.test(asked)
    ? known.findLast(({ leaf }) => leaf.seq === Number(asked))
    : undefined;
  if (found !== undefined) return found;
  throw new Problem("commitment-missing", "this journal holds no such commitment", {
    where: "--commitment",
    expected: known.map(({ leaf }) => leaf.seq).join(", ") || "a commitment; there is none yet",
    got: asked,
  });
}

function commitmentsOf(journal: JournalReader, epochs: readonly HeldEpoch[]): Held[] {
  return epochs.toReversed().flatMap((held) => {
    const { epoch } = held.identity;
    return journal
      .leavesAt(epoch, journal.lifecycleSeqs(epoch, { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }))
      .filter((leaf) => leaf.kind === "commitment")
      .map((leaf) => ({ leaf, held }));
  });
}

function nameOf({ channels }: HeldEpoch, number: number): string {
  return [...channels].find(([, each]) => each === number)?.[0] ?? String(number);
}
