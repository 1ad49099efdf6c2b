import { spawn } from "node:child_process";
import { Backoff } from "../runtime/limits.ts";
import type { Logger } from "../runtime/log.ts";

/** The parent waits this long for the agent's own clean stop before it ends it. */
const STOP_MS = 20_000;
const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 60_000;
/** An agent that ran this long is healthy: the next crash begins with a short wait again. */
const HEALTHY_MS = 300_000;

/** A command that is run and run again. */
export interface Supervised {
  readonly command: string;
  readonly args: readonly string[];
  readonly logger: Logger;
}

/**
 * The agent's small parent: starts it, starts it again with growing waits when it dies, passes SIGTERM and SIGINT on
 * and ends with the child's own exit code. It holds no socket, no line and no key.
 */
export async function supervise(what: Supervised): Promise<number> {
  const backoff = new Backoff({ firstMs: FIRST_WAIT_MS, mostMs: MOST_WAIT_MS });
  const stop = stopRequest();
  for (;;) {
    const startedMs = performance.now();
    const code = await runOnce(what, stop);
    // Exit 0 is a wish to stop; 2 says that starting again cannot help (configuration).
    if (stop.requested || code === 0 || code === 2) return code;
    if (performance.now() - startedMs > HEALTHY_MS) backoff.reset();
    const waitMs = FIRST_WAIT_MS + backoff.next();
    what.logger.warn("agent-restarts", { code, waitMs });
    await Promise.race([sleep(waitMs), stop.promise]);
    if (stop.requested) return code;
  }
}

interface StopRequest {
  readonly promise: Promise<void>;
  readonly requested: boolean;
}

function stopRequest(): StopRequest {
  let requested = false;
  const promise = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        requested = true;
        resolve();
      });
    }
  });
  return {
    promise,
    get requested() {
      return requested;
    },
  };
}

function runOnce(what: Supervised, stop: StopRequest): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(what.command, what.args, { stdio: "inherit" });
    let killer: NodeJS.Timeout | undefined;
    let ended = false;
    const end = (code: number): void => {
      ended = true;
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
    void stop.promise.then(() => {
      if (ended) return;
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    });
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
