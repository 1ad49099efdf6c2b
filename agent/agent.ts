import { fromHex, toHex } from "../attest/bytes.ts";
import type { Receipt } from "../attest/receipt.ts";
import type { Controllable } from "../drivers/control.ts";
import type { Logger } from "../runtime/log.ts";
import { VERSION } from "../runtime/version.ts";
import { TimeKeeper } from "./clock/time-keeper.ts";
import type { AgentConfig } from "./config/config.ts";
import { namedChannels } from "./config/named-channels.ts";
import { ControlRoom } from "./control-room.ts";
import { Guard } from "./guard.ts";
import { type DeviceKey, fileDeviceKey } from "./identity/device-key.ts";
import { Enroller } from "./identity/enroller.ts";
import { Intake } from "./intake.ts";
import type { OpenedLog } from "./journal/open-log.ts";
import { keepingOf } from "./journal/retention-settings.ts";
import { LogMemory } from "./outlet/log-memory.ts";
import { Operations } from "./outlet/operations.ts";
import type { AgentVitals } from "./outlet/report.ts";
import { Panel } from "./panel/panel.ts";
import { takeUpReplacement } from "./reload/replacement.ts";
import { type Sampling, startSampling } from "./sampling/sampler.ts";
import { JournalSink } from "./sealing/journal-sink.ts";
import { Ledger } from "./sealing/ledger.ts";
import { openSealer } from "./sealing/open-sealer.ts";
import type { Sealer } from "./sealing/sealer.ts";
import { Signing } from "./signing.ts";
import type { AcceptedEvent, AgentEvent, AgentStatus } from "./status.ts";
import { Uplinks } from "./uplink/uplinks.ts";

export interface AgentOptions {
  readonly config: AgentConfig;
  /** The device's key, which outlives the agent; left out: the one in the key file. */
  readonly deviceKey?: DeviceKey;
  readonly logger: Logger;
  /** Where status and accepted readings go, once a second and at once; nowhere when absent. */
  readonly listener?: (event: AgentEvent) => void;
  /** Whether a parent process ends the leases of devices when this one is gone. */
  readonly supervised?: boolean;
  /** One-time enrolment codes by node key, hexadecimal, where the configuration names no file. */
  readonly enrolmentCodes?: ReadonlyMap<string, string>;
}

const CLOCK_CHECK_MS = 1000;
const STATUS_MS = 1000;
const FLUSH_MS = 3000;
const HOUR_MS = 3_600_000;

