import { fromHex, toHex } from "../attest/bytes.ts";
import type { WelcomeMessage } from "../attest/messages.ts";
import { nativeSigner } from "../attest/native.ts";
import { Problem } from "../attest/problem.ts";
import type { Receipt } from "../attest/receipt.ts";
import type { LocalSigner } from "../attest/signature.ts";
import { type KeyFile, loadOrCreateKey } from "../runtime/key-file.ts";
import type { Logger } from "../runtime/log.ts";
import { VERSION } from "../runtime/version.ts";
import { AgentClock } from "./clock/clock.ts";
import type { AgentConfig } from "./config/config.ts";
import { Guard } from "./guard.ts";
import { Intake } from "./intake.ts";
import { countBoot } from "./journal/boot-count.ts";
import { lastReceipted } from "./journal/last-receipted.ts";
import { type OpenedLog, openLog, startEpoch } from "./journal/open-log.ts";
import { type Sampling, startSampling } from "./sampling/sampler.ts";
import { Sealer } from "./sealing/sealer.ts";
import type { AgentEvent, AgentStatus } from "./status.ts";
import { compareWelcome, epochProblem, SigningGate } from "./uplink/signing-gate.ts";
import { Uplink } from "./uplink/uplink.ts";

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly logger: Logger;
  /** Where status and accepted readings go, once a second and at once; nowhere when absent. */
  readonly listener?: (event: AgentEvent) => void;
}

const CLOCK_CHECK_MS = 1000;
const STATUS_MS = 1000;
const FLUSH_MS = 3000;
const CHECKPOINT_LEAVES = 1024;
const TIER_KEY_IN_FILE = 0;

