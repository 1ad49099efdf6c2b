import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toHex } from "../../attest/bytes.ts";
import { eventually } from "../kit/programs.ts";
import { readJournal } from "./kit/histories.ts";
import { CountingMeter } from "./kit/meter.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Line, Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { countEpochs } from "./peers/energy-once.ts";
import { deviceAt, nodeLine, UNLIMITED } from "./peers/quick-node.ts";
import { acknowledgedIn, FileRecord, type Fork, type OneSide } from "./peers/record.ts";
import { TcpProxy } from "./peers/tcp-proxy.ts";

/** How the copy is run beside the original. */
type Mode = "one-node" | "two-nodes" | "split";
const MODES: readonly Mode[] = ["one-node", "two-nodes", "split"];

/** One card was copied, and both run. */
export const twoAgents: Fault = {
  name: "two-agents",
  cycles: 6,
  does: "a key and its journal are copied, and both agents run at one node, at two nodes, or each cut off from one of two",
  run: runTwoAgents,
};

const MORE_LEAVES = 30;
const WAIT_MS = 60_000;
/** An agent that was replaced comes back after 150 to 300 s. */
const REPLACED_MS = 330_000;
const TOGETHER_MS = 4000;
const COPIED = ["device.key", "journal.sqlite", "journal.sqlite-wal", "journal.sqlite.epoch"] as const;
/** Any of these tells the owner, or the node's operator, that something is wrong with this key. */
const SIGNS = ["connection-replaced", "fork", "quarantine", "epoch-closed", "epoch-open-mismatch"] as const;

async function runTwoAgents({ cycles, folder, said }: FaultRun): Promise<FaultOutcome> {
  const meter = await CountingMeter.start();
  const sum = { acknowledged: 0, lost: 0, forks: 0, fsckRuns: 0, unsound: 0, problems: [] as string[] };
  const figures: Record<string, string> = {};
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const mode = MODES[cycle % MODES.length] ?? "one-node";
      // The one that is connected is stopped in the last cycle only, because the other takes minutes to come back.
      const stops = cycle > 0 && cycle === cycles - 1 ? "connected" : "replaced";
      const pair = new Pair(join(folder, `${cycle}`), meter, mode);
      const found = await pair.run(stops);
      for (const key of ["acknowledged", "lost", "fsckRuns", "unsound"] as const) sum[key] += found[key];
      sum.problems.push(...found.problems.map((problem) => `cycle ${cycle}, ${mode}: ${problem}`));
      figures[`${mode}${cycle}`] = pair.words;
      said(cycle + 1, sum);
    }
  } finally {
    await meter.close();
  }
  return { cycles, ...sum, gaps: 0, figures };
}

/** Two nodes and two agents with one key, from the copy to the end. */
class Pair {
  words = "";
  readonly #mode: Mode;
  readonly #nodes: readonly [FaultSite, FaultSite];
  readonly #folder: string;
  readonly #meter: CountingMeter;
  readonly #record = new FileRecord();
  readonly #sites: FaultSite[] = [];
  readonly #proxies: TcpProxy[] = [];
  readonly #nodeRuns: Running[] = [];
  /** The line of each agent that may be cut, by the agent's name. */
  readonly #far = new Map<string, TcpProxy>();
  #lines: readonly string[] = [];

  constructor(folder: string, meter: CountingMeter, mode: Mode) {
    this.#mode = mode;
    this.#folder = folder;
    this.#meter = meter;
    const nodeAt = (name: string): FaultSite =>
      new FaultSite(join(folder, name), meter, { nodeYaml: UNLIMITED });
    this.#nodes = [nodeAt("n1"), nodeAt("n2")];
  }

