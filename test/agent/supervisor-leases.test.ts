import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { leaseFileText, readBootId } from "../../agent/control/lease-file.ts";
import type { KeptLease } from "../../agent/control/types.ts";
import { type Supervised, supervise } from "../../agent/supervisor.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import { type Line, recordingLogger, temporaryFolder } from "./kit.ts";

const LEASE: Omit<KeptLease, "untilMonotonicMs"> = {
  ...{ device: "battery", kind: "powerSetpoint", channel: "battery", reverts: "holder" },
};

interface Given {
  readonly agent: string;
  readonly revert?: string;
  readonly mostMs?: number;
}

interface Ended {
  readonly code: number;
  /** Names of the programs in the order in which they were run, with what was given to them. */
  readonly order: readonly string[];
  readonly lines: readonly Line[];
}

/** A folder with a file of leases, and programs that read and write it. */
class Bench {
  readonly remove: () => void;
  readonly #file: string;
  readonly #runs: string;

  constructor() {
    const { folder, remove } = temporaryFolder();
    this.#file = join(folder, "journal.sqlite.leases");
    this.#runs = join(folder, "runs");
    writeFileSync(this.#runs, "");
    this.remove = remove;
  }

  async supervised({ agent, revert = "put(over);", mostMs = 20_000 }: Given): Promise<Ended> {
    const { logger, lines } = recordingLogger();
    const what: Supervised = {
      ...{ ...this.#program("agent", agent), logger },
      leases: { file: this.#file, revert: this.#program("revert", revert), mostMs, lookMs: 50 },
    };
    const code = await supervise(what);
    return { code, lines, order: readFileSync(this.#runs, "utf8").trim().split("\n") };
  }

  /** A program that writes down its name and what was given to it, and then does `then`; `run` counts those of its name. */
  #program(name: string, then: string): { command: string; args: string[] } {
    const script = `const fs = require("node:fs");
      const runs = ${JSON.stringify(this.#runs)}, file = ${JSON.stringify(this.#file)};
      const leased = ${JSON.stringify(leaseText([{ ...LEASE, untilMonotonicMs: monotonicMs() + 60_000 }]))};
      const over = ${JSON.stringify(leaseText([]))};
      const put = (text) => { fs.writeFileSync(file + ".new", text); fs.renameSync(file + ".new", file); };
      fs.appendFileSync(runs, [${JSON.stringify(name)}, ...process.argv.slice(1)].join(" ") + "\\n");
      const run = fs.readFileSync(runs, "utf8").split("\\n").filter((line) => line.startsWith(${JSON.stringify(name)})).length;
      ${then}`;
    return { command: process.execPath, args: ["-e", script, "--"] };
  }
}

function leaseText(leases: readonly KeptLease[]): string {
  return leaseFileText({ version: 1, bootId: readBootId(), leases, phases: {}, reverted: [] });
}

function events(lines: readonly Line[]): readonly string[] {
  return lines.map(({ event }) => event);
}

async function supervised(given: Given): Promise<Ended> {
  const bench = new Bench();
  try {
    return await bench.supervised(given);
  } finally {
    bench.remove();
  }
}

/** At once: most of each is a wait. */
describe.concurrent("supervisor of an agent that commands devices", () => {
  it("reverts nothing where nothing is leased", async () => {
    expect(await supervised({ agent: "process.exit(0);" })).toMatchObject({
      code: 0,
      order: ["agent"],
      lines: [],
    });
    expect((await supervised({ agent: "put(over); process.exit(2);" })).order).toEqual(["agent"]);
  });

  it.each([
    ["fails", "process.exit(1);", "agent-ended"],
    ["is killed", "process.kill(process.pid, 'SIGKILL');", "agent-killed"],
  ])("reverts before it starts an agent again that %s", async (_, end, reason) => {
    const { code, order, lines } = await supervised({
      agent: `if (run === 1) { put(leased); ${end} } else process.exit(0);`,
    });
    expect(code).toBe(0);
    expect(order).toEqual(["agent", `revert --reason ${reason}`, "agent"]);
    expect(events(lines).filter((event) => event !== "agent-killed")).toEqual([
      ...["leases-revert", "leases-reverted", "agent-restarts"],
    ]);
  });

  it.each([0, 2])("reverts before it ends itself with the agent's own status %i", async (code) => {
    const ended = await supervised({ agent: `put(leased); process.exit(${code});` });
    expect(ended).toMatchObject({ code, order: ["agent", "revert --reason agent-ended"] });
  });

  it("starts the agent all the same when reverting fails again and again", async () => {
    const { order, lines } = await supervised({
      agent: "if (run === 2) process.exit(0); put(leased); process.exit(1);",
      revert: "process.exit(run === 1 ? 1 : 0);",
      mostMs: 6000,
    });
    // The last one is that behind the second agent, which finds the lease as it was.
    expect(order.slice(0, 2)).toEqual(["agent", "revert --reason agent-ended"]);
    expect(order.indexOf("agent", 1)).toBeGreaterThanOrEqual(3);
    const left = lines.find(({ event }) => event === "leases-not-reverted");
    expect(left).toMatchObject({ ended: "leases are left", left: ["battery: powerSetpoint"] });
    expect(events(lines)).toContain("agent-restarts");
  });

  it("tries again what a signal ended", async () => {
    const { order, lines } = await supervised({
      agent: "put(leased); process.exit(0);",
      revert: "if (run === 1) process.kill(process.pid, 'SIGKILL'); else put(over);",
    });
    expect(order).toHaveLength(3);
    expect(events(lines)).toEqual(["leases-revert", "leases-reverted"]);
  });

  it("does not try again where the configuration is wrong", async () => {
    const { order, lines } = await supervised({
      agent: "put(leased); process.exit(0);",
      revert: "process.exit(2);",
    });
    expect(order).toHaveLength(2);
    expect(lines.at(-1)).toMatchObject({ event: "leases-not-reverted", ended: 2 });
  });

  it("tries once with a file that it cannot read: whoever reverts says what is wrong", async () => {
    const { order, lines } = await supervised({
      agent: "put('{'); process.exit(0);",
      revert: "process.exit(1);",
    });
    expect(order).toHaveLength(2);
    expect(events(lines)).toEqual(["leases-unreadable", "leases-revert", "leases-not-reverted"]);
  });

  it("ends an agent that gives no sign of life, which SIGTERM would not", async () => {
    const { order, lines } = await supervised({
      agent: `if (run === 2) process.exit(0);
        process.on("SIGTERM", () => {}); put(leased); process.send({ event: "control-alive" }); for (;;) {}`,
    });
    expect(order).toEqual(["agent", "revert --reason agent-hung", "agent"]);
    expect(lines[0]).toEqual({
      ...{ event: "agent-ended", reason: "agent-hung", device: "battery", kind: "powerSetpoint" },
    });
    expect(events(lines)).toContain("leases-reverted");
  });

  it("leaves one alone that does", async () => {
    const { order } = await supervised({
      agent: `put(leased); setInterval(() => process.send({ event: "control-alive" }), 50);
        setTimeout(() => { put(over); process.exit(0); }, 2000);`,
    });
    expect(order).toEqual(["agent"]);
  });
});
