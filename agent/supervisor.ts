import { type ChildProcess, spawn } from "node:child_process";
import { Backoff } from "../runtime/limits.ts";
import type { Logger } from "../runtime/log.ts";
import { monotonicMs } from "../runtime/monotonic.ts";
import type { Hangups } from "./reload/hangups.ts";
import { LeaseGuard, LOOK_MS } from "./supervisor/lease-guard.ts";
import { LeaseView } from "./supervisor/lease-view.ts";
import { type GuardedLeases, type Reverting, revertLeases } from "./supervisor/revert.ts";
import { StopRequest } from "./supervisor/stop-request.ts";

/** The parent waits this long for the agent's own clean stop before it ends it. */
const STOP_MS = 20_000;
const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 60_000;
/** An agent that ran this long is healthy: the next crash begins with a short wait again. */
const HEALTHY_MS = 300_000;

/** By this the agent knows that its parent ends the leases of devices when it is gone. */
const SUPERVISOR = "KILOWITNESS_SUPERVISOR";

/** Whether the parent of this process is such a supervisor. */
export function isSupervised(): boolean {
  return process.env[SUPERVISOR] === String(process.ppid);
}

/** A command that is run and run again. */
export interface Supervised {
  readonly command: string;
  readonly args: readonly string[];
  readonly logger: Logger;
  /** SIGHUPs to pass on; without them they end this process. */
  readonly hangups?: Hangups;
  /** What to end when the agent is gone, or no longer ends it by itself. */
  readonly leases?: GuardedLeases;
}

/** How a run of the agent ended. */
interface Ended {
  readonly code: number;
  /** Why its leases, if it leaves any, are ended by somebody else. */
  readonly reason: string;
}

/**
 * The agent's small parent: starts it, starts it again with growing waits when it dies, passes SIGTERM, SIGINT and
 * SIGHUP on, and ends with the child's own exit code. Where the agent commands devices, it ends an agent that no longer
 * renews or ends its leases, and has whatever an agent left leased reverted before the next one starts. It holds no
 * socket, no line and no key.
 */
export async function supervise(what: Supervised): Promise<number> {
  const stop = new StopRequest();
  try {
    return await runUntilDone(what, stop);
  } finally {
    stop.close();
  }
}

async function runUntilDone(what: Supervised, stop: StopRequest): Promise<number> {
  const { leases, logger } = what;
  const backoff = new Backoff({ firstMs: FIRST_WAIT_MS, mostMs: MOST_WAIT_MS });
  const reverting = leases && { leases, logger, view: new LeaseView(leases.file, logger) };
  for (;;) {
    const startedMs = performance.now();
    const { code, reason } = await runOnce(what, stop, reverting);
    const ranMs = performance.now() - startedMs;
    // Before anything else, also before this process ends: nobody is left to do it.
    if (reverting !== undefined) await revertLeases(reverting, reason);
    // Exit 0 is a wish to stop; 2 says that starting again cannot help (configuration).
    if (stop.requested || code === 0 || code === 2) return code;
    if (ranMs > HEALTHY_MS) backoff.reset();
    const waitMs = FIRST_WAIT_MS + backoff.next();
    logger.warn("agent-restarts", { code, waitMs });
    await stop.orAfter(waitMs);
    if (stop.requested) return code;
  }
}

function runOnce(what: Supervised, stop: StopRequest, reverting: Reverting | undefined): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(what.command, what.args, {
      // The channel tells the agent when its parent is gone, kill -9 included: it then stops by itself.
      stdio: ["inherit", "inherit", "inherit", "ipc"],
      env: { ...process.env, [SUPERVISOR]: String(process.pid) },
    });
    what.hangups?.pass(() => void child.kill("SIGHUP"));
    const guarding = reverting && new Guarding(child, reverting);
    let killer: NodeJS.Timeout | undefined;
    const forget = stop.onRequest(() => {
      // From here on it is given its time to stop, and whatever it leaves is reverted behind it.
      guarding?.stop();
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    });
    const end = (code: number, reason: string): void => {
      forget();
      clearTimeout(killer);
      resolve({ code, reason: guarding?.stop() ?? reason });
    };
    child.on("error", (cause) => {
      what.logger.problem("agent-start-failed", cause);
      end(1, "agent-start-failed");
    });
    child.on("exit", (code, signal) => {
      if (signal !== null) what.logger.warn("agent-killed", { signal });
      end(code ?? 1, signal === null ? "agent-ended" : "agent-killed");
    });
  });
}

/** Looks after the leases of one run of the agent, and ends it where it does not. */
class Guarding {
  readonly #looks: NodeJS.Timeout;
  #reason: string | undefined;

  constructor(child: ChildProcess, { view, logger, leases }: Reverting) {
    const guard = new LeaseGuard(() => view.leases(), { monotonicMs, wallMs: () => Date.now() });
    child.on("message", (message) => {
      if (isAlive(message)) guard.heard();
    });
    this.#looks = setInterval(() => {
      const found = this.#reason === undefined ? guard.look() : undefined;
      if (found === undefined) return;
      this.#reason = found.reason;
      const { device, kind } = found.lease;
      logger.error("agent-ended", { reason: found.reason, device, kind });
      // Not SIGTERM: one that hangs, or is stopped, would not see it.
      child.kill("SIGKILL");
    }, leases.lookMs ?? LOOK_MS);
  }

  /** Why the agent was ended, if it was. */
  stop(): string | undefined {
    clearInterval(this.#looks);
    return this.#reason;
  }
}

/** What the agent sends every second while it holds leases. */
function isAlive(message: unknown): boolean {
  return (
    typeof message === "object" && message !== null && "event" in message && message.event === "control-alive"
  );
}
