import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "../../../attest/bytes.ts";
import { nativeSigner } from "../../../attest/native.ts";
import { readKey } from "../../../runtime/key-file.ts";
import { eventually } from "../../kit/programs.ts";
import { CountingMeter } from "./meter.ts";
import { Running, type RunningOptions } from "./running.ts";

export const NETWORK = "faults";
/** The meter's channel in the log. */
export const CHANNEL = "counted/meter";

/** Short times, so that much happens between two faults. Seconds, but the sampling in ms. */
export interface SiteSettings {
  readonly intervalSeconds?: number;
  readonly commitSeconds?: number;
  readonly checkpointSeconds?: number;
  readonly samplingMs?: number;
  /** More of the agent's file, as YAML lines. */
  readonly agentYaml?: string;
  readonly nodeYaml?: string;
  /** Where the journal and the store lie, when not in the site's folder. */
  readonly journalFolder?: string;
  readonly storeFolder?: string;
}

/** One meter, one agent and one node in one folder: real programs on real sockets, for harnesses that end them. */
export class FaultSite {
  readonly folder: string;
  readonly meter: CountingMeter;
  readonly settings: SiteSettings;
  readonly #running = new Set<Running>();
  /** Where the agent is to find the node: another one where a proxy lies between. */
  nodeUrl = "";
  wsPort = 0;
  httpPort = 0;
  #nodeKey = "";

  constructor(folder: string, meter: CountingMeter, settings: SiteSettings = {}) {
    this.folder = folder;
    this.meter = meter;
    this.settings = settings;
    mkdirSync(folder, { recursive: true });
    if (settings.journalFolder !== undefined) mkdirSync(settings.journalFolder, { recursive: true });
    if (settings.storeFolder !== undefined) mkdirSync(settings.storeFolder, { recursive: true });
  }

  static async start(folder: string, settings: SiteSettings = {}): Promise<FaultSite> {
    return new FaultSite(folder, await CountingMeter.start(), settings);
  }

  get journal(): string {
    return join(this.settings.journalFolder ?? this.folder, "journal.sqlite");
  }

  get store(): string {
    return join(this.settings.storeFolder ?? this.folder, "store.sqlite");
  }

  get agentConfig(): string {
    return join(this.folder, "agent.yaml");
  }

  get nodeConfig(): string {
    return join(this.folder, "node.yaml");
  }

  get keyFile(): string {
    return join(this.settings.journalFolder ?? this.folder, "device.key");
  }

  get deviceKey(): Uint8Array {
    return nativeSigner(readKey(this.keyFile).seed).publicKey;
  }

  get nodeKey(): Uint8Array {
    return fromHex(this.#nodeKey, "node key");
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  /** Starts the node without waiting for it. The first start must be waited for: it makes the key and the ports. */
  launchNode(options: RunningOptions = {}): Running {
    this.#writeNodeConfig();
    return this.#keep(
      new Running(["node", "--config", this.nodeConfig, "--json"], { ...options, tells: false }),
    );
  }

  /** A node that is ready; at the same place as the one before. */
  async startNode(options: RunningOptions = {}): Promise<Running> {
    const node = this.launchNode(options);
    const ready = await node.event("node-ready");
    this.wsPort = Number(new URL(String(ready["ws"])).port);
    this.httpPort = Number(new URL(String(ready["http"])).port);
    this.#nodeKey = String(ready["nodeKey"]);
    if (this.nodeUrl === "") this.nodeUrl = `ws://127.0.0.1:${this.wsPort}`;
    return node;
  }

  /** Starts the agent without waiting for anything. */
  launchAgent(options: RunningOptions = {}): Running {
    this.#writeAgentConfig();
    return this.#keep(new Running(["agent", "--config", this.agentConfig, "--json"], options));
  }

  /** Size of the device's newest log that the node has receipted; 0 for none or while there is no node. */
  async receiptedSize(): Promise<number> {
    const answer = await fetch(`${this.httpUrl}/devices`).catch(() => undefined);
    const body = answer?.ok === true ? await answer.text() : "";
    return Math.max(0, ...[...body.matchAll(/"size":(\d+)/g)].map(([, size]) => Number(size)));
  }

  /** Waits until the node has receipted that many leaves of the newest log. */
  receipted(size: number, withinMs = 60_000): Promise<number> {
    return eventually(`${size} leaves at the node`, withinMs, async () => {
      const now = await this.receiptedSize();
      return now >= size ? now : undefined;
    });
  }

  /** Ends every program that still runs, and leaves the meter. */
  async stopPrograms(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.ending ?? one.kill("SIGKILL")));
  }

  async close(): Promise<void> {
    await this.stopPrograms();
    await this.meter.close();
  }

  #keep(running: Running): Running {
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  #writeNodeConfig(): void {
    const text = `network: ${NETWORK}
key: ${join(this.folder, "node.key")}
store: ${this.store}
devices: open
listen: { port: ${this.wsPort} }
http: { port: ${this.httpPort} }
${this.settings.nodeYaml ?? ""}
`;
    writeFileSync(this.nodeConfig, text);
  }

  #writeAgentConfig(): void {
    const { intervalSeconds = 2, commitSeconds = 0.2, checkpointSeconds = 0.5 } = this.settings;
    const text = `network: ${NETWORK}
key: ${this.keyFile}
journal: ${this.journal}
intervalSeconds: ${intervalSeconds}
commitSeconds: ${commitSeconds}
checkpointSeconds: ${checkpointSeconds}
devices:
  - id: counted
    driver: sunspec
    host: 127.0.0.1
    port: ${this.meter.port}
    intervalMs: ${this.settings.samplingMs ?? 100}
${this.nodeUrl === "" ? "" : `nodes:\n  - { url: "${this.nodeUrl}", key: "${this.#nodeKey}" }`}
${this.settings.agentYaml ?? ""}
`;
    writeFileSync(this.agentConfig, text);
  }
}
