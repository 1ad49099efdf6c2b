import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { openLogForReading } from "../../agent/journal/open-log.ts";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { startP1Meter } from "../../drivers/simulated/p1-meter.ts";
import { startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import { readKey } from "../../runtime/key-file.ts";
import { eventually, Program } from "../kit/programs.ts";

/** Two simulated devices, a node and an agent in one folder, as processes that a test may kill. */
export class Site {
  readonly folder: string;
  readonly closers: (() => Promise<unknown> | unknown)[] = [];
  nodePort = 0;
  httpPort = 0;
  nodeKey = "";
  p1Line = "";
  inverterPort = 0;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A P1 meter and an inverter whose registers move with the time. */
  async startDevices(): Promise<void> {
    const began = Date.now();
    const grown = (mwhPerMs: number): number => Math.floor((Date.now() - began) * mwhPerMs);
    const meter = await startP1Meter({
      host: "127.0.0.1",
      port: 0,
      periodMs: 200,
      state: () => ({
        serial: "K8EG004046395507",
        importT1Mwh: 1_000_000_000 + grown(2),
        importT2Mwh: 2_000_000_000,
        exportT1Mwh: 500_000,
        exportT2Mwh: 0,
        activePowerMw: 7_200_000,
        timeMs: Date.now(),
        voltageMv: [230_000],
        currentMa: [3000],
      }),
    });
    const inverter = await startSunSpecInverter({
      host: "127.0.0.1",
      port: 0,
      state: () => ({ serial: "INV-1", exportMwh: 3_000_000_000 + grown(3), activePowerMw: -10_000_000 }),
      onServed: () => undefined,
    });
    this.p1Line = `tcp://127.0.0.1:${meter.port}`;
    this.inverterPort = inverter.port;
    this.closers.push(
      () => meter.close(),
      () => inverter.close(),
    );
  }

  async startNode(): Promise<Program> {
    const config = `network: path-test
key: ${this.path("node.key")}
store: ${this.path("store.sqlite")}
devices: open
listen: { port: ${this.nodePort} }
http: { port: ${this.httpPort} }
`;
    writeFileSync(this.path("node.yaml"), config);
    const node = new Program(["node", "--config", this.path("node.yaml"), "--json"]);
    this.closers.push(() => node.kill("SIGKILL"));
    const ready = await node.event("node-ready");
    this.nodePort = Number(new URL(String(ready["ws"])).port);
    this.httpPort = Number(new URL(String(ready["http"])).port);
    this.nodeKey = String(ready["nodeKey"]);
    return node;
  }

  writeAgentConfig(changes: { readonly nodeKey?: string; readonly p1Line?: string } = {}): string {
    const path = this.path("agent.yaml");
    const config = `network: path-test
key: device.key
journal: journal.sqlite
intervalSeconds: 2
commitSeconds: 0.3
checkpointSeconds: 0.5
devices:
  - { id: meter, driver: dsmr-p1, line: "${changes.p1Line ?? this.p1Line}", intervalMs: 200 }
  - { id: roof, driver: sunspec, host: 127.0.0.1, port: ${this.inverterPort}, intervalMs: 200 }
nodes:
  - { url: "ws://127.0.0.1:${this.nodePort}", key: "${changes.nodeKey ?? this.nodeKey}" }
`;
    writeFileSync(path, config);
    return path;
  }

  startAgent(...more: string[]): Program {
    const agent = new Program(["agent", "--config", this.path("agent.yaml"), "--json", ...more]);
    this.closers.push(() => agent.kill("SIGKILL"));
    return agent;
  }

  get deviceKey(): Uint8Array {
    return nativeSigner(readKey(this.path("device.key")).seed).publicKey;
  }

  /** Leaves that are durable in the agent's journal, in hexadecimal, in order. */
  journalLeaves(): string[] {
    const log = openLogForReading({
      path: this.path("journal.sqlite"),
      network: "path-test",
      deviceKey: this.deviceKey,
    });
    try {
      return log.journal.leaves(log.identity.epoch, 0, log.journal.size(log.identity.epoch)).map(toHex);
    } finally {
      log.journal.close();
    }
  }

  /** The size up to which the node has receipted the device's log, as its HTTP answers say. */
  async nodeSize(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.httpPort}/devices`);
    const body: unknown = await answer.json();
    const sizes = [...JSON.stringify(body).matchAll(/"size":(\d+)/g)].map(([, size]) => Number(size));
    return Math.max(0, ...sizes);
  }

  async nodeReaches(size: number, withinMs = 60_000): Promise<number> {
    return eventually(`${size} leaves at the node`, withinMs, async () => {
      const now = await this.nodeSize().catch(() => 0);
      return now >= size ? now : undefined;
    });
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close();
  }
}

/** Gives each test of the surrounding suite a fresh site with its devices, and leaves nothing of it behind. */
export function eachOnFreshSite(take: (site: Site) => void): void {
  let site: Site | undefined;
  beforeEach(async () => {
    site = new Site(mkdtempSync(join(tmpdir(), "kw-path-")));
    take(site);
    await site.startDevices();
  });
  afterEach(async () => {
    await site?.close();
    if (site !== undefined) rmSync(site.folder, { recursive: true, force: true });
  });
}

/** Bytes of hexadecimal text. */
export function bytesOf(hex: string): Uint8Array {
  return fromHex(hex, "test");
}