/** The running agent: devices, gate, sealer, journal and uplinks, and the ticks between them. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #key: KeyFile;
  readonly #signer: LocalSigner;
  readonly #clock = new AgentClock();
  readonly #intake: Intake;
  readonly #uplinks: readonly Uplink[];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #samplings: Sampling[] = [];
  #log: OpenedLog;
  #sealer: Sealer;
  #gate: SigningGate;
  #signing: Promise<void> | undefined;
  #lastCheckpointMs = 0;
  #committedOnce = false;
  #saidWaiting = false;
  /** The clock was set and the log does not say so yet. */
  #stepLost = false;
  readonly #guard: Guard;

  /** Opens key and journal; throws a Problem with what to do when either cannot be used. Reads nothing yet. */
  constructor(options: AgentOptions) {
    const { config, logger } = options;
    this.#options = options;
    this.#guard = new Guard(logger);
    const { key, created } = loadOrCreateKey(config.key);
    this.#key = key;
    this.#signer = nativeSigner(key.seed);
    const deviceKey = toHex(this.#signer.publicKey);
    logger.info(created ? "key-created" : "key-loaded", { deviceKey, file: config.key });
    this.#log = openLog({
      path: config.journal,
      network: config.network,
      deviceKey: this.#signer.publicKey,
      nowMs: Date.now(),
    });
    if (this.#log.damaged !== undefined) {
      const { problem, movedTo } = this.#log.damaged;
      logger.problem("journal-damaged", problem, { movedTo, epoch: this.#log.identity.epoch });
    }
    this.#sealer = this.#openSealer();
    this.#gate = this.#openGate();
    this.#intake = new Intake(
      { sealer: () => this.#sealer, accepted: (event) => this.#accepted(event), logger },
      config.devices,
    );
    this.#uplinks = config.nodes.map((node) => this.#uplink(node));
    this.#sayClock();
  }

  get deviceKey(): Uint8Array {
    return this.#signer.publicKey;
  }

  start(): void {
    const { config, logger } = this.#options;
    for (const device of config.devices)
      this.#samplings.push(startSampling({ device, sink: this.#intake, logger }));
    for (const uplink of this.#uplinks) uplink.start();
    this.#every(config.commitSeconds * 1000, () => this.#tick());
    this.#every(Math.min(config.checkpointSeconds * 1000, 1000), () => this.#maybeSign());
    this.#every(CLOCK_CHECK_MS, () => this.#checkClock());
    if (this.#options.listener !== undefined)
      this.#every(STATUS_MS, () => this.#options.listener?.(this.status()));
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
    await Promise.all(this.#samplings.map((sampling) => sampling.stop()));
    await this.#signing;
    this.#guard.run("commit-failed", () => this.#sealer.commit({ snapshot: true }));
    if (this.#gate.open && this.#sealer.hasNews) await this.#sign();
    await Promise.all(this.#uplinks.map((uplink) => uplink.stop(FLUSH_MS)));
    this.#guard.run("commit-failed", () => this.#sealer.commit({ snapshot: true }));
    if (this.#options.listener !== undefined) this.#options.listener(this.status());
    this.#log.journal.close();
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
      nodes: this.#uplinks.map((uplink) => uplink.status),
    };
  }

  #openSealer(): Sealer {
    const { config } = this.#options;
    const bootCount = countBoot(this.#log);
    const sealer = new Sealer({
      journal: this.#log.journal,
      clock: this.#clock,
      signer: this.#signer,
      saltKey: this.#key.saltKey,
      rules: this.#log.rules,
      openBlock: this.#log.openBlock,
      bootCount,
    });
    if (sealer.rules.size > 0) {
      if (sealer.rules.intervalMs !== config.intervalSeconds * 1000) {
        this.#options.logger.warn("interval-unchanged", {
          configured: config.intervalSeconds * 1000,
          inForce: sealer.rules.intervalMs,
          hint: "the length of intervals is fixed when a log is opened",
        });
      }
      sealer.reconcileClock();
      return sealer;
    }
    const { name, ...site } = config.site;
    const { reason } = this.#log;
    sealer.open(
      {
        network: config.network,
        epoch: this.#log.identity.epoch,
        deviceKey: this.#signer.publicKey,
        agentVersion: VERSION,
        assuranceTier: TIER_KEY_IN_FILE,
        bootCount,
        intervalMs: config.intervalSeconds * 1000,
        ...(name === undefined ? {} : { site: name }),
        ...site,
      },
      reason === undefined ? undefined : { reason, ...lastReceipted(this.#log.journal, this.#log.identity) },
    );
    sealer.commit();
    return sealer;
  }

  #openGate(): SigningGate {
    return new SigningGate(
      this.#log.journal,
      this.#options.config.nodes.map(({ key }) => fromHex(key, "nodes.key")),
    );
  }

  #uplink(node: { readonly url: string; readonly key: string }): Uplink {
    const { config, logger } = this.#options;
    return new Uplink({
      url: node.url,
      logger,
      session: {
        network: config.network,
        signer: this.#signer,
        nodeKey: fromHex(node.key, "nodes.key"),
        agentVersion: VERSION,
      },
      host: {
        log: () => this.#log,
        welcomed: (key, welcome) => this.#welcomed(key, welcome),
        receipted: (key, receipt, bytes) => this.#receipted(key, receipt, bytes),
      },
    });
  }

  #welcomed(nodeKey: Uint8Array, welcome: WelcomeMessage): number {
    const standing = compareWelcome(welcome, this.#log.journal, this.#log.identity);
    if (standing.nextEpoch === undefined) {
      this.#gate.answered(nodeKey);
      return standing.size;
    }
    this.#nextEpoch(standing.nextEpoch);
    throw epochProblem({ ...standing, nextEpoch: standing.nextEpoch });
  }

  /** This epoch is never signed again: a new log, the same device, the same channels. */
  #nextEpoch(next: { readonly epoch: number; readonly reason: string }): void {
    const { journal, identity } = this.#log;
    this.#options.logger.warn("epoch-opened", {
      epoch: next.epoch,
      after: identity.epoch,
      reason: next.reason,
    });
    this.#guard.run("commit-failed", () => this.#sealer.commit());
    startEpoch(journal, journal.path, next.epoch);
    journal.close();
    const { network, deviceKey } = identity;
    const reopened = openLog({ path: journal.path, network, deviceKey, nowMs: Date.now() });
    this.#log = { ...reopened, reason: next.reason };
    this.#sealer = this.#openSealer();
    this.#gate = this.#openGate();
    this.#intake.redeclare();
    for (const uplink of this.#uplinks) uplink.restart();
  }

  #receipted(nodeKey: Uint8Array, receipt: Receipt, bytes: Uint8Array): void {
    const fresh = this.#log.journal.addReceipt(this.#log.identity.epoch, {
      nodeKey,
      size: receipt.size,
      bytes,
    });
    if (fresh) this.#guard.run("anchor-failed", () => this.#sealer.anchor(receipt, nodeKey, bytes));
  }

  #accepted(event: AgentEvent): void {
    this.#options.listener?.(event);
    if (this.#committedOnce) return;
    // The first reading is durable at once, so that an installer sees it sealed without waiting for a tick.
    this.#committedOnce = true;
    this.#tick();
  }

  #tick(): void {
    this.#guard.run("close-failed", () => this.#sealer.closeOverdue());
    this.#guard.run("commit-failed", () => this.#sealer.commit());
  }

  #maybeSign(): void {
    if (this.#signing !== undefined || !this.#sealer.hasNews || !this.#maySign()) return;
    const due = performance.now() - this.#lastCheckpointMs >= this.#options.config.checkpointSeconds * 1000;
    const many = this.#sealer.rules.size - this.#sealer.signedSize >= CHECKPOINT_LEAVES;
    if (due || many || this.#sealer.closedSinceCheckpoint) {
      this.#signing = this.#sign().finally(() => {
        this.#signing = undefined;
      });
    }
  }

  #maySign(): boolean {
    if (this.#gate.open) return true;
    if (!this.#saidWaiting) {
      this.#saidWaiting = true;
      this.#options.logger.info("signing-waits", {
        reason: "nothing is signed before the nodes have shown what they hold of this device",
        nodes:
          this.#gate.waitingFor.length > 0
            ? this.#gate.waitingFor
            : this.#options.config.nodes.map(({ key }) => key),
        hint: "readings are sealed meanwhile; take a node that is gone for good out of the configuration",
      });
    }
    return false;
  }

  async #sign(): Promise<void> {
    this.#lastCheckpointMs = performance.now();
    try {
      await this.#sealer.checkpoint();
      this.#guard.succeeded("checkpoint-failed");
      for (const uplink of this.#uplinks) uplink.kick();
    } catch (cause) {
      this.#guard.failed("checkpoint-failed", cause);
    }
  }

  #checkClock(): void {
    const step = this.#clock.check();
    if (this.#stepLost)
      this.#stepLost = !this.#guard.run("clock-step-failed", () => this.#sealer.reconcileClock());
    if (step === undefined) return;
    this.#options.logger.warn("clock-step", {
      fromMs: step.before.timeMs,
      toMs: step.after.timeMs,
      quality: step.after.timeQuality,
    });
    this.#stepLost = !this.#guard.run("clock-step-failed", () => this.#sealer.stepClock(step));
  }

  #sayClock(): void {
    const { timeQuality } = this.#clock.now();
    if (timeQuality > 1) return;
    const problem = new Problem("clock-unknown", "the clock has not been set", {
      expected: "a time after this version was made",
      got: new Date().toISOString(),
      hint: "readings are sealed with the time since boot until the clock is set: connect the gateway to the internet or set its clock",
    });
    this.#options.logger.problem("clock-unknown", problem);
  }

  #every(ms: number, run: () => void): void {
    this.#timers.push(setInterval(run, ms));
  }
}
