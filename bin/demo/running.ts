import { z } from "zod";
import type { AgentEvent, AgentStatus } from "../../agent/status.ts";
import { fromHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { parseAgentEvent } from "./agent-events.ts";
import type { Cleanups } from "./cleanups.ts";
import type { Frame } from "./frame.ts";
import { NodeClient } from "./node-client.ts";
import { Program } from "./program.ts";
import { SealedCount } from "./sealed-count.ts";
import type { DemoSite } from "./site.ts";
import { Tally } from "./tally.ts";
import type { Workspace } from "./workspace.ts";

const FIRST_READING_MS = 30_000;

const readySchema = z.object({
  event: z.literal("node-ready"),
  ws: z.url(),
  http: z.url(),
  nodeKey: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The node's process, and what its ready line said. */
export interface RunningNode {
  readonly program: Program;
  readonly client: NodeClient;
  readonly ws: string;
  readonly nodeKey: string;
}

/** Starts a node as a process of its own and waits for its ready line. Throws `demo-child`. */
export async function startNodeProgram(workspace: Workspace, cleanups: Cleanups): Promise<RunningNode> {
  const args = ["node", "--config", workspace.writeNodeConfig(), "--json"];
  const program = new Program("node", { args });
  cleanups.add(() => program.stop());
  const line = await program.firstLine();
  const { ws, http, nodeKey } = readyOf(line);
  return { program, client: new NodeClient(http), ws, nodeKey };
}

function readyOf(line: string): z.output<typeof readySchema> {
  try {
    return readySchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new Problem("demo-child", "the node's first line is no ready line", {
      got: line.slice(0, 200),
      cause,
    });
  }
}

/** The agent's process, and what it says of itself over its channel to this one. */
export class RunningAgent {
  /** Every reading that the agent said it accepted. */
  readonly accepted: Tally = new Tally();
  readonly program: Program;
  /** Rejects when the process ends by itself, or says what cannot be understood. */
  readonly failed: Promise<never>;
  readonly #site: DemoSite;
  readonly #node: RunningNode;
  readonly #journalPath: string;
  readonly #firstReading: Promise<void>;
  #resolveFirstReading: () => void = () => {};
  #rejectGarbled: (thrown: unknown) => void = () => {};
  #status: AgentStatus | undefined;
  #startedMs = performance.now();
  #live: SealedCount | undefined;

  constructor(workspace: Workspace, site: DemoSite, node: RunningNode) {
    this.#site = site;
    this.#node = node;
    this.#journalPath = workspace.journalPath;
    this.#firstReading = new Promise((resolve) => {
      this.#resolveFirstReading = resolve;
    });
    const args = ["agent", "--config", workspace.writeAgentConfig(site.devices, node)];
    const garbled = new Promise<never>((_resolve, reject) => {
      this.#rejectGarbled = reject;
    });
    this.program = new Program("agent", { args, onMessage: (message) => this.#hear(message) });
    this.failed = Promise.race([this.program.died, garbled]);
    // Raced where it matters; nobody may be racing when it comes.
    this.failed.catch(() => {});
  }

  /** Waits until a device has been read. Throws `demo-child` when the agent ends, `demo-silent` when nothing comes. */
  async firstReading(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#silent()), FIRST_READING_MS);
      // The programs keep this process alive; when they are gone there is nothing to wait for.
      timer.unref();
    });
    try {
      await Promise.race([this.#firstReading, late, this.failed, this.#node.program.died]);
    } finally {
      clearTimeout(timer);
    }
    this.#startedMs = performance.now();
  }

  /** As the agent itself says; undefined before its first status. */
  get status(): AgentStatus | undefined {
    return this.#status;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** Counts the journal anew, from its first leaf. The caller closes it. */
  countSealed(): SealedCount {
    const count = new SealedCount(this.#journalPath, fromHex(this.#node.nodeKey, "node key"));
    count.refresh();
    return count;
  }

  /** What there is to see now. */
  frame(): Frame {
    if (this.#live === undefined && this.#status !== undefined) this.#live = this.countSealed();
    this.#live?.refresh();
    return {
      title: this.#site.kind === "home" ? "a simulated home" : "captures of real devices",
      elapsedMs: this.elapsedMs,
      clock: this.#site.clock(),
      status: this.#status,
      sealed: this.#live?.channels ?? [],
      node: this.#node.ws,
      nowMs: Date.now(),
    };
  }

  /** Up to which size of an epoch the node's receipts have come back. */
  receiptedSize(epoch: number): number {
    return this.#live?.receiptedSize(epoch) ?? 0;
  }

  /** Ends the process in order. Throws `demo-child` when it does not end well. */
  async stop(): Promise<void> {
    this.close();
    const code = await this.program.stop();
    if (code === 0) return;
    const got = this.program.lastProblem;
    throw new Problem("demo-child", `the agent process stopped with ${code ?? "a signal"}`, {
      expected: "exit code 0",
      ...(got === undefined ? {} : { got }),
    });
  }

  /** Lets go of the journal. */
  close(): void {
    this.#live?.close();
    this.#live = undefined;
  }

  #hear(message: unknown): void {
    try {
      this.#take(parseAgentEvent(message));
    } catch (thrown) {
      this.#rejectGarbled(thrown);
    }
  }

  #take(event: AgentEvent): void {
    if (event.event === "status") {
      this.#status = event;
      return;
    }
    if (event.event !== "accepted") return;
    this.accepted.add(event.channel, event);
    this.#resolveFirstReading();
  }

  #silent(): Problem {
    const device = this.#status?.devices.find(({ problem }) => problem !== undefined);
    const last = device === undefined ? this.program.lastProblem : `${device.id}: ${device.problem}`;
    return new Problem("demo-silent", "no device was read", {
      expected: `a reading within ${FIRST_READING_MS / 1000} s`,
      got: last ?? "none, and no word why",
    });
  }
}
