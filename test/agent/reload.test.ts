import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AgentConfig, loadAgentConfig } from "../../agent/config/config.ts";
import { ReloadingAgent } from "../../agent/reload/reloading-agent.ts";
import { fromHex } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { eventually, jsonLines, type Program } from "../kit/programs.ts";
import { eachOnFreshSite, type Site } from "../path/site.ts";
import { recordingLogger } from "./kit.ts";

/** For several waits one behind the other. */
const LONG = { timeout: 120_000 };

let site: Site;
eachOnFreshSite((fresh) => {
  site = fresh;
});

function leaves(): Leaf[] {
  return site.journalLeaves().map((hex) => decodeLeaf(fromHex(hex, "leaf")));
}

function events(agent: Program, name: string): Readonly<Record<string, unknown>>[] {
  return jsonLines(agent.stderr).filter(({ event }) => event === name);
}

async function hangUp(agent: Program, answer: string): Promise<Readonly<Record<string, unknown>>> {
  const before = events(agent, answer).length;
  agent.child.kill("SIGHUP");
  return eventually(`${answer}; it printed:\n${agent.stderr}`, 25_000, () => events(agent, answer)[before]);
}

async function readings(channel: string, atLeast: number): Promise<void> {
  await eventually(`${atLeast} readings of ${channel}`, 25_000, () => {
    const all = leaves();
    const number = all.find((leaf) => leaf.kind === "channelManifest" && leaf.name === channel);
    if (number?.kind !== "channelManifest") return undefined;
    const count = all.filter((leaf) => leaf.kind === "reading" && leaf.channel === number.channel).length;
    return count >= atLeast ? true : undefined;
  });
}

/** Registers of a channel's readings in the order of the log. */
function registers(all: readonly Leaf[], channel: number): number[] {
  return all.flatMap((leaf) =>
    leaf.kind === "reading" && leaf.channel === channel ? [leaf.importMwh ?? leaf.exportMwh ?? -1] : [],
  );
}

describe("kilowitness agent after SIGHUP", () => {
  it(
    "goes on in the same log with what was changed, seals nothing twice and leaves no gap",
    LONG,
    async () => {
      await site.startNode();
      const config = site.writeAgentConfig();
      const agent = site.startAgent();
      await agent.event("agent-ready");
      await readings("roof/inverter", 5);
      writeFileSync(
        config,
        readFileSync(config, "utf8").replace(
          /^( {2}- \{ id: roof.*), intervalMs: 200 \}$/m,
          "$1, intervalMs: 100 }",
        ),
      );
      const said = await hangUp(agent, "config-reloaded");
      expect(said).toMatchObject({ devices: 2, nodes: 1 });
      const pid = agent.child.pid;
      const atReload = leaves().length;
      await eventually("more", 25_000, () => (leaves().length > atReload + 15 ? true : undefined));
      await hangUp(agent, "config-reloaded");
      await eventually("more", 25_000, () => (leaves().length > atReload + 30 ? true : undefined));
      expect(await agent.kill("SIGTERM")).toBe(0);
      expect(agent.child.pid).toBe(pid);

      const all = leaves();
      const kinds = new Set(all.map(({ kind }) => kind));
      expect(
        [...kinds].filter((kind) => kind === "discontinuity" || kind === "clockStep" || kind === "epochOpen"),
      ).toEqual([]);
      for (const channel of [1, 2]) {
        const steps = registers(all, channel);
        expect(steps.length).toBeGreaterThan(5);
        expect(steps).toEqual([...steps].sort((a, b) => a - b));
      }
      const intervals = all.flatMap((leaf) =>
        leaf.kind === "channelManifest" && leaf.name === "roof/inverter" ? [leaf.samplingMs] : [],
      );
      expect(intervals).toEqual([200, 100]);
      const closed = registersOfCloses(all);
      for (const chain of closed.values())
        for (const [at, { opening }] of chain.entries())
          if (at > 0) expect(opening).toBe(chain[at - 1]?.closing);
      expect(
        runFsck(site.path("journal.sqlite"), {
          deviceKeys: [site.deviceKey],
          nodeKeys: [],
          most: 5,
          looked: () => undefined,
        }).findings,
      ).toEqual([]);
      expect(await site.nodeSize()).toBe(events(agent, "agent-stopped").at(-1)?.["signed"]);
    },
  );

  it("goes on as it was when the configuration is wrong, or another log's", LONG, async () => {
    site.nodePort = 9;
    site.nodeKey = "ab".repeat(32);
    const config = site.writeAgentConfig();
    const text = readFileSync(config, "utf8");
    const agent = site.startAgent();
    await agent.event("agent-ready");
    const codes = [];
    for (const line of ["netwrok: x", "network: another", "journal: another.sqlite", "key: another.key"]) {
      const key = line.slice(0, line.indexOf(":"));
      writeFileSync(config, `${text.replace(new RegExp(`^${key}: .*\n`, "m"), "")}${line}\n`);
      const { code, level } = await hangUp(agent, "config-refused");
      codes.push([code, level]);
    }
    expect(codes).toEqual([
      ["config-invalid", "warn"],
      ...Array.from({ length: 3 }, () => ["config-restart", "warn"]),
    ]);
    const before = leaves().length;
    await eventually("more", 25_000, () => (leaves().length > before + 3 ? true : undefined));
    expect(events(agent, "agent-stopped")).toEqual([]);
    writeFileSync(config, text);
    await hangUp(agent, "config-reloaded");
    expect(await agent.kill("SIGTERM")).toBe(0);
  });
});

