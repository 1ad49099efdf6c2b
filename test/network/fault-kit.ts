import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import { judgeFault } from "../../attest/fault-judge.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { ingestBatch } from "../../network/ingest.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import type { SqliteStore } from "../../network/store/sqlite-store.ts";
import type { FaultRecord } from "../../network/store/store.ts";
import { signedHistory } from "../attest/fault-forge.ts";
import { device, suite } from "../attest/fault-kit.ts";
import { NETWORK, START_MS, seedOf } from "../kit/device.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { atEnd, openStore, temporaryFolder } from "./fixture.ts";

/** A node without sockets, and what it keeps of the device that all these tests accuse. */
export interface Court {
  readonly store: SqliteStore;
  /** The refusal's code, or "accepted". */
  readonly send: (batch: BatchMessage, key?: Uint8Array) => Promise<string>;
  readonly faults: () => Promise<readonly FaultRecord[]>;
  /** Changes with every write to the store by anybody. */
  readonly version: () => unknown;
}

export function court(): Court {
  const folder = temporaryFolder();
  const store = openStore(folder);
  const witness = new Database(join(folder, "node.sqlite"), { readonly: true });
  atEnd(() => {
    witness.close();
  });
  let nowMs = START_MS;
  const context = {
    ...{ network: NETWORK, suite, signer: nativeSigner(seedOf(200)), store },
    ...{ rules: new RulesCache(suite, 4), nowMs: () => nowMs++ },
  };
  return {
    store,
    send: (batch, key = device.publicKey) =>
      codeOf(ingestBatch(context, { key, agentVersion: "test" }, batch)),
    faults: () => store.faults(device.publicKey),
    version: () => witness.pragma("data_version", { simple: true }),
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "accepted";
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
}

/** What a batch has beside its leaves. */
export interface Sent {
  readonly firstSeq?: number;
  readonly checkpoint?: Partial<Checkpoint>;
}

/** These leaves from `firstSeq` on, under a checkpoint that the device has signed over all of them. */
export async function signed(
  log: LogBuilder,
  leaves: readonly Uint8Array[],
  { firstSeq = 0, checkpoint: changes }: Sent = {},
): Promise<BatchMessage> {
  const { checkpoint } = await signedHistory(log, leaves, changes);
  return { ...unsigned(log, leaves, firstSeq), checkpoint };
}

/** These leaves under a checkpoint that is over others. */
export function unsigned(log: LogBuilder, leaves: readonly Uint8Array[], firstSeq = 0): BatchMessage {
  const { epoch } = log.rules.identity;
  const checkpoint = new Uint8Array(0);
  return { type: "batch", epoch, firstSeq, leaves: concatBytes(...leaves.slice(firstSeq)), checkpoint };
}

/** What the file of each fault shows a stranger who trusts the device's key; null where there is no file. */
export async function shown({ store, faults }: Court): Promise<(string | null)[]> {
  const rules: (string | null)[] = [];
  for (const { id, kind, proofBytes } of await faults()) {
    const file = await store.faultProof(device.publicKey, id);
    expect(file?.length ?? null).toBe(proofBytes);
    rules.push(file ? ruleShown(file, { kind, deviceKey: device.publicKey }) : null);
  }
  return rules;
}

export function ruleShown(
  file: Uint8Array,
  { kind, deviceKey }: { readonly kind: string; readonly deviceKey: Uint8Array },
): string {
  const policy = { deviceKeys: [deviceKey], nodeKeys: [], network: NETWORK };
  const verdict = judgeFault(suite, verifyFault(suite, file), policy);
  expect(verdict).toMatchObject({
    fault: kind,
    guilty: "device key",
    trust: "device",
    networkMeant: true,
  });
  return verdict.rule;
}
