import { expect } from "vitest";
import { compareBytes, concatBytes, equalBytes, toHex } from "../../../attest/bytes.ts";
import { decodeFault, type Fault, isFaultFile, splitObjects } from "../../../attest/fault.ts";
import { verifyFault } from "../../../attest/fault-verify.ts";
import type { IntervalClose, Leaf } from "../../../attest/leaf.ts";
import { decodeLeafAt } from "../../../attest/leaf-codec.ts";
import { decodeMessage } from "../../../attest/messages.ts";
import { buildCutMultiproof } from "../../../attest/multiproof.ts";
import { decodeProof, joinHashes, type ProofPart } from "../../../attest/proof.ts";
import { verifyProof } from "../../../attest/proof-verify.ts";
import { openReceiptSize, receiptKeyHint } from "../../../attest/receipt.ts";
import { judge } from "../../../attest/verdict.ts";
import type { LogBuilder, StoredCheckpoint } from "../../kit/log-builder.ts";
import type { Evidence } from "./evidence.ts";
import { objectsOfRecord } from "./verifiers.ts";
import { newest } from "./world.ts";

/**
 * What was really said in a world. Whatever a verifier takes without any key at hand must be made of that: signed
 * objects that were signed, leaves that are in the logs, all of them that the claim needs and no others, and energy
 * that the meter showed.
 */
export class Truth {
  readonly #evidence: Evidence;
  readonly #logs: readonly LogBuilder[];
  readonly #signed: ReadonlySet<string>;

  constructor(evidence: Evidence) {
    const { world, life, hellos } = evidence;
    const { rotations, ...single } = life;
    this.#evidence = evidence;
    this.#logs = [world.first, world.second, world.neighbour, world.elsewhere, world.forked];
    const objects = this.#logs.flatMap(({ checkpoints }) =>
      checkpoints.flatMap(({ bytes, receipts }) => [bytes, ...receipts]),
    );
    const all = [...objects, ...rotations, ...Object.values(single), ...Object.values(hellos)];
    this.#signed = new Set(all.map(toHex));
  }

  /** Whichever check the bytes call for. */
  require(bytes: Uint8Array): void {
    if (bytes[0] === 0xd2) this.#requireObject(bytes);
    else if (isFaultFile(bytes)) this.#requireFault(bytes);
    else if (bytes[1] === 0 && bytes[2] === 5) this.#requireBatch(bytes);
    else if (bytes[1] === 0) this.#requireProof(bytes);
    else this.#requireRecord(objectsOfRecord(bytes));
  }

  #requireObject(bytes: Uint8Array): void {
    if (!this.#signed.has(toHex(bytes))) expect(toHex(bytes)).toBe("signed");
  }

  #requireRecord(objects: readonly Uint8Array[]): void {
    for (const object of objects) this.#requireObject(object);
    const { statement, countersignature, otherStatement, otherCountersignature } = this.#evidence.life;
    const [first = statement, second = statement] = objects;
    const other = equalBytes(first, otherStatement);
    expect(toHex(second)).toBe(toHex(other ? otherCountersignature : countersignature));
  }

  #requireBatch(bytes: Uint8Array): void {
    const batch = decodeMessage(bytes);
    if (batch.type !== "batch") throw new Error("not a batch");
    const { log, stored } = this.#signedLog(batch.checkpoint);
    const said = log.leaves.slice(0, stored.checkpoint.size).map(({ bytes: leaf }) => leaf);
    expect(toHex(batch.leaves)).toBe(toHex(concatBytes(...said)));
  }

  #requireProof(bytes: Uint8Array): void {
    const { suite } = this.#evidence.world;
    const { parts, enrolment } = decodeProof(bytes);
    if (enrolment !== undefined) this.#requireRecord(enrolment);
    const shown = parts.map((part, at) => this.#requirePart(part, at > 0));
    // The second epoch goes on where the first log's last checkpoint ends; nothing else goes on anywhere.
    if (parts.length > 1) {
      const { first, second } = this.#evidence.world;
      expect(shown.map((log) => log.rules.logId)).toEqual([first, second].map(({ rules }) => rules.logId));
      expect(toHex(parts[0]?.checkpoint ?? bytes)).toBe(toHex(newest(first).bytes));
    }
    const verdict = judge(suite, verifyProof(suite, bytes), { deviceKeys: [], nodeKeys: [], witnesses: 1 });
    if (verdict.claim !== "energy") return;
    const counted = parts.map((part, at) => wholeWh(shown[at], leavesIn(part.leaves)));
    expect(verdict.import?.wh).toBe(counted.reduce((sum, wh) => sum + wh));
  }

  /** Everything in a part is of the log that its checkpoint signs, in order, and nothing is there that is not needed. */
  #requirePart(part: ProofPart, isLater: boolean): LogBuilder {
    const { log, stored } = this.#signedLog(part.checkpoint);
    const { receipts = [], anchoredReceipts = [] } = part;
    const own = new Set(log.checkpoints.flatMap((other) => other.receipts).map(toHex));
    for (const receipt of [...receipts, ...anchoredReceipts]) expect(own.has(toHex(receipt))).toBe(true);
    expect(receipts).toEqual(receipts.toSorted(inOrder));
    expect(new Set(receipts.map(toHex)).size).toBe(receipts.length);
    const leaves = leavesIn(part.leaves);
    const manifests = leavesIn(part.manifests);
    for (const { leaf, hex } of [...leaves, ...manifests])
      expect(toHex(log.leaves[leaf.seq]?.bytes ?? part.leaves)).toBe(hex);
    const cuts = new Set(receipts.map(openReceiptSize).filter((size) => size < stored.checkpoint.size));
    const over = {
      size: stored.checkpoint.size,
      indices: leaves.map(({ leaf }) => leaf.seq),
      cuts: [...cuts],
    };
    expect(toHex(part.hashes)).toBe(toHex(joinHashes(buildCutMultiproof(log.proofSource().tree(), over))));
    requireManifests(manifests, leaves);
    requireNeeded(log, leaves, isLater);
    return log;
  }

  /** Whose log a checkpoint signs. */
  #signedLog(checkpoint: Uint8Array): { readonly log: LogBuilder; readonly stored: StoredCheckpoint } {
    for (const log of this.#logs) {
      const stored = log.checkpoints.find(({ bytes }) => equalBytes(bytes, checkpoint));
      if (stored !== undefined) return { log, stored };
    }
    throw new Error("no device has signed this checkpoint");
  }

  #requireFault(bytes: Uint8Array): void {
    const { suite, people } = this.#evidence.world;
    const fault = decodeFault(bytes);
    for (const object of objectsOfFault(fault)) this.#requireObject(object);
    if (fault.fault === "key" && fault.statement !== undefined)
      this.#requireRecord([fault.statement, fault.countersignature ?? fault.statement]);
    const proven = verifyFault(suite, bytes);
    const { deviceKey, epoch } = proven.identity;
    // The neighbour has done nothing wrong; the device signed a forked log in epoch 1.
    if (proven.fault !== "key")
      expect([toHex(deviceKey), epoch]).toEqual([toHex(people.device.publicKey), 1]);
  }
}

