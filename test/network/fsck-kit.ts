import { join } from "node:path";
import { concatBytes } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { ingestBatch } from "../../network/ingest.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { openSqliteStore, type SqliteStore } from "../../network/store/sqlite-store.ts";
import { bytesOf, fallingReading, shortLog, signedHistory } from "../attest/fault-forge.ts";
import { device as accused, openedLog } from "../attest/fault-kit.ts";
import { openEpoch } from "../attest/fault-world.ts";
import { FakeDevice, NETWORK, START_MS, seedOf } from "../kit/device.ts";
import type { LogBuilder } from "../kit/log-builder.ts";

export const nodeSigner: LocalSigner = nativeSigner(seedOf(200));

/** A node without sockets: the store, and what takes batches into it. */
export class Intake {
  readonly path: string;
  readonly store: SqliteStore;
  readonly #context: Parameters<typeof ingestBatch>[0];
  #nowMs = START_MS;

  constructor(folder: string, signer: LocalSigner = nodeSigner) {
    this.path = join(folder, "node.sqlite");
    this.store = openSqliteStore(nativeSuite, {
      path: this.path,
      network: NETWORK,
      maxBytes: 64 * 1_048_576,
    });
    this.#context = {
      ...{ network: NETWORK, suite: nativeSuite, signer, store: this.store },
      ...{ rules: new RulesCache(nativeSuite, 4), nowMs: () => this.#nowMs++ },
    };
  }

  /** The receipt. */
  take(key: Uint8Array, batch: BatchMessage): Promise<Uint8Array> {
    return ingestBatch(this.#context, { key, agentVersion: "1.0.0" }, batch);
  }

  /** The code of the refusal, or "accepted". */
  async code(key: Uint8Array, batch: BatchMessage): Promise<string> {
    try {
      await this.take(key, batch);
      return "accepted";
    } catch (thrown) {
      if (thrown instanceof Problem) return thrown.code;
      throw thrown;
    }
  }
}

/** Takes a receipt up into a device's log. */
export function anchor(device: FakeDevice, receipt: Uint8Array, nodeKey: Uint8Array): void {
  const { size, receivedAtMs } = openReceipt(nativeSuite, receipt, nodeKey);
  device.append({
    ...{ kind: "anchor", nodeKey, receiptHash: nativeSuite.sha256(receipt), receivedAtMs, receiptSize: size },
    ...{ timeMs: device.nowMs, timeQuality: 3 },
  });
}

/**
 * A store as a node writes it: a device in two epochs, with anchors of this and of another node and a checkpoint that came
 * late; and one that was caught at every kind of fault.
 */
export async function writtenStore(folder: string): Promise<string> {
  const intake = new Intake(folder);
  await honest(intake);
  await guilty(intake);
  await intake.store.close();
  return intake.path;
}

async function honest(intake: Intake): Promise<void> {
  const device = new FakeDevice({ seed: seedOf(3) }).open().read(30);
  const key = device.signer.publicKey;
  const early = await device.batch(0);
  const first = await intake.take(key, await device.read(230).batch(0));
  await intake.take(key, early);
  anchor(device, first, nodeSigner.publicKey);
  const strange = nativeSigner(seedOf(201));
  const { manifestHash, size, root } = openReceipt(nativeSuite, first, nodeSigner.publicKey);
  const elsewhere = { manifestHash, size, root, receivedAtMs: START_MS, ruleVersion: RULE_VERSION };
  anchor(device, await signReceipt(strange, elsewhere), strange.publicKey);
  device.read(40).replaceMeter();
  const last = await intake.take(key, await device.read(30).batch());
  const { size: oldSize, root: oldRoot } = openReceipt(nativeSuite, last, nodeSigner.publicKey);
  const later = new FakeDevice({ seed: seedOf(3), epoch: 2 });
  Object.assign(later, { nowMs: device.nowMs, importMwh: device.importMwh });
  later.open({ oldLogId: device.rules.logId, oldSize, oldRoot }).read(20);
  anchor(later, await intake.take(key, await later.batch()), nodeSigner.publicKey);
  await intake.take(key, await later.read(20).batch());
}

/** These leaves from `firstSeq` on, under a checkpoint that the device has signed over all of them. */
async function signed(log: LogBuilder, leaves: readonly Uint8Array[], firstSeq = 0): Promise<BatchMessage> {
  const { checkpoint } = await signedHistory(log, leaves);
  const { epoch } = log.rules.identity;
  return { type: "batch", epoch, firstSeq, leaves: concatBytes(...leaves.slice(firstSeq)), checkpoint };
}

/** A false leaf, a fork of which no file can be made, one with a file, and a checkpoint in a closed epoch. */
async function guilty(intake: Intake): Promise<void> {
  const refusals: string[] = [];
  const send = async (batch: BatchMessage): Promise<void> => {
    refusals.push(await intake.code(accused.publicKey, batch));
  };
  const [log, other] = [shortLog(), shortLog()];
  await send(await signed(log, bytesOf(log)));
  const firstSeq = log.leaves.length;
  const falling = [...bytesOf(log), log.place(fallingReading(log)).bytes];
  await send(await signed(log, falling, firstSeq));
  for (const importMwh of [2_000_000, 3_000_000]) log.read({ importMwh });
  await send(await signed(log, bytesOf(log), firstSeq));
  other.read({ importMwh: 4_000_000 });
  await send(await signed(other, bytesOf(other), other.leaves.length));
  other.read({ importMwh: 5_000_000 });
  await send(await signed(other, bytesOf(other)));
  await log.checkpoint();
  const later = openedLog({ epoch: 2 });
  openEpoch(later, log, true);
  await send(await signed(later, bytesOf(later)));
  log.read({ importMwh: 6_000_000 });
  await send(await signed(log, bytesOf(log)));
  const wanted = ["accepted", "register-drop", "accepted", "fork", "fork", "accepted", "epoch-closed"];
  if (refusals.join() !== wanted.join()) throw new Error(`the node said ${refusals.join(", ")}`);
}
