import type { SimulatedControlFault } from "../../drivers/simulated/profile-faults.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Cleanups } from "./cleanups.ts";
import { FlexAgent } from "./flex-agent.ts";
import { DemoClock } from "./flex-clock.ts";
import { type FlexDevices, startFlexDevices } from "./flex-devices.ts";
import { FlexNode } from "./flex-node.ts";
import { type Pace, PLAN } from "./flex-plan.ts";
import { FlexTruth } from "./flex-truth.ts";

export interface FlexWorldOptions {
  readonly folder: string;
  readonly nodePath: string;
  readonly logger: Logger;
  readonly fault?: SimulatedControlFault;
}

/** Home, device and node on one clock, with a direct call for the network between the two. */
export class FlexWorld {
  readonly clock: DemoClock;
  readonly devices: FlexDevices;
  readonly agent: FlexAgent;
  readonly node: FlexNode;
  /** What truly flowed, as the home itself counts it. */
  readonly truth: FlexTruth;
  #readMs = Number.NEGATIVE_INFINITY;
  #shipMs = Number.NEGATIVE_INFINITY;

  private constructor(parts: Pick<FlexWorld, "clock" | "devices" | "agent" | "node">) {
    this.clock = parts.clock;
    this.devices = parts.devices;
    this.agent = parts.agent;
    this.node = parts.node;
    this.truth = new FlexTruth(parts.devices.home);
  }

  static async start(
    { folder, nodePath, logger, fault }: FlexWorldOptions,
    cleanups: Cleanups,
  ): Promise<FlexWorld> {
    const clock = new DemoClock(PLAN.startMs);
    const devices = await startFlexDevices(clock, cleanups, fault);
    const agent = new FlexAgent({ clock, folder, logger, devices }, cleanups);
    const deviceKey = agent.signer.publicKey;
    const node = new FlexNode({ clock, path: nodePath, logger, deviceKey }, cleanups);
    return new FlexWorld({ clock, devices, agent, node });
  }

  /** Lets time pass. */
  async pass(untilMs: number, { tickMs, readMs, shipMs }: Pace): Promise<void> {
    const { clock, agent } = this;
    for (let nowMs = clock.nowMs; nowMs <= untilMs; nowMs += tickMs) {
      clock.set(nowMs);
      if (nowMs - this.#readMs >= readMs) {
        this.#readMs = nowMs;
        await agent.read();
        this.truth.note(nowMs);
      }
      await agent.tick();
      if (nowMs - this.#shipMs >= shipMs || agent.isUrgent) await this.exchange();
    }
  }

  /** Both sides say what they have to say, until neither has anything left. */
  async exchange(): Promise<void> {
    const { agent, node, clock } = this;
    this.#shipMs = clock.nowMs;
    do {
      for (const batch of await agent.batches())
        agent.receipted(node.signer.publicKey, await node.take(batch));
      await node.work();
      for (const message of node.outbox.splice(0)) await agent.take(node.signer.publicKey, message);
      for (const message of agent.outbox.splice(0)) node.refused(message);
    } while (agent.isUrgent);
  }
}
