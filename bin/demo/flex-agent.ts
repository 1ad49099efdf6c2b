import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ControlDesk } from "../../agent/control/desk.ts";
import { leaseFileAt } from "../../agent/control/lease-file.ts";
import { LeaseRegister } from "../../agent/control/lease-register.ts";
import { FlexDesk } from "../../agent/flexibility/desk.ts";
import type { OfferSettings } from "../../agent/flexibility/host.ts";
import { type OpenedLog, openLog } from "../../agent/journal/open-log.ts";
import { Sealer } from "../../agent/sealing/sealer.ts";
import { parseObject } from "../../attest/cose.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";
import type { BatchMessage, Message } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { Logger } from "../../runtime/log.ts";
import { VERSION } from "../../runtime/version.ts";
import type { Cleanups } from "./cleanups.ts";
import type { DemoClock } from "./flex-clock.ts";
import type { FlexDevices } from "./flex-devices.ts";
import { flexHost } from "./flex-host.ts";
import { CONTROLLED, FlexIntake } from "./flex-intake.ts";
import { PLAN } from "./flex-plan.ts";

/** What the device's side of the demo is made of. */
export interface FlexAgentParts {
  readonly clock: DemoClock;
  readonly folder: string;
  readonly logger: Logger;
  readonly devices: FlexDevices;
}

/** As the part `flexibility` of an agent's configuration would say it. */
const OFFER: OfferSettings = {
  ...{ device: "meter", channel: "meter", boundary: BOUNDARY.site, direction: DIRECTION.reduce },
  ...{ powerMw: PLAN.offeredKw * 1_000_000, daysAhead: 0, noticeMs: PLAN.noticeSeconds * 1000 },
  ...{ fromClockMs: 20.5 * 3_600_000, toClockMs: 21.5 * 3_600_000, baselineMethod: PLAN.baselineMethod },
};
const RESERVE_PPM = 150_000;
const STALE_MS = 30_000;
const BATCH_LEAVES = 1024;
/** Nobody starts this machine within the demo. */
const BOOT_ID = "demo";

/** The device's side: journal, sealer, quality gate, control desk and desk of commitments, on the demo's clock. */
export class FlexAgent {
  readonly signer: LocalSigner = nativeSigner(new Uint8Array(randomBytes(32)));
  readonly sealer: Sealer;
  readonly intake: FlexIntake;
  /** Refusals of orders, until the node takes them. */
  readonly outbox: Extract<Message, { type: "orderRefused" }>[] = [];
  /** Something was sealed that the node should have at once. */
  isUrgent = false;
  readonly #parts: FlexAgentParts;
  readonly #log: OpenedLog;
  #control: ControlDesk | undefined;
  #desk: FlexDesk | undefined;
  #sentSize = 0;
  receiptedSize = 0;

  constructor(parts: FlexAgentParts, cleanups: Cleanups) {
    const { clock, folder, devices } = parts;
    this.#parts = parts;
    const device = { network: PLAN.network, deviceKey: this.signer.publicKey };
    this.#log = openLog({ ...device, path: join(folder, "journal.sqlite"), nowMs: clock.nowMs });
    const { journal, rules, openBlock } = this.#log;
    cleanups.add(async () => journal.close());
    const saltKey = new Uint8Array(randomBytes(32));
    this.sealer = new Sealer({
      ...{ journal, rules, openBlock, clock, saltKey, bootCount: 1 },
      signer: this.signer,
    });
    const { intervalMs, timeZone } = PLAN;
    this.sealer.open({
      ...device,
      ...{ epoch: 1, agentVersion: VERSION, assuranceTier: 0, bootCount: 1, intervalMs, timeZone },
    });
    this.intake = new FlexIntake(this.sealer, clock, devices.all);
  }

  /** Interval closes of all channels. */
  get closes(): number {
    const { journal, identity } = this.#log;
    return journal.recentCloseSeqs(identity.epoch, Number.MAX_SAFE_INTEGER).length;
  }

  /** Every leaf from offer to settlement. */
  life(): readonly Leaf[] {
    const { journal, identity } = this.#log;
    const span = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
    return journal.lifecycleSeqs(identity.epoch, span).flatMap((seq) => this.leaf(seq) ?? []);
  }

  leaf(seq: number): Leaf | undefined {
    const { journal, identity } = this.#log;
    const [bytes] = journal.leaves(identity.epoch, seq, seq + 1);
    return bytes && decodeLeaf(bytes);
  }

