import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, expect } from "vitest";
import { AgentClock } from "../../../agent/clock/clock.ts";
import { Guard } from "../../../agent/guard.ts";
import { checkJournal } from "../../../agent/journal/fsck.ts";
import type { OpenedLog } from "../../../agent/journal/open-log.ts";
import { type KeepingOptions, Ledger } from "../../../agent/sealing/ledger.ts";
import { Sealer } from "../../../agent/sealing/sealer.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { type Receipt, RULE_VERSION, signReceipt } from "../../../attest/receipt.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import { openDatabaseForReading } from "../../../runtime/database.ts";
import { testSigner } from "../../kit/log-builder.ts";
import {
  deviceSigner,
  FakeTime,
  INTERVAL_MS,
  type Line,
  meterReading,
  meterSource,
  NETWORK,
  recordingLogger,
  temporaryFolder,
} from "../kit.ts";

export const nodeSigner: ReturnType<typeof testSigner> = testSigner(0xa);
export const MEBIBYTE: number = 1024 ** 2;
const KEEPING: KeepingOptions = { days: 90, maxBytes: 4096 * MEBIBYTE, framesBytes: 0 };
const SAMPLING_MS = 5000;

export interface StationOptions {
  readonly path: string;
  readonly time?: FakeTime;
  readonly nodes?: readonly Uint8Array[];
  readonly keeping?: Partial<KeepingOptions>;
  readonly reserveBytes?: number;
  readonly signer?: LocalSigner;
}

/** A meter, and a ledger that keeps its log as the agent does, with a node that receipts what it is shown. */
export class Station {
  readonly path: string;
  readonly time: FakeTime;
  readonly ledger: Ledger;
  readonly lines: Line[];
  importMwh = 1_000_000;
  /** Registers in the order in which they were sealed. */
  readonly sealed: number[] = [];
  /** What happened around the ledger. */
  readonly calls: string[] = [];
  #closed = false;

  constructor(options: StationOptions) {
    const { path, time = new FakeTime(), nodes = [], keeping = {}, reserveBytes = 0 } = options;
    const { signer = deviceSigner } = options;
    this.path = path;
    this.time = time;
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.ledger = new Ledger({
      location: { path, network: NETWORK, deviceKey: signer.publicKey },
      ...{ nodes, keeping: { ...KEEPING, ...keeping }, logger, guard: new Guard(logger), reserveBytes },
      host: {
        startSealer: (log) => startSealer(log, time, signer),
        epochChanged: () => this.calls.push("epoch"),
        ready: () => this.calls.push("ready"),
      },
    });
    this.ledger.begin();
  }

  get epoch(): number {
    return this.ledger.log.identity.epoch;
  }

  /** `count` readings, 5 s apart. */
  read(count: number): this {
    for (let i = 0; i < count; i++) {
      this.time.advance(SAMPLING_MS);
      this.importMwh += 1389;
      const { sealer } = this.ledger;
      sealer.sealReading(sealer.channel(meterSource()), meterReading(this.importMwh));
      this.sealed.push(this.importMwh);
    }
    return this;
  }

  /** Signs, and has the node receipt it. */
  async witness(): Promise<number> {
    const size = await this.ledger.checkpoint();
    const { manifestHash } = this.ledger.sealer.rules;
    const root = this.ledger.sealer.rules.root();
    const receipt = {
      manifestHash,
      size,
      root,
      receivedAtMs: this.time.wall + 200,
      ruleVersion: RULE_VERSION,
    };
    await this.receipt(receipt);
    return size;
  }

  async receipt(receipt: Receipt, signer: ReturnType<typeof testSigner> = nodeSigner): Promise<void> {
    this.ledger.keepReceipt(signer.publicKey, receipt, await signReceipt(signer, receipt));
  }

  /** Until what an epoch takes over is there. */
  async settle(): Promise<this> {
    while (this.ledger.status().state === "takes-over") await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  events(): string[] {
    return this.lines.map(({ event }) => event);
  }

  leaves(epoch: number = this.epoch): Leaf[] {
    const { journal } = this.ledger.log;
    return journal.leaves(epoch, 0, journal.size(epoch)).map((bytes) => decodeLeaf(bytes));
  }

  /** Import registers of the readings of an epoch, in order. */
  registers(epoch: number = this.epoch): number[] {
    return this.leaves(epoch).flatMap((leaf) =>
      leaf.kind === "reading" && leaf.importMwh !== undefined ? [leaf.importMwh] : [],
    );
  }

  /** Names of files that were set aside, without their dates. */
  setAside(): string[] {
    const name = basename(this.path);
    return readdirSync(dirname(this.path))
      .filter((file) => file.startsWith(`${name}.damaged-`))
      .map((file) => file.replace(/damaged-[^-]*/, "damaged"))
      .sort();
  }

  /** The power goes: what waits is lost. */
  cut(): void {
    this.#closed = true;
    this.ledger.log.journal.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.ledger.close();
  }
}

function startSealer(log: OpenedLog, time: FakeTime, signer: LocalSigner): Sealer {
  const sealer = new Sealer({
    ...{ journal: log.journal, clock: new AgentClock(time), signer },
    ...{ saltKey: new Uint8Array(32), rules: log.rules, openBlock: log.openBlock, bootCount: 1 },
    ...(log.opensAt === undefined ? {} : { opensAt: log.opensAt }),
  });
  if (sealer.rules.size > 0) {
    sealer.reconcileClock();
    return sealer;
  }
  const { epoch } = log.identity;
  const manifest = { network: NETWORK, epoch, deviceKey: signer.publicKey, agentVersion: "t" };
  sealer.open(
    { ...manifest, assuranceTier: 0, bootCount: 1, intervalMs: INTERVAL_MS },
    log.reason === undefined ? undefined : { reason: log.reason, ...log.continues },
  );
  sealer.commit();
  return sealer;
}

/** Stations that are closed, and a folder that is removed, when each test is over. */
export function useStations(): (options?: Partial<StationOptions>) => Station {
  let folder: ReturnType<typeof temporaryFolder> | undefined;
  let open: Station[] = [];
  afterEach(() => {
    for (const station of open) station.close();
    open = [];
    folder?.remove();
    folder = undefined;
  });
  return (options = {}) => {
    folder ??= temporaryFolder();
    const station = new Station({ path: join(folder.folder, "journal.sqlite"), ...options });
    open.push(station);
    return station;
  };
}

/** What the checker finds wrong with the journal, by code and place. */
export function fsck(path: string): string[] {
  const database = openDatabaseForReading(path);
  try {
    const trust = {
      deviceKeys: [deviceSigner.publicKey],
      nodeKeys: [nodeSigner.publicKey],
      network: NETWORK,
    };
    const found = [...checkJournal({ database, path, trust, looked: () => undefined })];
    return found.map(({ message, code }) => `${code}: ${message}`);
  } finally {
    database.close();
  }
}

/** Everything that was sealed is there in its order, in whatever epoch. */
export function expectAllSealed(station: Station): void {
  const epochs = station.ledger.log.journal.epochs().reverse();
  const held = new Set(epochs.flatMap((epoch) => station.registers(epoch)));
  expect(station.sealed.filter((register) => !held.has(register))).toEqual([]);
}
