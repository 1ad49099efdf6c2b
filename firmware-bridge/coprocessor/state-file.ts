import { open } from "node:fs/promises";
import { equalBytes } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { digestOf } from "../../drivers/digest.ts";
import { writeDurably } from "../durable-file.ts";
import { decodeSnapshot, MAX_SNAPSHOT_BYTES, type TakenSnapshot } from "./snapshot.ts";

/*
 * A snapshot on disk, so that the next run of the program knows where the count stood: its bytes as they came, and their
 * SHA-256 behind them.
 */

const DIGEST_BYTES = 32;

/**
 * The snapshot that the file holds; undefined where there is no file.
 *
 * @throws Problem `coprocessor-state-damaged` where it holds none, `coprocessor-state-file` where it cannot be read
 */
export async function loadSnapshot(path: string): Promise<TakenSnapshot | undefined> {
  const whole = await readUpTo(path, MAX_SNAPSHOT_BYTES + DIGEST_BYTES + 1);
  if (whole === undefined) return undefined;
  const bytes = whole.slice(0, -DIGEST_BYTES);
  try {
    if (equalBytes(digestOf(bytes), whole.subarray(-DIGEST_BYTES)))
      return { bytes, snapshot: decodeSnapshot(bytes, path) };
  } catch (cause) {
    throw damaged(path, cause);
  }
  throw damaged(path);
}

/** Resolves when the snapshot is on disk; a power cut leaves it or the one before. Throws Problem `coprocessor-state-file`. */
export async function saveSnapshot(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeDurably(path, Buffer.concat([bytes, digestOf(bytes)]));
  } catch (cause) {
    throw fileProblem(path, "cannot be written", cause);
  }
}

async function readUpTo(path: string, mostBytes: number): Promise<Uint8Array | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const { bytesRead, buffer } = await file.read(new Uint8Array(mostBytes), 0, mostBytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (describeProblem(cause).code === "ENOENT") return undefined;
    throw fileProblem(path, "cannot be read", cause);
  }
}

function damaged(path: string, cause?: unknown): Problem {
  return new Problem("coprocessor-state-damaged", "the state file holds no snapshot", {
    where: path,
    hint: "nothing is to be done: it is written anew",
    ...(cause === undefined ? {} : { cause }),
  });
}

function fileProblem(path: string, what: string, cause: unknown): Problem {
  return new Problem("coprocessor-state-file", `the state file ${what}`, {
    where: path,
    got: describeProblem(cause).message,
    hint: "it has to be in a folder that the agent may write to, such as that of the journal",
    cause,
  });
}
