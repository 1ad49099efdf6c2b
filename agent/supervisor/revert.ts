import { spawn } from "node:child_process";
import { describeProblem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import type { LeaseView } from "./lease-view.ts";

/** Where leases are kept, and the program that ends them while no agent runs: `kilowitness flex revert`. */
export interface GuardedLeases {
  /** The file that the agent keeps them in. */
  readonly file: string;
  /** Run with `--reason WORD` behind it. Ends with 0 when no lease is left, with 2 when trying again cannot help. */
  readonly revert: { readonly command: string; readonly args: readonly string[] };
  /** How long the agent is kept from starting by leases that cannot be ended; default 60 s. */
  readonly mostMs?: number;
  /** How often the running agent is looked after; default 1 s. */
  readonly lookMs?: number;
}

export interface Reverting {
  readonly leases: GuardedLeases;
  readonly view: LeaseView;
  readonly logger: Logger;
}

const MOST_MS = 60_000;
/** The program has its own deadline, and gets so much longer before it is ended: it may hang, too. */
const LONGER_MS = 15_000;
const FIRST_WAIT_MS = 1000;

/**
 * Ends what a lease file holds, by a program of its own: this process has no line and no driver. Tries again until a
 * bound; then the agent is to be started all the same, since it reverts, too, and its other devices have to be read.
 * Never throws.
 */
export async function revertLeases(reverting: Reverting, reason: string): Promise<void> {
  const { leases, view, logger } = reverting;
  const held = view.leases().length;
  if (held === 0 && view.readable) return;
  const beganMs = monotonicMs();
  logger.warn("leases-revert", { reason, leases: held, file: leases.file });
  const ended = await revertUntil(reverting, { reason, endMs: beganMs + (leases.mostMs ?? MOST_MS) });
  const left = view.leases().map(({ device, kind }) => `${device}: ${kind}`);
  const tookMs = monotonicMs() - beganMs;
  if (ended === 0) logger.info("leases-reverted", { reason, leases: held, tookMs });
  else logger.error("leases-not-reverted", { reason, ended, left, tookMs, hint: "kilowitness flex revert" });
}

/** How the last run of the program ended; 0 only where no lease is left. */
async function revertUntil(
  { leases, view }: Reverting,
  { reason, endMs }: { readonly reason: string; readonly endMs: number },
): Promise<number | string> {
  const { command, args } = leases.revert;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs *= 2) {
    const mostMs = endMs + LONGER_MS - monotonicMs();
    const ended = await run({ command, args: [...args, "--reason", reason] }, mostMs);
    const isOver = view.leases().length === 0 && view.readable;
    if (ended === 0 && isOver) return 0;
    const failed = ended === 0 ? "leases are left" : ended;
    // Neither a wrong configuration nor a file that cannot be read gets better by trying again.
    if (ended === 2 || !view.readable || monotonicMs() + waitMs > endMs) return failed;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Exit status, or the signal that ended it, or why it could not be started. */
function run({ command, args }: GuardedLeases["revert"], mostMs: number): Promise<number | string> {
  return new Promise((resolve) => {
    // What it says goes where the log goes.
    const child = spawn(command, args, { stdio: ["ignore", 2, "inherit"] });
    const killer = setTimeout(() => child.kill("SIGKILL"), mostMs);
    const end = (ended: number | string): void => {
      clearTimeout(killer);
      resolve(ended);
    };
    child.on("error", (cause) => end(describeProblem(cause).message));
    child.on("exit", (code, signal) => end(code ?? signal ?? "nothing"));
  });
}
