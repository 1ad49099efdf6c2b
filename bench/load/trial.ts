import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFsck } from "../../bin/fsck/run.ts";
import { type NodeConfig, nodeConfigSchema } from "../../network/config.ts";
import type { FleetPlan } from "./fleet.ts";
import type { FleetAnswers } from "./fleet-process.ts";
import type { NodeAnswers, Usage } from "./node-process.ts";
import { coreFromEnd, LoadProcess } from "./process.ts";

const NETWORK = "load";
const MOST_CONNECTIONS = 20_000;
/** One address is all of the fleet here, and its devices send faster than any that live. */
const NO_LIMITS = {
  ...{ maxConnections: MOST_CONNECTIONS, maxConnectionsPerAddress: MOST_CONNECTIONS },
  ...{ maxHandshakesPerMinute: 1_000_000, maxCheckpointsPerMinute: 60_000 },
};

export interface TrialOptions {
  readonly plan: Omit<FleetPlan, "network">;
  /** Where a CPU profile of the node is written when it ends. */
  readonly profileFolder?: string;
}

/** What the node used while so much was streamed. */
export interface Round {
  readonly batches: number;
  readonly readings: number;
  /** Of the node's process, all threads together. */
  readonly cpuMs: number;
  /** From the first message to the last receipt. */
  readonly wallMs: number;
}

/**
 * A real node with a store on the disk, kept to one core, and a fleet on another one whose batches were signed before
 * anything is measured. {@link Trial.end} throws unless each of them was receipted and the store is sound.
 */
export class Trial {
  readonly #folder: string;
  readonly #node: LoadProcess<NodeAnswers>;
  readonly #fleet: LoadProcess<FleetAnswers>;
  #sent = 0;

  private constructor(folder: string, { profileFolder }: TrialOptions) {
    this.#folder = folder;
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    this.#node = new LoadProcess<NodeAnswers>("./node-process.ts", {
      ...coreFromEnd(0),
      execArgv: ["--expose-gc", ...profile],
    });
    this.#fleet = new LoadProcess<FleetAnswers>("./fleet-process.ts", coreFromEnd(1));
  }

  /** Prepares the batches. */
  static async start(options: TrialOptions): Promise<Trial> {
    const trial = new Trial(mkdtempSync(join(tmpdir(), "kilowitness-load-")), options);
    await trial.#fleet.ask("prepare", { network: NETWORK, ...options.plan });
    return trial;
  }

  /** Starts the node, connects all devices, and opens their logs. */
  async connect(): Promise<{ readonly before: Usage; readonly connected: Usage }> {
    const address = await this.#node.ask("start", configIn(this.#folder));
    const before = await this.#node.ask("collected", undefined);
    await this.#fleet.ask("connect", address);
    const connected = await this.#node.ask("collected", undefined);
    await this.round(1);
    return { before, connected };
  }

  /** Sends the next so many batches of every device and waits for their receipts. */
  async round(batches: number): Promise<Round> {
    const begin = await this.#node.ask("usage", undefined);
    const streamed = await this.#fleet.ask("stream", batches);
    const end = await this.#node.ask("usage", undefined);
    this.#sent += streamed.batches;
    return { ...streamed, cpuMs: end.cpuMs - begin.cpuMs };
  }

  /** What the node uses when nothing is on its way. */
  usage(): Promise<Usage> {
    return this.#node.ask("collected", undefined);
  }

  async end(): Promise<void> {
    const { receipts } = await this.#fleet.ask("check", undefined);
    if (receipts !== this.#sent) throw new Error(`${this.#sent} batches were sent, ${receipts} receipted`);
    await this.#fleet.ask("close", undefined);
    await this.#node.ask("stop", undefined);
    await Promise.all([this.#fleet.end(), this.#node.end()]);
    requireSound(storeIn(this.#folder));
    rmSync(this.#folder, { recursive: true });
  }
}

/** Every leaf, signature, receipt and index row is looked at again, by code that has no part in storing them. */
function requireSound(path: string): void {
  const { findings } = runFsck(path, { deviceKeys: [], nodeKeys: [], network: NETWORK, most: 1 });
  if (findings[0] !== undefined) throw new Error("the store is not sound", { cause: findings[0] });
}

function storeIn(folder: string): string {
  return join(folder, "node.sqlite");
}

function configIn(folder: string): NodeConfig {
  return nodeConfigSchema.parse({
    ...{ network: NETWORK, key: join(folder, "node.key"), store: storeIn(folder) },
    ...{ listen: { port: 0 }, http: { port: 0 }, devices: "open", log: "error", ...NO_LIMITS },
  });
}
