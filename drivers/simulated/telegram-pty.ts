import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { Problem } from "../../attest/problem.ts";

/** One end of a pair of pseudo terminals; the other end is linked where it was asked for. */
export interface Pty {
  readonly path: string;
  /** Takes both away. */
  close(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;
const LOOK_MS = 10;

/**
 * Two pseudo terminals joined like a null-modem cable, by socat: Node itself opens none. `link` becomes one end.
 *
 * @param onLost socat ended by itself
 * @throws Problem `simulate-place` where the path is taken or cannot be made, or where there is no socat
 */
export async function openPty(link: string, onLost: (problem: Problem) => void): Promise<Pty> {
  if (existsSync(link))
    throw new Problem("simulate-place", "there is something at that path", {
      where: link,
      hint: "take another path; a link that is left over may be removed",
    });
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-pty-"));
  const path = join(folder, "meter");
  const socat = spawn("socat", [`pty,raw,echo=0,link=${path}`, `pty,raw,echo=0,link=${link}`], {
    stdio: "ignore",
    // Ctrl-C is meant for whoever simulates, who ends it in turn.
    detached: true,
  });
  const close = async (): Promise<void> => {
    await ended(socat);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(socat, [path, link]);
  } catch (error) {
    await close();
    throw error;
  }
  socat.once("exit", () => {
    if (!socat.killed) onLost(lost(link));
  });
  return { path, close };
}

async function ready(socat: ChildProcess, paths: readonly [string, string]): Promise<void> {
  let failure: Problem | undefined;
  socat.once("error", (error) => {
    failure = noSocat(error);
  });
  socat.once("exit", () => {
    failure ??= lost(paths[1]);
  });
  for (let waitedMs = 0; waitedMs < READY_WITHIN_MS; waitedMs += LOOK_MS) {
    if (failure !== undefined) throw failure;
    if (paths.every((path) => existsSync(path))) return;
    await later(LOOK_MS);
  }
  throw failure ?? lost(paths[1]);
}

async function ended(socat: ChildProcess): Promise<void> {
  if (socat.pid === undefined || socat.exitCode !== null || socat.signalCode !== null) return;
  const exit = once(socat, "exit");
  socat.kill();
  await exit;
}

function noSocat(cause: Error): Problem {
  return new Problem("simulate-place", "a pseudo terminal is made by socat, and socat cannot be run", {
    got: cause.message,
    hint: "install socat, or give one end of a pair of your own as a path",
    cause,
  });
}

function lost(link: string): Problem {
  return new Problem("simulate-place", "there is no pseudo terminal", {
    where: link,
    expected: "a path in a folder that exists and may be written to",
    got: "socat ended",
  });
}
