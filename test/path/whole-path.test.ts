import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it, vi } from "vitest";
import { openLogForReading } from "../../agent/journal/open-log.ts";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { eventually, jsonLines, type Program, run } from "../kit/programs.ts";
import { bytesOf, eachOnFreshSite, type Site } from "./site.ts";

/** Programs are started one after the other here, and each of them has its own deadline. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** An agent that stops sooner than this has stopped because its node has everything. */
const LEAST_GRACE_MS = 3000;

/** What the node holds, straight out of its database: all leaf bytes of the only log, in hexadecimal. */
function storedBytes(site: Site): string {
  const database = new Database(site.path("store.sqlite"), { readonly: true });
  const rows = database.prepare("SELECT leaves FROM batch ORDER BY first_seq").all();
  database.close();
  return rows.map((row) => Buffer.from((row as { leaves: Buffer }).leaves).toString("hex")).join("");
}

async function proofOf(site: Site, channel: string): Promise<{ file: string; from: number; to: number }> {
  const key = toHex(site.deviceKey);
  const base = `http://127.0.0.1:${site.httpPort}/devices/${key}`;
  const close = await eventually("a plain closed interval at the node", 60_000, async () => {
    const answer = await fetch(`${base}/intervals?channel=${encodeURIComponent(channel)}`);
    if (!answer.ok) return undefined;
    const body = (await answer.json()) as { intervals: { t0Ms: number; t1Ms: number; shape: string[] }[] };
    return body.intervals.find(({ shape }) => shape.length === 0);
  });
  const answer = await fetch(
    `${base}/proof?channel=${encodeURIComponent(channel)}&from=${close.t0Ms}&to=${close.t1Ms}`,
  );
  expect(answer.status).toBe(200);
  const file = site.path("interval.kwp");
  writeFileSync(file, new Uint8Array(await answer.arrayBuffer()));
  return { file, from: close.t0Ms, to: close.t1Ms };
}

/** What the registers in the agent's journal say of the interval of the channel that begins then. */
function sealedWh(site: Site, name: string, fromMs: number): number {
  const leaves = site.journalLeaves().map((hex) => decodeLeaf(bytesOf(hex)));
  const channel = leaves.flatMap((leaf) =>
    leaf.kind === "channelManifest" && leaf.name === name ? [leaf.channel] : [],
  )[0];
  for (const leaf of leaves) {
    if (leaf.kind !== "intervalClose" || leaf.channel !== channel || leaf.t0Ms !== fromMs) continue;
    return ((leaf.closingExportMwh ?? Number.NaN) - (leaf.openingExportMwh ?? Number.NaN)) / 1000;
  }
  return Number.NaN;
}

interface Interval {
  readonly epoch: number;
  readonly t0Ms: number;
  readonly t1Ms: number;
  readonly exportWh: number;
}

/** From the first interval of epoch 1 to the last one of epoch 2: the node's proof and the agent's own say the same. */
async function expectProofsAcross(site: Site, channel: string): Promise<void> {
  const base = `http://127.0.0.1:${site.httpPort}/devices/${toHex(site.deviceKey)}`;
  const intervals = await eventually("an interval of epoch 2 at the node", 60_000, async () => {
    const answer = await fetch(`${base}/intervals?channel=${encodeURIComponent(channel)}`);
    const body = (await answer.json()) as { intervals: Interval[] };
    return body.intervals.at(-1)?.epoch === 2 ? body.intervals : undefined;
  });
  const [from, to] = [intervals[0]?.t0Ms, intervals.at(-1)?.t1Ms];
  const [theirs, own] = [site.path("theirs.kwp"), site.path("own.kwp")];
  const answer = await fetch(`${base}/proof?channel=${encodeURIComponent(channel)}&from=${from}&to=${to}`);
  writeFileSync(theirs, new Uint8Array(await answer.arrayBuffer()));
  const span = ["--channel", channel, "--from", String(from), "--to", String(to), "--out", own];
  expect(await run(["prove", "--config", site.path("agent.yaml"), ...span])).toMatchObject({ code: 0 });
  for (const file of [theirs, own]) {
    const trust = ["--trust", `device:${toHex(site.deviceKey)}`, `node:${site.nodeKey}`];
    const { code, stdout } = await run(["verify", file, ...trust, "--json"]);
    expect(code, stdout).toBe(0);
    const verdict = JSON.parse(stdout);
    expect(verdict).toMatchObject({ epochs: [1, 2], fromMs: from, toMs: to, gaps: [{ epoch: 2 }] });
    const claimed = intervals.filter(({ epoch, t1Ms }) => epoch === 2 || t1Ms <= verdict.gaps[0].fromMs);
    expect(verdict.export.wh).toBe(claimed.reduce((sum, { exportWh }) => sum + exportWh, 0));
  }
}

