import type { AgentClock, ClockSource } from "../../agent/clock/clock.ts";
import { TimeKeeper } from "../../agent/clock/time-keeper.ts";
import { Guard } from "../../agent/guard.ts";
import { type OpenedLog, openLog } from "../../agent/journal/open-log.ts";
import { Sealer } from "../../agent/sealing/sealer.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import {
  deviceSigner,
  FakeTime,
  INTERVAL_MS,
  type Line,
  meterReading,
  meterSource,
  NETWORK,
  recordingLogger,
} from "./kit.ts";

export const DAY_MS = 86_400_000;

/** A machine whose clocks, time servers and battery do what they are told. */
export class FakeMachine extends FakeTime implements ClockSource {
  battery = true;
  batteryClock(): boolean {
    return this.battery;
  }
  /** Monotonic clocks stand still, the time since boot and the system's clock go on. */
  sleep(ms: number): void {
    this.wall += ms;
    this.boot += ms;
  }
  /** Switched off, and on again with that on its clock. */
  reboot(wall: number): void {
    this.wall = wall;
    this.monotonic = 100;
    this.boot = 30_000;
  }
}

/** Checks once a second for that long; the steps that were taken. */
export function runOn(clock: AgentClock, machine: FakeMachine, ms: number): number {
  let steps = 0;
  for (let passed = 0; passed < ms; passed += 1000) {
    machine.advance(1000);
    if (clock.check() !== undefined) steps += 1;
  }
  return steps;
}

/** Journal, sealer and time keeper of an agent that is started and ended at will. */
export class ClockBench {
  readonly machine: FakeMachine;
  readonly lines: Line[];
  readonly keeper: TimeKeeper;
  readonly log: OpenedLog;
  readonly sealer: Sealer;
  readonly #channel: number;
  /** What the meter showed last. */
  #importMwh: number;

  /** `rebooted`: the journal was written before the machine's last start. */
  constructor(
    path: string,
    machine: FakeMachine,
    options: { rebooted?: boolean; nodeKeys?: Uint8Array[] } = {},
  ) {
    this.machine = machine;
    const { logger, lines } = recordingLogger();
    this.lines = lines;
    this.log = openLog({ path, network: NETWORK, deviceKey: deviceSigner.publicKey, nowMs: 1 });
    const { journal, rules, identity, openBlock } = this.log;
    this.keeper = new TimeKeeper({ logger, guard: new Guard(logger), sealer: () => this.sealer }, machine);
    this.keeper.begin(journal, rules.size > 0 ? rules.lastTime : undefined, options.nodeKeys ?? []);
    this.sealer = new Sealer({
      ...{ journal, clock: this.keeper.clock, signer: deviceSigner, saltKey: new Uint8Array(32) },
      ...{ rules, openBlock, bootCount: 1 },
    });
    this.#importMwh = rules.channels.get(1)?.last?.importMwh ?? 1_000_000;
    if (rules.size > 0) this.keeper.reopened(this.sealer, options.rebooted === true);
    else {
      const manifest = { network: NETWORK, epoch: identity.epoch, deviceKey: deviceSigner.publicKey };
      this.sealer.open({
        ...{ ...manifest, agentVersion: "t", assuranceTier: 0, bootCount: 1, intervalMs: INTERVAL_MS },
      });
    }
    this.#channel = this.sealer.channel(meterSource());
  }

  /** The meter says that it runs another firmware. */
  declare(firmware: string): void {
    const source = meterSource();
    this.keeper.check();
    this.sealer.channel({ ...source, identity: { ...source.identity, firmware } });
  }

  /** One reading as the agent seals it. */
  seal(importMwh: number): void {
    this.keeper.check();
    this.sealer.sealReading(this.#channel, meterReading(importMwh));
    this.#importMwh = importMwh;
  }

  /** Readings 5 s apart that count on by 1 Wh each. */
  run(count: number): void {
    for (let i = 0; i < count; i += 1) {
      this.machine.advance(5000);
      this.seal(this.#importMwh + 1000);
      this.sealer.closeOverdue();
    }
  }

  leaves(): Leaf[] {
    this.sealer.commit();
    const { epoch } = this.log.identity;
    return this.log.journal.leaves(epoch, 0, this.sealer.durableSize).map(decodeLeaf);
  }

  steps(): Extract<Leaf, { kind: "clockStep" }>[] {
    return this.leaves().flatMap((leaf) => (leaf.kind === "clockStep" ? [leaf] : []));
  }

  end(): void {
    this.sealer.commit();
    this.log.journal.close();
  }
}