  async run(stops: "connected" | "replaced"): Promise<FileRecord["findings"]> {
    try {
      await this.#startNodes();
      const original = await this.#agentAt("a", "n2");
      const copy = await this.#agentAt("b", "n1");
      await this.#ranUntilMore(original);
      copyCard(original, copy);
      const before = sizeSigned(original);
      const agents = await this.#runBoth(original, copy, before);
      await this.#requireVisible(agents);
      await this.#stopOne(agents, stops);
      await this.#look([original, copy]);
      this.#say(agents);
    } catch (cause) {
      this.#record.problem(cause instanceof Error ? cause.message : String(cause));
    } finally {
      await Promise.all([...this.#sites, ...this.#nodes].map((site) => site.stopPrograms()));
      await Promise.all(this.#proxies.map((proxy) => proxy.close()));
      rmSync(this.#folder, { recursive: true, force: true });
    }
    return this.#record.findings;
  }

  get #used(): readonly FaultSite[] {
    return this.#mode === "one-node" ? this.#nodes.slice(0, 1) : this.#nodes;
  }

  async #startNodes(): Promise<void> {
    for (const site of this.#used) this.#nodeRuns.push(await site.startNode());
  }

  /** A folder of an agent that reaches every node by a line of its own, which for `farNode` may be cut. */
  async #agentAt(name: string, farNode: string): Promise<FaultSite> {
    const lines: string[] = [];
    for (const node of this.#used) {
      const proxy = await TcpProxy.start(node.wsPort);
      this.#proxies.push(proxy);
      lines.push(nodeLine(proxy.url, toHex(node.nodeKey)));
      if (node.folder.endsWith(farNode)) this.#far.set(name, proxy);
    }
    const site = new FaultSite(join(this.#folder, name), this.#meter, {
      samplingMs: 300,
      agentYaml: `nodes:\n${lines.join("\n")}`,
    });
    this.#sites.push(site);
    this.#lines = lines;
    return site;
  }

  async #ranUntilMore(site: FaultSite): Promise<void> {
    const agent = site.launchAgent();
    await agent.until("receipts of every node", WAIT_MS, () =>
      this.#lines.every((_, at) => (agent.status?.nodes[at]?.receiptedSize ?? 0) >= MORE_LEAVES)
        ? true
        : undefined,
    );
    const { code } = await agent.kill("SIGTERM");
    if (code !== 0) this.#record.problem(`the original ended with ${code}`);
  }

  async #runBoth(original: FaultSite, copy: FaultSite, before: number): Promise<[Running, Running]> {
    const first = original.launchAgent();
    if (this.#mode === "split") await this.#split(first);
    const second = copy.launchAgent();
    await Promise.all([first.accepting(), second.accepting()]);
    await pause(TOGETHER_MS);
    if (this.#mode === "split") await this.#heal(copy, second, before);
    return [first, second];
  }

  /** The original has asked both nodes, and from then on each agent reaches one of them only. */
  async #split(first: Running): Promise<void> {
    await first.until("both nodes", WAIT_MS, () =>
      first.status?.nodes.every(({ connected }) => connected) === true ? true : undefined,
    );
    for (const proxy of this.#far.values()) {
      proxy.refuse(true);
      proxy.cut("rst");
    }
  }

  /** Who cannot ask every node that it had receipts of has not signed. */
  async #heal(copy: FaultSite, second: Running, before: number): Promise<void> {
    const signed = sizeSigned(copy);
    if (signed > before)
      this.#record.problem(`the copy signed ${signed - before} leaves behind one node's back`);
    if (!second.lines.some(({ event }) => event === "signing-waits"))
      this.#record.problem("the copy does not say that its signing waits");
    for (const proxy of this.#far.values()) proxy.refuse(false);
    await second.until("the node that was cut off", WAIT_MS, () =>
      second.status?.nodes[0]?.connected === true || second.status?.epoch !== 1 ? true : undefined,
    );
    await pause(TOGETHER_MS);
  }

  /** Both an owner, at one of the agents, and an operator, at one of the nodes, can see it. */
  async #requireVisible(agents: readonly Running[]): Promise<void> {
    await eventually("the owner sees that the key is used twice", WAIT_MS, () =>
      agents.some((agent) => agent.lines.some(isSignAtAgent)) ? true : undefined,
    ).catch((cause: unknown) => this.#record.problem(String(cause)));
    await eventually("an operator sees that the key is used twice", WAIT_MS, async () =>
      this.#nodeRuns.some((node) => node.lines.some(isSignAtNode)) ? true : undefined,
    ).catch((cause: unknown) => this.#record.problem(String(cause)));
  }

  /** The other one goes on: new receipts, or a refusal that says that an operator has to look. */
  async #stopOne(agents: readonly [Running, Running], stops: "connected" | "replaced"): Promise<void> {
    const isConnected = (agent: Running): boolean =>
      agent.status?.nodes.every((node) => node.connected) === true;
    const [one, other] = isConnected(agents[0]) === (stops === "connected") ? agents : [agents[1], agents[0]];
    const { code } = await one.kill("SIGTERM");
    if (code !== 0) this.#record.problem(`the agent that was stopped ended with ${code}`);
    const from = { lines: other.lines.length, signed: other.status?.log.signed ?? 0 };
    await other.until("the other agent to go on", REPLACED_MS, () => {
      const { status } = other;
      const held = other.lines.some((line) => String(line["code"]).includes("quarantine"));
      const served = status?.nodes.every((node) => node.connected && node.receiptedSize > 0) === true;
      const fresh = status !== undefined && (status.epoch > 1 || status.log.signed > from.signed);
      return held || (served && fresh) ? true : undefined;
    });
    const ended = await other.kill("SIGTERM");
    if (ended.code !== 0) this.#record.problem(`the agent that went on ended with ${ended.code}`);
  }

  async #look(agents: readonly FaultSite[]): Promise<void> {
    const nodeKeys = this.#used.map(({ nodeKey }) => nodeKey);
    const [deviceKey] = agents.map((site) => site.deviceKey);
    if (deviceKey === undefined) return;
    const sideAt = (kind: OneSide["kind"], path: string): OneSide => ({ kind, path, deviceKey, nodeKeys });
    const stores = this.#used.map(({ store }) => sideAt("store", store));
    const journals = agents.map(({ journal }) => sideAt("journal", journal));
    for (const side of [...stores, ...journals]) await this.#record.look(side);
    this.#record.requireHeld([...stores, ...journals]);
    // Each log for itself: between two clones, an interval is claimed once per key.
    for (const store of stores)
      for (const problem of countEpochs(acknowledgedIn(store), this.#meter.served).problems)
        this.#record.problem(problem);
    await this.#sayHeld(toHex(deviceKey), this.#record.forks);
  }

  /** What the nodes hold and hold against the key, and how often the two signed one size with two roots. */
  async #sayHeld(deviceKey: string, forks: readonly Fork[]): Promise<void> {
    const kept = await Promise.all(this.#used.map((site) => deviceAt(site, deviceKey, "/faults")));
    const logs = await Promise.all(this.#used.map((site) => deviceAt(site, deviceKey)));
    const epochs = logs.map((log) =>
      [...JSON.stringify(log).matchAll(/"epoch":(\d+)/g)].map(([, epoch]) => epoch),
    );
    const faults = kept.map((answer) =>
      [...JSON.stringify(answer).matchAll(/"kind":"([^"]+)"/g)].map(([, kind]) => kind),
    );
    this.words = `epochs ${JSON.stringify(epochs)}, faults ${JSON.stringify(faults)}, sizes signed twice ${forks.length}`;
  }

  #say(agents: readonly Running[]): void {
    const said = agents.map((agent) => codes(agent.lines.filter(isSignAtAgent)));
    const nodes = this.#nodeRuns.map((node) => codes(node.lines.filter(isSignAtNode)));
    this.words += `, agents ${JSON.stringify(said)}, nodes ${JSON.stringify(nodes)}`;
  }
}

function copyCard(from: FaultSite, to: FaultSite): void {
  mkdirSync(to.folder, { recursive: true });
  for (const file of COPIED) {
    const path = join(from.folder, file);
    if (existsSync(path)) copyFileSync(path, join(to.folder, file));
  }
}

function sizeSigned(site: FaultSite): number {
  return readJournal(site.journal).reduce(
    (most, { checkpoints }) => Math.max(most, checkpoints.at(-1)?.size ?? 0),
    0,
  );
}

function isSignAtAgent(line: Line): boolean {
  return line["event"] === "epoch-opened" || SIGNS.some((sign) => line["code"] === `node-refused:${sign}`);
}

function isSignAtNode(line: Line): boolean {
  return line["event"] === "quarantine" || SIGNS.some((sign) => line["code"] === sign);
}

function codes(lines: readonly Line[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const name = String(line["code"] ?? `${String(line["event"])}: ${String(line["reason"])}`);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