  /** When a node first had that leaf, by the receipt that the device keeps. */
  receivedAtMs(seq: number): number {
    const [receipt] = this.#log.journal.checkpointOver(this.#log.identity.epoch, seq)?.receipts ?? [];
    if (receipt === undefined)
      throw new Problem("demo-receipt", "the leaf has no receipt", { where: `leaf ${seq}` });
    return openReceipt(nativeSuite, receipt, parseObject(receipt).kid).receivedAtMs;
  }

  get desk(): FlexDesk {
    if (this.#desk === undefined) throw new Error("flexibility has not begun");
    return this.#desk;
  }

  /** Lets that node order what the battery does, from now on. */
  beginFlexibility(nodeKey: Uint8Array, cleanups: Cleanups): void {
    const { clock, logger, folder, devices } = this.#parts;
    const control = devices.all.find(({ id }) => id === "battery")?.meter.control;
    const source = (device: string): typeof control => (device === "battery" ? control : undefined);
    this.#control = new ControlDesk({
      ...{ source, logger, supervised: false, clock: { monotonicMs: () => clock.monotonicMs } },
      leases: new LeaseRegister(leaseFileAt(join(folder, "leases.json")), BOOT_ID),
      resources: [{ device: "battery", channel: CONTROLLED, boundary: "site", reservePpm: RESERVE_PPM }],
      siteMeter: { device: "meter", channel: "meter", maxStaleMs: STALE_MS, maxImportMw: 17_000_000 },
      actuated: (actuated) => this.desk.actuated(actuated),
      superseded: (hold, by) => this.desk.superseded(hold, by),
      ended: (hold, reason) => this.desk.ended(hold, reason),
      roleOf: (_device, channel) => (channel === CONTROLLED ? "storage" : undefined),
    });
    cleanups.add(async () => this.#control?.stop());
    const host = flexHost({
      ...{
        clock,
        sealer: this.sealer,
        log: this.#log,
        intake: this.intake,
        control: this.#control,
        logger,
        source,
      },
      urgent: () => {
        this.isUrgent = true;
      },
      refuse: (message) => this.outbox.push(message),
    });
    this.#desk = new FlexDesk(host, {
      ...{ offers: [OFFER], holidays: [], excludedDays: [] },
      ...{ controlNodes: [nodeKey], controlled: new Set(["battery"]) },
    });
    this.#desk.start();
  }

  /** One reading of everything. */
  async read(): Promise<void> {
    for (const { device, snapshot } of await this.#parts.devices.read())
      this.intake.take(device, snapshot, this.#control);
  }

  /** What an agent does each second. */
  async tick(): Promise<void> {
    this.#control?.tick();
    await this.#control?.idle();
    await this.#desk?.tick();
  }

  /** Takes what the node sends. */
  async take(nodeKey: Uint8Array, message: Message): Promise<void> {
    this.#control?.heartbeat(this.#parts.clock.monotonicMs);
    if (message.type === "order") await this.desk.order(nodeKey, message.order);
    if (message.type === "dispatchList") this.desk.list(nodeKey, message.list);
  }

  /** Closes what is over, makes everything durable, signs it, and gives what the node has not had. */
  async batches(): Promise<readonly BatchMessage[]> {
    this.isUrgent = false;
    this.sealer.closeOverdue();
    if (!this.sealer.hasNews) return [];
    await this.sealer.checkpoint();
    const { epoch } = this.#log.identity;
    const batches: BatchMessage[] = [];
    for (;;) {
      const batch = this.#log.journal.batchAfter(epoch, this.#sentSize, BATCH_LEAVES);
      if (batch === undefined) return batches;
      const { size, ...message } = batch;
      batches.push({ type: "batch", epoch, ...message });
      this.#sentSize = size;
    }
  }

  /** Keeps a receipt, and seals that it came. */
  receipted(nodeKey: Uint8Array, bytes: Uint8Array): void {
    const receipt = openReceipt(nativeSuite, bytes, nodeKey);
    const { size } = receipt;
    this.receiptedSize = size;
    if (this.#log.journal.addReceipt(this.#log.identity.epoch, { nodeKey, size, bytes }))
      this.sealer.anchor(receipt, nodeKey, bytes);
    this.#control?.heartbeat(this.#parts.clock.monotonicMs);
  }
}
