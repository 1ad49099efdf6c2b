import { spawn } from "node:child_process";
import { Backoff } from "../runtime/limits.ts";
import type { Logger } from "../runtime/log.ts";
import type { Hangups } from "./reload/hangups.ts";

/** The parent waits this long for the agent's own clean stop before it ends it. */
const STOP_MS = 20_000;
const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 60_000;
/** An agent that ran this long is healthy: the next crash begins with a short wait again. */
const HEALTHY_MS = 300_000;
const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** A command that is run and run again. */
export interface Supervised {
  readonly command: string;
  readonly args: readonly string[];
  readonly logger: Logger;
  /** SIGHUPs to pass on; without them they end this process. */
  readonly hangups?: Hangups;
}

/**
 * The agent's small parent: starts it, starts it again with growing waits when it dies, passes SIGTERM, SIGINT and
 * SIGHUP on, and ends with the child's own exit code. It holds no socket, no line and no key.
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
  const backoff = new Backoff({ firstMs: FIRST_WAIT_MS, mostMs: MOST_WAIT_MS });
  for (;;) {
    const startedMs = performance.now();
    const code = await runOnce(what, stop);
    // Exit 0 is a wish to stop; 2 says that starting again cannot help (configuration).
    if (stop.requested || code === 0 || code === 2) return code;
    if (performance.now() - startedMs > HEALTHY_MS) backoff.reset();
    const waitMs = FIRST_WAIT_MS + backoff.next();
    what.logger.warn("agent-restarts", { code, waitMs });
    await stop.orAfter(waitMs);
    if (stop.requested) return code;
  }
}

/** Whether and when the supervisor itself was asked to stop. */
class StopRequest {
  requested = false;
  readonly #waiting = new Set<() => void>();
  readonly #request = (): void => {
    this.requested = true;
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
  };

  constructor() {
    for (const signal of STOP_SIGNALS) process.on(signal, this.#request);
  }

  close(): void {
    for (const signal of STOP_SIGNALS) process.off(signal, this.#request);
  }

  /** Calls `stop` when asked to stop; returns how to take it back. */
  onRequest(stop: () => void): () => void {
    this.#waiting.add(stop);
    return () => this.#waiting.delete(stop);
  }

  /** Resolves after `ms`, or earlier when asked to stop. */
  orAfter(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        forget();
        resolve();
      };
      const timer = setTimeout(end, ms);
      const forget = this.onRequest(end);
    });
  }
}

function runOnce(what: Supervised, stop: StopRequest): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(what.command, what.args, {
      // The channel tells the agent when its parent is gone, kill -9 included: it then stops by itself.
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    what.hangups?.pass(() => void child.kill("SIGHUP"));
    let killer: NodeJS.Timeout | undefined;
    const forget = stop.onRequest(() => {
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    });
    const end = (code: number): void => {
      forget();
      clearTimeout(killer);
      resolve(code);
    };
    child.on("error", (cause) => {
      what.logger.problem("agent-start-failed", cause);
      end(1);
    });
    child.on("exit", (code, signal) => {
      if (signal !== null) what.logger.warn("agent-killed", { signal });
      end(code ?? 1);
    });
  });
}