/** The running agent: devices, gate, sealer, journal and uplinks, and the ticks between them. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #key: DeviceKey;
  readonly #time: TimeKeeper;
  readonly #intake: Intake;
  readonly #uplinks: Uplinks;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #samplings: Sampling[] = [];
  readonly #ledger: Ledger;
  readonly #signing: Signing;
  #committedOnce = false;
  readonly #guard: Guard;
  readonly #operations: Operations;
  readonly #panel: Panel;
  /** Only where the configuration lets devices be told something. */
  readonly #room: ControlRoom | undefined;

  /** Opens key and journal; throws a Problem with what to do when either cannot be used. Reads nothing yet. */
  constructor(options: AgentOptions) {
    const { config } = options;
    const logger = new LogMemory(options.logger);
    this.#options = { ...options, logger };
    this.#guard = new Guard(logger);
    this.#key = options.deviceKey ?? fileDeviceKey(config);
    this.#sayKey(logger);
    this.#ledger = new Ledger({
      location: { path: config.journal, network: config.network, deviceKey: this.deviceKey },
      ...{ nodes: this.#nodeKeys(), keeping: keepingOf(config.retention), logger, guard: this.#guard },
      host: {
        startSealer: (log) => this.#openSealer(log),
        epochChanged: () => this.#epochChanged(),
        ready: () => this.#intake.redeclare(),
      },
    });
    this.#time = new TimeKeeper({
      ...{ logger, guard: this.#guard, sealer: () => this.#sealer },
      stepped: () => this.#room?.clockStepped(),
    });
    const { journal, rules } = this.#log;
    this.#time.begin(journal, rules.size > 0 ? rules.lastTime : undefined, this.#nodeKeys());
    this.#ledger.begin();
    takeUpReplacement(config.journal, { sealer: this.#sealer, logger });
    this.#signing = this.#openSigning();
    this.#intake = new Intake(
      {
        ...{ sealer: () => this.#settled(), accepted: (event) => this.#accepted(event), logger },
        named: namedChannels(config),
      },
      config.devices,
    );
    this.#uplinks = this.#openUplinks();
    this.#room = this.#openRoom(logger);
    this.#panel = new Panel({
      ...{ config, logger, guard: this.#guard, sealer: () => this.#settled() },
      ...{ urgent: () => this.#urgent(), report: () => this.#operations.report() },
    });
    const sink = new JournalSink(this.#intake, this.#ledger, config.devices);
    const agent = { status: () => this.status(), vitals: () => this.#vitals() };
    this.#operations = new Operations({ config, agent, memory: logger, sink, owner: this.#room });
  }

  get #log(): OpenedLog {
    return this.#ledger.log;
  }

  get #sealer(): Sealer {
    return this.#ledger.sealer;
  }

  get deviceKey(): Uint8Array {
    return this.#key.signer.publicKey;
  }

  start(): void {
    const { config, logger } = this.#options;
    const room = this.#room;
    const sink = room?.sink(this.#operations.sink) ?? this.#operations.sink;
    for (const device of config.devices) {
      const controlled = (control?: Controllable): void => room?.controlled(device.id, control);
      this.#samplings.push(startSampling({ device, sink, logger, controlled }));
    }
    room?.start();
    this.#operations.start();
    this.#uplinks.start();
    this.#panel.start();
    this.#every(config.commitSeconds * 1000, () => this.#tick());
    this.#every(Math.min(config.checkpointSeconds * 1000, 1000), () => this.#signing.tick());
    this.#every(CLOCK_CHECK_MS, () => this.#time.check());
    if (this.#options.listener !== undefined) this.#every(STATUS_MS, () => this.#tell());
    logger.info("agent-started", {
      version: VERSION,
      epoch: this.#log.identity.epoch,
      size: this.#sealer.durableSize,
      devices: config.devices.length,
    });
  }

  /** Last commit, last checkpoint, a moment for its receipt, then everything is closed. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#room?.stop();
    await Promise.all([
      this.#operations.stop(),
      this.#panel.stop(),
      ...this.#samplings.map((sampling) => sampling.stop()),
    ]);
    await this.#signing.settle();
    this.#ledger.commit({ snapshot: true });
    await this.#signing.last();
    await this.#uplinks.stop(FLUSH_MS);
    this.#ledger.commit({ snapshot: true });
    if (this.#options.listener !== undefined) this.#options.listener(this.status());
    this.#time.stop();
    this.#ledger.close();
    this.#options.logger.info("agent-stopped", {
      size: this.#sealer.durableSize,
      signed: this.#sealer.signedSize,
    });
  }

  status(): AgentStatus {
    return {
      event: "status",
      atMs: Date.now(),
      deviceKey: toHex(this.deviceKey),
      epoch: this.#log.identity.epoch,
      intervalMs: this.#sealer.rules.intervalMs,
      devices: this.#intake.devices(),
      channels: this.#intake.channels(),
      log: {
        size: this.#sealer.rules.size,
        durable: this.#sealer.durableSize,
        signed: this.#sealer.signedSize,
      },
      journal: this.#ledger.status(),
      nodes: this.#uplinks.status,
      ...(this.#room === undefined ? {} : { control: this.#room.status() }),
      ...this.#panel.status(),
    };
  }

  #sayKey(logger: Logger): void {
    const { created, elsewhere, problem } = this.#key;
    const where = elsewhere === undefined ? {} : { signer: elsewhere };
    const fields = { deviceKey: toHex(this.deviceKey), file: this.#options.config.key, ...where };
    logger.info(created ? "key-created" : "key-loaded", fields);
    if (problem !== undefined) this.#guard.failed("checkpoint-failed", problem);
    this.#key.listen((notice) => logger.problem("signer-used-elsewhere", notice));
  }

  /** What a listening parent is told each second. */
  #tell(): void {
    this.#options.listener?.(this.status());
    if (this.#room?.hasLeases === true) this.#options.listener?.({ event: "control-alive" });
  }

  #vitals(): AgentVitals {
    const { waits, signedAgoMs } = this.#signing;
    return {
      clock: this.#time.clock.now(),
      samplings: this.#samplings.map((sampling) => sampling.statistics()),
      signingWaits: waits,
      ...(signedAgoMs === undefined ? {} : { signedAgoMs }),
    };
  }

  #openSealer(log: OpenedLog): Sealer {
    const { config, logger } = this.#options;
    return openSealer(log, { config, logger, time: this.#time, key: this.#key });
  }

  #openSigning(): Signing {
    const { config, logger } = this.#options;
    return new Signing({
      ...{ ledger: this.#ledger, time: this.#time, guard: this.#guard, logger, nodes: this.#nodeKeys() },
      checkpointMs: config.checkpointSeconds * 1000,
      silentNodeMs: config.silentNodeHours * HOUR_MS,
      signed: () => this.#uplinks.kick(),
    });
  }

  #openUplinks(): Uplinks {
    const { config, logger, enrolmentCodes } = this.#options;
    const { signer } = this.#key;
    return new Uplinks({
      ...{ network: config.network, signer, nodes: config.nodes, logger, enroller: this.#enroller() },
      ...(enrolmentCodes === undefined ? {} : { enrolmentCodes }),
      orders: (nodeKey) => this.#room?.orders(nodeKey),
      frames: async (digest) => (await this.#ledger.frames.find(digest))?.bytes,
      host: {
        log: () => this.#log,
        welcomed: (key, welcome) => this.#signing.welcomed(key, welcome),
        receipted: (key, receipt, bytes) => this.#receipted(key, receipt, bytes),
      },
    });
  }

  #openRoom(logger: Logger): ControlRoom | undefined {
    const { config, supervised = false } = this.#options;
    if (config.control === undefined) return undefined;
    const host = {
      ...{ config, logger, guard: this.#guard, ledger: this.#ledger, intake: this.#intake, supervised },
      signing: () => this.#signing,
      uplinks: () => this.#uplinks,
      settled: () => this.#settled(),
    };
    return new ControlRoom(host, config.control);
  }

  #enroller(): Enroller {
    const { config, logger } = this.#options;
    const { network, recoveryKey } = config;
    return new Enroller({
      ...{ network, signer: this.#key.signer, logger, keyPath: config.key, journalPath: config.journal },
      ...{ assuranceTier: this.#key.assuranceTier, softwareVersion: VERSION },
      ...(recoveryKey === undefined ? {} : { recoveryKey }),
      manifestHash: () => this.#sealer.rules.manifestHash,
    });
  }

  #epochChanged(): void {
    this.#signing.epochChanged();
    this.#room?.epochChanged();
    this.#uplinks.restart();
  }

  #receipted(nodeKey: Uint8Array, receipt: Receipt, bytes: Uint8Array): void {
    this.#time.receipted(nodeKey, receipt);
    this.#time.check();
    this.#ledger.keepReceipt(nodeKey, receipt, bytes);
  }

  #accepted(event: AcceptedEvent): void {
    this.#options.listener?.(event);
    if (this.#uplinks.wantLive) this.#sendLive(event.channel);
    if (this.#committedOnce) return;
    // The first reading is durable at once, so that an installer sees it sealed without waiting for a tick.
    this.#committedOnce = true;
    this.#tick();
  }

  #sendLive(name: string): void {
    const channel = this.#intake.channels().find((one) => one.name === name);
    if (channel !== undefined) this.#uplinks.live(channel);
  }

  #tick(): void {
    this.#time.check();
    this.#ledger.tick();
    this.#signing.passOverSilent();
  }

  /** Something that is not to wait for a tick. */
  #urgent(): void {
    this.#ledger.commit();
    this.#signing.soon();
  }

  /** The sealer, after the clock has stated what it has to: a reading that comes right behind a step is on the new one. */
  #settled(): Sealer {
    this.#time.check();
    return this.#sealer;
  }

  #nodeKeys(): Uint8Array[] {
    return this.#options.config.nodes.map(({ key }) => fromHex(key, "nodes.key"));
  }

  #every(ms: number, run: () => void): void {
    this.#timers.push(setInterval(run, ms));
  }
}