interface Close {
  readonly opening: number | undefined;
  readonly closing: number | undefined;
}

function registersOfCloses(all: readonly Leaf[]): ReadonlyMap<number, Close[]> {
  const chains = new Map<number, Close[]>();
  for (const leaf of all) {
    if (leaf.kind !== "intervalClose") continue;
    const chain = chains.get(leaf.channel) ?? [];
    chain.push({
      opening: leaf.openingImportMwh ?? leaf.openingExportMwh,
      closing: leaf.closingImportMwh ?? leaf.closingExportMwh,
    });
    chains.set(leaf.channel, chain);
  }
  return chains;
}

/** An agent that only notes what is done to it. */
class Noted {
  readonly #name: string;
  readonly #notes: string[];
  constructor(name: string, notes: string[]) {
    this.#name = name;
    this.#notes = notes;
  }
  start(): void {
    this.#notes.push(`start ${this.#name}`);
  }
  async stop(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#notes.push(`stop ${this.#name}`);
  }
}

function noted(notes: readonly string[], note: string): Promise<true> {
  return eventually(note, 20_000, () => notes.includes(note) || undefined);
}

describe("a reloading agent", () => {
  /** With a configuration for each reload, and those that no agent can be made of. */
  function reloading(levels: readonly string[], bad: readonly string[] = []) {
    const notes: string[] = [];
    const { logger, lines } = recordingLogger();
    site.nodePort = 9;
    site.nodeKey = "ab".repeat(32);
    const config = loadAgentConfig(site.writeAgentConfig());
    const site_ = (name: string): AgentConfig => ({ ...config, site: { name } });
    const wanted = [...levels];
    const agent = new ReloadingAgent({
      ...{ config: site_("first"), logger: () => logger },
      load: () => site_(wanted.shift() ?? "none"),
      make: ({ site: { name = "" } }) => {
        if (bad.includes(name)) throw new Error(`no agent ${name}`);
        notes.push(`make ${name}`);
        return new Noted(name, notes);
      },
    });
    agent.start();
    return { agent, notes, lines };
  }

  it("stops one agent before it makes the next, and reads once for several signals", async () => {
    const { agent, notes, lines } = reloading(["second", "third"]);
    for (let i = 0; i < 5; i++) agent.reload();
    await noted(notes, "start second");
    await agent.stop();
    expect(notes).toEqual([
      "make first",
      "start first",
      "stop first",
      "make second",
      "start second",
      "stop second",
    ]);
    expect(lines.map(({ event }) => event)).toEqual(["config-reloaded"]);
  });

  it("takes the configuration before when no agent can be made of the new one", async () => {
    const { agent, notes, lines } = reloading(["bad", "good"], ["bad"]);
    agent.reload();
    await eventually("the first one again", 20_000, () => (notes.length > 4 ? true : undefined));
    expect(notes.slice(2)).toEqual(["stop first", "make first", "start first"]);
    expect(lines).toMatchObject([{ event: "config-put-back", message: "no agent bad" }]);
    agent.reload();
    await noted(notes, "start good");
    await agent.stop();
    expect(notes.slice(5)).toEqual(["stop first", "make good", "start good", "stop good"]);
  });

  it("says that it is broken when that fails, too", async () => {
    const bad: string[] = [];
    const { agent } = reloading(["second"], bad);
    bad.push("second", "first");
    agent.reload();
    await expect(agent.broken).rejects.toThrow("no agent first");
  });

  it("reads nothing more once it is to stop", async () => {
    const { agent, notes } = reloading(["second"]);
    agent.reload();
    await agent.stop();
    agent.reload();
    expect(notes).toEqual(["make first", "start first", "stop first"]);
  });
});