/** By size, then by the node's key. */
export function inOrder(a: Uint8Array, b: Uint8Array): number {
  return openReceiptSize(a) - openReceiptSize(b) || compareBytes(receiptKeyHint(a), receiptKeyHint(b));
}

interface Shown {
  readonly leaf: Leaf;
  readonly hex: string;
}

function leavesIn(bytes: Uint8Array): readonly Shown[] {
  const leaves: Shown[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    leaves.push({ leaf, hex: toHex(bytes.subarray(at, end)) });
    at = end;
  }
  return leaves;
}

function closesIn(leaves: readonly { readonly leaf: Leaf }[]): readonly IntervalClose[] {
  return leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
}

/** The log's manifest, then those that something in the part names, each once. */
function requireManifests(manifests: readonly Shown[], leaves: readonly Shown[]): void {
  const seqs = manifests.map(({ leaf }) => leaf.seq);
  const named = leaves.flatMap(({ leaf }) => ("manifestSeq" in leaf ? [leaf.manifestSeq] : []));
  expect(seqs).toEqual([...new Set([0, ...seqs])].sort((a, b) => a - b));
  for (const seq of seqs.slice(1)) expect(named).toContain(seq);
}

/** Closes with all that broke the count between them, or one flexibility reading; anchors below; what opened a later epoch. */
function requireNeeded(log: LogBuilder, shown: readonly Shown[], isLater: boolean): void {
  const leaves = shown.map(({ leaf }) => leaf);
  const closes = closesIn(shown);
  const flexible = leaves.filter(({ kind }) => kind === "flexibility");
  const [first, last] = [closes[0], closes.at(-1)];
  const breaks = log.leaves.flatMap(({ leaf }) =>
    leaf.kind === "discontinuity" && leaf.channel === first?.channel ? [leaf.seq] : [],
  );
  const between = breaks.filter((seq) => first && last && seq > first.seq && seq < last.seq);
  expect(leaves.filter(({ kind }) => kind === "discontinuity").map(({ seq }) => seq)).toEqual(between);
  expect(leaves.some(({ kind }) => kind === "epochOpen")).toBe(isLater);
  expect(flexible.length).toBe(closes.length === 0 ? 1 : 0);
  const anchors = leaves.filter(({ kind }) => kind === "anchor");
  const end = flexible[0]?.seq ?? last?.closingSeq ?? 0;
  for (const { seq } of anchors) expect(seq).toBeLessThan(end);
  const counted = anchors.length + between.length + closes.length + flexible.length + (isLater ? 1 : 0);
  expect(leaves.length).toBe(counted);
}

/** Whole Wh over all closes of the channel from the first shown to the last; they add up within a chain. */
function wholeWh(log: LogBuilder | undefined, shown: readonly Shown[]): number {
  const closes = closesIn(shown);
  const [from, to] = [closes[0], closes.at(-1)];
  const all = closesIn(log?.leaves ?? []).filter(
    ({ seq, channel }) => channel === from?.channel && seq >= from.seq && seq <= (to?.seq ?? 0),
  );
  const whole = (mwh = 0): number => Math.floor(mwh / 1000);
  return all.reduce((sum, close) => sum + whole(close.closingImportMwh) - whole(close.openingImportMwh), 0);
}

function objectsOfFault(fault: Fault): readonly Uint8Array[] {
  if (fault.fault === "fork") return [fault.checkpoint, fault.otherCheckpoint];
  if (fault.fault === "two-epochs") return [fault.checkpoint, fault.laterCheckpoint];
  if (fault.fault === "false-leaf") return [fault.checkpoint];
  const { checkpoint, statement, countersignature, rotations, revocations = [] } = fault;
  const record = [statement, countersignature].flatMap((object) => object ?? []);
  return [checkpoint, ...record, ...splitObjects(rotations ?? new Uint8Array(0)), ...revocations];
}
