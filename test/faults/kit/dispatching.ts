import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { jsonLines } from "../../kit/programs.ts";
import type { ControlledSite } from "./controlled-site.ts";
import { LAUNCHER, type Line } from "./running.ts";

const peer = (name: string): string => fileURLToPath(new URL(`../peers/${name}`, import.meta.url));

/** What the agent asks of the devices; renewed long before it is over. */
export const LEASE_MS = 30_000;

/** A supervisor with an agent that tells devices what to do. */
export interface Dispatched {
  /** The supervisor. */
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Everything that both printed. */
  readonly text: string;
  /** The process that dispatches; undefined until it begins to. */
  readonly agentPid: number | undefined;
  /** Ends what stands around both. */
  close(): Promise<void>;
}

/** The supervisor with an agent that is always in the middle of a dispatch, as processes of their own. */
export class Dispatching implements Dispatched {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  text = "";

  constructor(site: ControlledSite, by: "desk" | "driver") {
    const agent = [process.execPath, peer("dispatching-agent.ts"), site.config, String(LEASE_MS), by];
    const revert = [process.execPath, LAUNCHER, "flex", "revert", "--config", site.config, "--seconds", "20"];
    const args = [peer("supervising.ts"), site.leaseFile, JSON.stringify(agent), JSON.stringify(revert)];
    this.child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  get lines(): readonly Line[] {
    return jsonLines(this.text);
  }

  async close(): Promise<void> {}

  /** The process that dispatches now; undefined until it has reached its devices. */
  get agentPid(): number | undefined {
    const pid = this.lines.findLast(({ event }) => event === "dispatching")?.["pid"];
    return pid === undefined ? undefined : Number(pid);
  }
}
