import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { until } from "../line/kit.ts";

export const HAS_SOCAT: boolean = spawnSync("socat", ["-V"]).status === 0;
export const HAS_MBPOLL: boolean = spawnSync("mbpoll", ["-V"]).status === 0;

/** Distributions keep their Python packages out of reach of other interpreters; the system's one goes last. */
export const PYMODBUS: string | undefined = ["python3", "/usr/bin/python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import pymodbus.server"]).status === 0,
);
export const HAS_PYSERIAL: boolean =
  PYMODBUS !== undefined && spawnSync(PYMODBUS, ["-c", "import serial"]).status === 0;

/** Things to close after a test, last opened first. */
export function cleanupAfterEach(): (close: () => Promise<unknown>) => void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return (close) => cleanups.push(close);
}

export async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const outcome = await promise.then(
    () => "no Problem",
    (error: unknown) => error,
  );
  if (outcome instanceof Problem) return outcome;
  throw new Error(`expected a Problem, got ${String(outcome)}`);
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await problemOf(promise)).code;
}

/** Two pseudo terminals joined like a null-modem cable, plugged in at first. */
export interface Cable {
  readonly near: string;
  readonly far: string;
  /** Both ends are gone, as when an adapter is pulled. */
  unplug(): Promise<void>;
  /** Plugs it in again under the same names. */
  plug(): Promise<void>;
  /** Unplugs it for good. */
  close(): Promise<void>;
}

export async function cable(): Promise<Cable> {
  const folder = mkdtempSync(join(tmpdir(), "modbus-"));
  const [near, far] = [join(folder, "near"), join(folder, "far")];
  let socat: ChildProcess | undefined;
  const plug = async (): Promise<void> => {
    socat = spawn("socat", [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`]);
    await until("the pseudo terminals", () => existsSync(near) && existsSync(far));
  };
  const unplug = async (): Promise<void> => {
    if (socat === undefined) return;
    const gone = once(socat, "exit");
    socat.kill();
    await gone;
    socat = undefined;
  };
  await plug();
  const close = async (): Promise<void> => {
    await unplug();
    rmSync(folder, { recursive: true, force: true });
  };
  return { near, far, plug, unplug, close };
}

/** A process with its output, ended by {@link cleanupAfterEach}. */
export function startProcess(command: string, args: readonly string[]): { stop(): Promise<void> } {
  const child = spawn(command, [...args], { stdio: "ignore" });
  return {
    stop: async () => {
      const gone = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill();
      await gone;
    },
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}
