import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEpoch } from "../../agent/journal/open-log.ts";
import type { ChannelSource } from "../../agent/sealing/leaves.ts";
import { toHex } from "../../attest/bytes.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import { testSigner } from "../kit/log-builder.ts";
import { type Bench, FakeTime, meterReading, meterSource, NETWORK, openBench } from "./kit.ts";

export const nodeSigner: ReturnType<typeof testSigner> = testSigner(0xa);
/** Between two readings; no whole Wh, so that every interval leaves a rest to the next. */
const RISE_MWH = 1389;
const STEP_MS = 5000;

export function batterySource(name = "home/battery"): ChannelSource {
  const source = meterSource("B7");
  const description = { name: "battery", role: "storage", quantities: ["power"] } as const;
  return { ...source, description, settings: { name } };
}

/** A home whose meter counts on while its journal goes through epochs, and a node that receipts what it is shown. */
export class Home {
  readonly folder: string;
  readonly time: FakeTime;
  bench: Bench;
  importMwh = 1_000_000;
  meter: ChannelSource = meterSource();
  /** What the meter showed, by the wall clock. */
  readonly shown: Map<number, number> = new Map();

  constructor(folder: string) {
    this.folder = folder;
    this.time = new FakeTime();
    this.bench = openBench(this.journal, { time: this.time });
  }

  get journal(): string {
    return join(this.folder, "journal.sqlite");
  }

  /** `count` readings, 5 s apart. */
  read(count: number): this {
    const channel = this.bench.sealer.channel(this.meter);
    for (let i = 0; i < count; i++) {
      this.time.advance(STEP_MS);
      this.importMwh += RISE_MWH;
      this.shown.set(this.time.wall, this.importMwh);
      this.bench.sealer.sealReading(channel, meterReading(this.importMwh));
    }
    return this;
  }

  /** What a battery could do now; its state of charge tells the readings apart. */
  stateFlexibility(stateOfChargePpm: number, source: ChannelSource = batterySource()): this {
    const { sealer } = this.bench;
    const evidence = new Uint8Array(32).fill(2);
    const values = { stateOfChargePpm, reducePowerMw: 3_000_000, available: true, evidence };
    sealer.sealFlexibility(sealer.channel(source), { channel: "battery", ...values });
    return this;
  }

  async sign(): Promise<number> {
    return this.bench.sealer.checkpoint();
  }

  /** Signs, has the node receipt it, and takes the receipt up. */
  async witness(): Promise<number> {
    const size = await this.sign();
    const { sealer, log } = this.bench;
    const { manifestHash } = sealer.rules;
    const receivedAtMs = this.time.wall + 200;
    const said = { manifestHash, size, root: sealer.rules.root(), receivedAtMs, ruleVersion: RULE_VERSION };
    const bytes = await signReceipt(nodeSigner, said);
    const nodeKey = nodeSigner.publicKey;
    log.journal.addReceipt(log.identity.epoch, { nodeKey, size, bytes });
    sealer.anchor({ ...said }, nodeKey, bytes);
    return size;
  }

  /** Goes on in the next epoch, as the agent does when a node holds more than the journal. */
  nextEpoch(): this {
    const { journal, identity } = this.bench.log;
    this.bench.sealer.commit();
    startEpoch(journal, journal.path, identity.epoch + 1);
    journal.close();
    return this.open();
  }

  /** The agent stops and starts again. */
  restart(): this {
    this.close();
    return this.open();
  }

  open(): this {
    this.bench = openBench(this.journal, { time: this.time });
    return this;
  }

  close(): void {
    this.bench.sealer.commit();
    this.bench.log.journal.close();
  }

  /** A configuration of this journal, and the key that the benches sign with. */
  writeConfig(): string {
    const key = `kilowitness key 1\nseed ${toHex(new Uint8Array(32).fill(7))}\nsalt ${"00".repeat(32)}\n`;
    writeFileSync(join(this.folder, "device.key"), key, { mode: 0o600 });
    const path = join(this.folder, "agent.yaml");
    const config = `{network: ${NETWORK}, key: device.key, journal: journal.sqlite, intervalSeconds: 60,
      devices: [{id: meter, driver: dsmr-p1, line: "tcp://127.0.0.1:9"}]}`;
    writeFileSync(path, config);
    return path;
  }

  /** Whole Wh between two instants at which the meter was read. */
  whBetween(fromMs: number, toMs: number): number {
    const wh = (ms: number): number => Math.floor((this.shown.get(ms) ?? Number.NaN) / 1000);
    return wh(toMs) - wh(fromMs);
  }
}