describe("the whole path, over real sockets and processes", () => {
  let site: Site;
  eachOnFreshSite((fresh) => {
    site = fresh;
  });

  it("reads, seals, streams, receipts and proves; a stranger with the keys agrees", async () => {
    await site.startNode();
    site.writeAgentConfig();
    const agent = site.startAgent();
    await agent.event("agent-ready");
    expect(statSync(site.path("device.key")).mode & 0o777).toBe(0o600);
    const { file } = await proofOf(site, "roof/inverter");

    const trusted = await run([
      "verify",
      file,
      "--trust",
      `device:${toHex(site.deviceKey)}`,
      "--trust",
      `node:${site.nodeKey}`,
      "--json",
    ]);
    expect(trusted.code).toBe(0);
    const verdict = JSON.parse(trusted.stdout);
    expect(verdict).toMatchObject({
      verdict: "valid",
      trust: "device",
      standing: "single witness",
      network: "path-test",
    });
    expect(verdict.meter.serial).toBe("INV-1");
    expect(verdict.export.wh).toBe(sealedWh(site, "roof/inverter", verdict.fromMs));
    // 3 mWh a millisecond over 2 s; each end may be read up to a second before its boundary, and on a busy machine be older still.
    expect(verdict.export.wh).toBeGreaterThan(0);
    expect(verdict.export.wh).toBeLessThan(12);
    const [opening, closing] = verdict.edges;
    // A reading may be older than its boundary by half an interval, and be receipted before it.
    const oldestMs = (verdict.toMs - verdict.fromMs) / 2;
    expect(opening.notAfterMs).toBeGreaterThanOrEqual(verdict.fromMs - oldestMs);
    expect(closing.notAfterMs).toBeGreaterThanOrEqual(verdict.toMs - oldestMs);

    const unknown = await run(["verify", file]);
    expect(unknown.code).toBe(0);
    expect(unknown.stdout.split("\n")[0]).toMatch(/^consistent, signed by an unknown key [0-9a-f-]{19}/);
    const forged = await run(["verify", file, "--trust", `device:${"11".repeat(32)}`, "--json"]);
    expect(forged.code).toBe(1);
    expect(JSON.parse(forged.stdout)).toMatchObject({ verdict: "invalid", fault: "untrusted-key" });

    const toldMs = performance.now();
    expect(await agent.kill("SIGTERM")).toBe(0);
    const stoppedInMs = performance.now() - toldMs;
    const leaves = site.journalLeaves();
    const stopped = await agent.event("agent-stopped");
    expect(stopped["size"]).toBe(leaves.length);
    // All but the anchors of the very last receipts is signed, sent and held by the node when the agent stops.
    const signed = Number(stopped["signed"]);
    const unsigned = leaves.slice(signed).map((hex) => decodeLeaf(bytesOf(hex)).kind);
    expect(unsigned.filter((kind) => kind !== "anchor")).toEqual([]);
    // It waits for the node until then, and no longer.
    if (stoppedInMs < LEAST_GRACE_MS) expect(await site.nodeSize()).toBeGreaterThanOrEqual(signed);
    expect(leaves.join("").startsWith(storedBytes(site))).toBe(true);
  });

  it("loses nothing sealed when either side is killed with kill -9, again and again", async () => {
    let node = await site.startNode();
    site.writeAgentConfig();
    let sealed: string[] = [];
    for (let round = 0; round < 6; round++) {
      const agent = site.startAgent();
      await agent.event("agent-ready");
      await new Promise((resolve) => setTimeout(resolve, 700 + 150 * round));
      if (round % 2 === 1) {
        await node.kill("SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      await agent.kill("SIGKILL");
      const now = site.journalLeaves();
      // What was durable before the last kill is still there, unchanged, and the log has only grown.
      expect(now.slice(0, sealed.length)).toEqual(sealed);
      sealed = now;
      if (round % 2 === 1) node = await site.startNode();
    }
    const last = site.startAgent();
    await last.event("agent-ready");
    await site.nodeReaches(sealed.length);
    expect(await last.kill("SIGTERM")).toBe(0);
    const leaves = site.journalLeaves();
    expect(leaves.slice(0, sealed.length)).toEqual(sealed);
    const stored = storedBytes(site);
    expect(stored.length).toBeGreaterThanOrEqual(sealed.join("").length);
    expect(leaves.join("").startsWith(stored)).toBe(true);
    expect(await node.kill("SIGTERM")).toBe(0);
  });

  it("goes on sealing without a node, and catches up when it comes", async () => {
    const first = await site.startNode();
    await first.kill("SIGTERM");
    site.writeAgentConfig();
    const agent = site.startAgent();
    const problem = await agent.event("node-problem");
    expect(problem["message"]).toContain("ECONNREFUSED");
    expect(problem["message"]).toContain("is the node running");
    const before = await eventually("sealed leaves", 60_000, () => {
      const size = site.journalLeaves().length;
      return size > 10 ? size : undefined;
    });
    await site.startNode();
    await site.nodeReaches(before);
    expect(await agent.kill("SIGTERM")).toBe(0);
  });

  it("speaks to no node but the configured one, and goes on sealing", async () => {
    await site.startNode();
    site.writeAgentConfig({ nodeKey: "ab".repeat(32) });
    const agent = site.startAgent();
    const problem = await agent.event("node-problem");
    expect(problem["code"]).toBe("node-key");
    expect(problem["message"]).toContain(site.nodeKey);
    await eventually("sealed leaves", 60_000, () => (site.journalLeaves().length > 5 ? true : undefined));
    expect(await site.nodeSize()).toBe(0);
  });

  it("opens the next epoch when its journal is older than what the node holds, and never signs the old one again", async () => {
    await site.startNode();
    site.writeAgentConfig();
    const agent = site.startAgent();
    await agent.event("agent-ready");
    await proofOf(site, "roof/inverter");
    await agent.kill("SIGTERM");
    const copy = readFileSync(site.path("journal.sqlite"));
    const again = site.startAgent();
    await site.nodeReaches((await site.nodeSize()) + 10);
    await again.kill("SIGTERM");
    writeFileSync(site.path("journal.sqlite"), copy);
    for (const suffix of ["-wal", "-shm"]) rmSync(site.path(`journal.sqlite${suffix}`), { force: true });
    const restored = site.startAgent();
    const opened = await restored.event("epoch-opened");
    expect(opened).toMatchObject({
      epoch: 2,
      after: 1,
      reason: "a node holds more of this log than the journal",
    });
    await expectProofsAcross(site, "roof/inverter");
    expect(await restored.kill("SIGTERM")).toBe(0);
    const opening = decodeLeaf(bytesOf(site.journalLeaves()[1] ?? ""));
    const held = openLogForReading({
      path: site.path("journal.sqlite"),
      network: "path-test",
      deviceKey: site.deviceKey,
    });
    const receipted = held.journal.receiptedSize(1, fromHex(site.nodeKey, "node key"));
    held.journal.close();
    const oldLogId = logIdOf(nativeSuite, { network: "path-test", deviceKey: site.deviceKey, epoch: 1 });
    expect(opening).toMatchObject({ kind: "epochOpen", oldLogId, oldSize: receipted });
  });

  it("starts again under its supervisor after kill -9 and stops with it", async () => {
    await site.startNode();
    site.writeAgentConfig();
    const parent = site.startAgent("--supervise");
    await parent.event("agent-ready");
    const pid = childOf(parent);
    process.kill(pid, "SIGKILL");
    await eventually("a second start", 60_000, () =>
      parent.stdout.match(/agent-ready/g)?.length === 2 ? true : undefined,
    );
    expect(await parent.kill("SIGTERM")).toBe(0);
  });

  it("stops by itself when its supervisor is killed with kill -9", async () => {
    await site.startNode();
    site.writeAgentConfig();
    const parent = site.startAgent("--supervise");
    await parent.event("agent-ready");
    const pid = childOf(parent);
    parent.child.kill("SIGKILL");
    await eventually("the end of the agent", 60_000, () => (isAlive(pid) ? undefined : true));
    await parent.event("agent-stopped");
  });

  it("reads a P1 meter on a serial line", async (context) => {
    if (spawnSync("socat", ["-V"]).status !== 0)
      context.skip("socat is not installed: no pty to stand in for a serial port");
    const pty = site.path("ttyP1");
    const target = site.p1Line.replace("tcp://", "TCP:");
    const socat = spawn("socat", [`PTY,link=${pty},raw,echo=0`, target], { stdio: "ignore" });
    const socatEnded = once(socat, "exit");
    site.closers.push(async () => {
      socat.kill();
      // It takes its link away: not while the folder is being removed, of which a part would stay.
      await socatEnded;
    });
    await eventually("the pty", 60_000, () => statSync(pty, { throwIfNoEntry: false }));
    await site.startNode();
    site.writeAgentConfig({ p1Line: `serial://${pty}` });
    const agent = site.startAgent();
    await eventually("the meter online", 60_000, () =>
      jsonLines(agent.stderr).some((line) => line["event"] === "device-online" && line["device"] === "meter")
        ? true
        : undefined,
    );
    const { file } = await proofOf(site, "meter/grid");
    const result = await run(["verify", file, "--trust", `device:${toHex(site.deviceKey)}`]);
    expect(result.stdout).toContain("serial K8EG004046395507");
    expect(await agent.kill("SIGTERM")).toBe(0);
  });
});

function childOf(parent: Program): number {
  const children = spawnSync("pgrep", ["-P", String(parent.child.pid)], { encoding: "utf8" }).stdout.trim();
  return Number(children.split("\n")[0]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: no such process.
    return false;
  }
}
