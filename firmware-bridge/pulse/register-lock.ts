import { spawn } from "node:child_process";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { lastWords } from "../child/last-words.ts";

/** The right to write a register file, until it is released or the process ends, however it ends. */
export interface RegisterLock {
  release(): Promise<void>;
}

/** Whoever is just ending saves once more, and a card that stalls takes its time. */
const PATIENCE_MS = 3000;
const EVERY_MS = 100;
const PRIVATE = 0o600;
/** What flock says of a lock that somebody has, without a word (util-linux, busybox, toybox). */
const TAKEN = 1;
/** Keeps the garbage collector from closing, and thereby releasing, a lock that nobody looks at. */
const held = new Set<FileHandle>();

/**
 * Makes this process the only writer of the register file at `path`. The lock is the kernel's, on an empty file beside it
 * (flock(2): it belongs to the open file, so that the program `flock` can take it for the file that this process has open), and
 * so goes with its process: after kill -9 there is nothing to clean up.
 *
 * @throws Problem `pulse-register-busy` when another one has it for longer than `patienceMs`, `pulse-flock-missing`,
 *   `pulse-register-file` when the file beside it cannot be made or locked
 */
export async function lockRegister(path: string, patienceMs: number = PATIENCE_MS): Promise<RegisterLock> {
  const file = await open(`${path}.lock`, "a", PRIVATE).catch((cause: unknown) => {
    throw fileProblem(path, describeProblem(cause).message, cause);
  });
  try {
    const endMs = performance.now() + patienceMs;
    while (!(await isTaken(file, path))) {
      if (performance.now() >= endMs) throw busy(path);
      await pause(EVERY_MS);
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  held.add(file);
  return {
    release: async () => {
      held.delete(file);
      await file.close();
    },
  };
}

/** Takes the lock, if nobody has it. */
function isTaken(file: FileHandle, path: string): Promise<boolean> {
  const program = spawn("flock", ["-x", "-n", "3"], { stdio: ["ignore", "ignore", "pipe", file.fd] });
  const words = lastWords(program.stderr);
  return new Promise((resolve, reject) => {
    program.once("error", (cause) => reject(missing(cause)));
    program.once("close", (code, signal) => {
      if (code === 0) resolve(true);
      else if (code === TAKEN && words() === "") resolve(false);
      else reject(fileProblem(path, `${words()} (flock: ${signal ?? code})`));
    });
  });
}

function busy(path: string): Problem {
  return new Problem("pulse-register-busy", "another program counts into this register file", {
    where: path,
    expected: "one counter for each file",
    hint: `give each meter its own registerFile, and stop the other agent; find it with: fuser -v ${path}.lock`,
  });
}

function missing(cause: unknown): Problem {
  return new Problem("pulse-flock-missing", "flock cannot be run, which locks the register file", {
    got: describeProblem(cause).message,
    hint: "Debian: apt install util-linux",
    cause,
  });
}

function fileProblem(path: string, got: string, cause?: unknown): Problem {
  return new Problem("pulse-register-file", "the register file cannot be locked", {
    where: path,
    got,
    hint: "it has to be in a folder that the agent may write to, such as its state folder",
    ...(cause === undefined ? {} : { cause }),
  });
}
