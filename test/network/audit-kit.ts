import { manifestLeaf, readingLeaf } from "../../agent/sealing/leaves.ts";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import { type ChannelManifest, REGISTER, type ReadingLeaf } from "../../attest/leaf.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { PolledMeter, RawFrame, Snapshot } from "../../drivers/driver.ts";
import { ProfileLibrary } from "../../drivers/evidence/profile-library.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import type {
  Audit,
  AuditedLeaf,
  AuditRecords,
  AuditSource,
  KeptAudit,
} from "../../network/audit/audit-record.ts";
import { ingestBatch } from "../../network/ingest.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import type { SqliteStore } from "../../network/store/sqlite-store.ts";
import { NETWORK, START_MS, seedOf } from "../kit/device.ts";
import { LogBuilder } from "../kit/log-builder.ts";

export const LIBRARY: ProfileLibrary = new ProfileLibrary();

/** What an agent seals of a device that its driver reads: real manifests, real readings, real frames. */
export class SealedMeter {
  readonly log: LogBuilder = new LogBuilder({
    ...{ suite: nativeSuite, signer: nativeSigner(seedOf(5)), network: NETWORK, startMs: START_MS },
  });
  readonly frames: RawFrame[] = [];
  readonly #driver: string;
  readonly #meter: PolledMeter;
  readonly #names = new Map<string, string>();
  #sent = 0;

  /** @param names names of channels in the log, where not `device/channel` */
  constructor(driver: string, meter: PolledMeter, names: Readonly<Record<string, string>> = {}) {
    this.#driver = driver;
    this.#meter = meter;
    for (const [channel, name] of Object.entries(names)) this.#names.set(channel, name);
  }

  get key(): Uint8Array {
    return this.log.signer.publicKey;
  }

  get hexKey(): string {
    return toHex(this.key);
  }

  async open(): Promise<this> {
    const identity = await this.#meter.identify();
    for (const [at, description] of this.#meter.channels().entries()) {
      const name = this.#names.get(description.name) ?? `device/${description.name}`;
      const source = { driver: this.#driver, samplingMs: 5000, identity, description, settings: { name } };
      this.log.append(manifestLeaf(at + 1, source, this.log.time()));
    }
    return this;
  }

  /** Reads once and seals every channel; `forge` may change what is sealed. */
  async read(forge: (reading: MeterReading) => MeterReading = (reading) => reading): Promise<Snapshot> {
    this.log.timeMs += 5000;
    const snapshot = await this.#meter.read();
    this.frames.push(...(snapshot.frames ?? []));
    for (const reading of snapshot.readings) {
      const channel = this.#meter.channels().findIndex(({ name }) => name === reading.channel) + 1;
      const {
        kind: _k,
        channel: _c,
        timeMs: _t,
        timeQuality: _q,
        ...values
      } = readingLeaf(channel, withKnown(forge(reading), this.log.state(channel).manifest), this.log.time());
      this.log.read(values, channel);
    }
    return snapshot;
  }

  /** Hands what is not there yet to a node's store. */
  async deliver(store: SqliteStore): Promise<void> {
    const { epoch } = this.log.rules.identity;
    const { bytes } = await this.log.checkpoint();
    const leaves = concatBytes(...this.log.leaves.slice(this.#sent).map((placed) => placed.bytes));
    const batch = { type: "batch" as const, epoch, firstSeq: this.#sent, leaves, checkpoint: bytes };
    const context = {
      ...{ network: NETWORK, suite: nativeSuite, signer: nativeSigner(seedOf(200)), store },
      ...{ rules: new RulesCache(nativeSuite, 4), nowMs: () => this.log.timeMs },
    };
    await ingestBatch(context, { key: this.key, agentVersion: "test" }, batch);
    this.#sent = this.log.leaves.length;
  }

  /** The readings of the log as an audit gets them, newest last. */
  audited(): AuditedLeaf[] {
    return this.log.leaves.flatMap(({ leaf }) => {
      if (leaf.kind !== "reading" || leaf.evidence === undefined) return [];
      const { manifest } = this.log.state(leaf.channel);
      return [{ deviceKey: this.key, log: 1, epoch: 1, leaf, evidence: leaf.evidence, manifest }];
    });
  }

  /** The bytes behind a reading. */
  frameOf({ evidence }: AuditedLeaf): Uint8Array {
    const found = this.frames.find(({ digest }) => toHex(digest).startsWith(toHex(evidence)));
    if (found === undefined) throw new Error("no such frame");
    return found.bytes;
  }
}

/** As the quality gate: a register that the channel is not known to have is left out. */
function withKnown(
  { importMwh, exportMwh, ...reading }: MeterReading,
  { registers }: ChannelManifest,
): MeterReading {
  const has = (bit: number): boolean => (registers & bit) !== 0;
  return {
    ...reading,
    ...(importMwh !== undefined && has(REGISTER.import) ? { importMwh } : {}),
    ...(exportMwh !== undefined && has(REGISTER.export) ? { exportMwh } : {}),
  };
}

/** The same leaf with other values, as a tampered agent would seal it: the digest is that of the real frame. */
export function forged(audited: AuditedLeaf, values: Partial<ReadingLeaf>): AuditedLeaf {
  return { ...audited, leaf: { ...audited.leaf, ...values } };
}

export function digestOfProfile(name: string): Uint8Array {
  return bundledProfile(name).digest;
}

/** Audits in memory, and leaves from a list. */
export class ListedAudits implements AuditRecords, AuditSource {
  readonly kept: Audit[] = [];
  leaves: AuditedLeaf[] = [];
  picks = 0;

  async add(audit: Audit): Promise<void> {
    this.kept.push(audit);
  }

  async newest(): Promise<readonly KeptAudit[]> {
    return [];
  }

  async find(): Promise<undefined> {
    return undefined;
  }

  async pick(_deviceKey: Uint8Array, random: () => number): Promise<AuditedLeaf | undefined> {
    this.picks += 1;
    return this.leaves[Math.floor(random() * this.leaves.length)];
  }

  async proofOf(): Promise<{ leaf: Uint8Array; path: Uint8Array; checkpoint: Uint8Array }> {
    return { leaf: Uint8Array.of(1), path: new Uint8Array(), checkpoint: Uint8Array.of(2) };
  }
}
