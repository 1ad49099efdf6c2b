import { execFile } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { describeProblem, Problem } from "../../attest/problem.ts";

/** Of libgpiod, whose programs have little in common with those of the other but the names. */
export type LibgpiodMajor = 1 | 2;

/** What version 1 cannot do it says at once. */
const QUIET_START_MS = 300;
/** A program that was started before so many runs of its own one after the other has had its turn. */
const QUIET_RUNS = 3;
const MOST_WORDS = 500;
/** A program that does not even say its version in this time hangs, and is killed. */
const RUN = { timeout: 10_000, killSignal: "SIGKILL" } as const;

/**
 * Version 1 does not say that it has a line. This resolves when a program that was started just now has it, or has said why
 * not: a command that starts it in the same way has run several times since then, so that a machine that is slow at present gets
 * the time that it needs.
 */
export async function quietStart([program, ...words]: readonly [string, ...string[]]): Promise<void> {
  const quiet = pause(QUIET_START_MS);
  for (let run = 0; run < QUIET_RUNS; run += 1)
    await promisify(execFile)(program, words, RUN).catch(() => undefined);
  await quiet;
}

/**
 * Which version of a program of libgpiod there is; undefined where there is none. Version 1 prints `gpiomon (libgpiod) v1.6.3`,
 * version 2 `gpiomon v2.2.4 (libgpiod v2.2.4)`.
 *
 * @throws Problem `code`
 */
export async function libgpiodMajor(program: string, code: string): Promise<LibgpiodMajor | undefined> {
  const text = await versionText(program, code);
  if (text === undefined) return undefined;
  const major = /\bv(\d+)\./.exec(text)?.[1];
  if (major === "1") return 1;
  if (major === "2") return 2;
  throw new Problem(code, `this version of ${program} is not known`, {
    expected: "version 1 or 2",
    got: JSON.stringify(text.slice(0, MOST_WORDS)),
    hint: "Debian's package gpiod has one of them; which program answers: type -a with its name",
  });
}

async function versionText(program: string, code: string): Promise<string | undefined> {
  try {
    return (await promisify(execFile)(program, ["--version"], RUN)).stdout;
  } catch (cause) {
    const { code: why, message } = describeProblem(cause);
    if (why === "ENOENT") return undefined;
    const isKilled = cause instanceof Error && "killed" in cause && cause.killed === true;
    throw new Problem(code, `${program} cannot be run`, {
      got: isKilled ? `nothing for ${RUN.timeout} ms` : message,
      hint: `run ${program} --version by hand; Debian: apt install --reinstall gpiod`,
      cause,
    });
  }
}
