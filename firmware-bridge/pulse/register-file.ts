import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { writeDurably } from "../durable-file.ts";
import { beginsAnew } from "./register-basis.ts";

/** A count as it is kept. */
export interface KeptCount {
  readonly count: number;
  readonly savedAtMs: number;
  /** Which line the pulses are of, what a pulse is and where the register began. */
  readonly basis: string;
}

/** What one copy says. */
interface Entry extends KeptCount {
  /** Number of the write. */
  readonly write: number;
}

/** A flash page each: a write that a power cut tears reaches only one of them. */
const COPY_BYTES = 4096;
const COPIES = 2;
/** A pipe in its place is opened at once, too; otherwise whoever looks would wait for ever. */
const LOOK = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * The count on disk: two copies with check sums in one file of 8 KiB that never grows. A new count goes over the copy that
 * does not hold the last synchronised one, is synchronised, and only then goes over the other copy as well, which the next
 * write or the system brings to disk. So at every instant one copy holds what was told last, and one damaged copy costs nothing.
 */
export class RegisterFile {
  #file: FileHandle;
  readonly #path: string;
  #entry: Entry;

  /** When the file was saved before it was opened; undefined when it was made now. */
  readonly savedBeforeMs: number | undefined;
  /** One of the copies was unreadable and is written anew. */
  readonly mended: boolean;

  private constructor(file: FileHandle, path: string, opened: Opened) {
    this.#file = file;
    this.#path = path;
    this.#entry = opened.entry;
    this.savedBeforeMs = opened.isNew ? undefined : opened.entry.savedAtMs;
    this.mended = opened.mended;
  }

  /**
   * Opens the file, or makes it with a count of 0. With another start on the same line it counts from 0 again; that is
   * written with the next count, so that who opens it and cannot count has changed nothing.
   *
   * @throws Problem `pulse-register-damaged` when no copy is whole, `pulse-register-other` when it counts something else,
   *   `pulse-register-file` when it cannot be opened or made
   */
  static async open(path: string, basis: string, nowMs: number): Promise<RegisterFile> {
    try {
      const isNew = await makeUnlessThere(path, { write: 0, count: 0, savedAtMs: nowMs, basis });
      const file = await open(path, "r+");
      const { entry, mended } = await newestOf(file, path).catch(async (error: unknown) => {
        await file.close();
        throw error;
      });
      if (entry.basis === basis) return new RegisterFile(file, path, { entry, mended, isNew });
      const anew = { ...entry, count: 0, basis };
      if (beginsAnew(entry.basis, basis)) return new RegisterFile(file, path, { entry: anew, mended, isNew });
      await file.close();
      throw ofAnother(path, basis, entry.basis);
    } catch (cause) {
      throw cause instanceof Problem ? cause : fileProblem(path, "cannot be opened", cause);
    }
  }

  /** What the file says, which may be in use; undefined where there is none, or none that is whole. */
  static async peek(path: string): Promise<KeptCount | undefined> {
    try {
      const file = await open(path, LOOK);
      return (await newestOf(file, path).finally(() => file.close())).entry;
    } catch {
      // Whoever opens it to count says why it cannot be read.
      return undefined;
    }
  }

  get count(): number {
    return this.#entry.count;
  }

  get savedAtMs(): number {
    return this.#entry.savedAtMs;
  }

  /**
   * Resolves when the count is on disk, in a file made anew where somebody has deleted it. One call at a time.
   *
   * @throws Problem `pulse-register-file`, also where something else is in its place now
   */
  async save(count: number, nowMs: number): Promise<void> {
    const entry = { ...this.#entry, write: this.#entry.write + 1, count, savedAtMs: nowMs };
    const bytes = encode(entry);
    try {
      await writeWhole(this.#file, bytes, placeOf(entry.write));
      await this.#file.datasync();
      if ((await this.#file.stat()).nlink === 0) await this.#makeAnew(entry);
      this.#entry = entry;
      await writeWhole(this.#file, bytes, placeOf(entry.write + 1));
    } catch (cause) {
      throw fileProblem(this.#path, "cannot be written", cause);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** What is deleted can still be written to, and would be gone at the next start. */
  async #makeAnew(entry: Entry): Promise<void> {
    if (!(await makeUnlessThere(this.#path, entry))) throw new Error("something else is in its place now");
    const deleted = this.#file;
    this.#file = await open(this.#path, "r+");
    await deleted.close();
  }
}

interface Opened {
  readonly entry: Entry;
  readonly mended: boolean;
  readonly isNew: boolean;
}

function placeOf(write: number): number {
  return (write % COPIES) * COPY_BYTES;
}

/** A disk that is full may take a part, and say so with its length alone. */
async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
  if (bytesWritten < bytes.length) throw new Error(`${bytesWritten} of ${bytes.length} bytes were taken`);
}

/** `kilowitness-pulses 1 WRITE COUNT SAVED-AT BASIS`, a line feed, the SHA-256 of that line, and spaces. */
function encode({ write, count, savedAtMs, basis }: Entry): Buffer {
  const line = `kilowitness-pulses 1 ${write} ${count} ${savedAtMs} ${basis}\n`;
  return Buffer.from(`${line}${digestOf(line)}\n`.padEnd(COPY_BYTES, " "), "ascii");
}

function decode(copy: Buffer): Entry | undefined {
  const [line = "", digest] = copy.toString("latin1").split("\n");
  if (digestOf(`${line}\n`) !== digest) return undefined;
  const fields = /^kilowitness-pulses 1 (\d+) (\d+) (-?\d+) (.+)$/.exec(line);
  if (fields === null) return undefined;
  const [, write, count, savedAtMs, basis = ""] = fields;
  return { write: Number(write), count: Number(count), savedAtMs: Number(savedAtMs), basis };
}

function digestOf(line: string): string {
  return createHash("sha256").update(line, "latin1").digest("hex");
}

async function newestOf(
  file: FileHandle,
  path: string,
): Promise<{ readonly entry: Entry; readonly mended: boolean }> {
  const bytes = Buffer.alloc(COPIES * COPY_BYTES);
  await file.read(bytes, 0, bytes.length, 0);
  const copies = [decode(bytes.subarray(0, COPY_BYTES)), decode(bytes.subarray(COPY_BYTES))];
  const whole = copies.filter((copy) => copy !== undefined);
  const [entry] = whole.sort((a, b) => b.write - a.write);
  if (entry !== undefined) return { entry, mended: whole.length < COPIES };
  throw new Problem("pulse-register-damaged", "no copy of the count is whole", {
    where: path,
    hint: "read the meter's display into startKwh and name another registerFile; keep this one",
  });
}

/** True where the file was made now. A power cut leaves either none or a whole one. */
async function makeUnlessThere(path: string, entry: Entry): Promise<boolean> {
  if (await isThere(path)) return false;
  await writeDurably(path, Buffer.concat([encode(entry), encode(entry)]));
  return true;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path, LOOK)).close();
    return true;
  } catch (cause) {
    if (describeProblem(cause).code === "ENOENT") return false;
    throw cause;
  }
}

function ofAnother(path: string, expected: string, got: string): Problem {
  return new Problem("pulse-register-other", "the file counts the pulses of something else", {
    where: path,
    expected,
    got,
    hint: "put what the meter's display shows now into startKwh; for another line, or where the display shows that same value, name another registerFile",
  });
}

function fileProblem(path: string, what: string, cause: unknown): Problem {
  return new Problem("pulse-register-file", `the register file ${what}`, {
    where: path,
    got: describeProblem(cause).message,
    hint: "it has to be in a folder that the agent may write to, such as its state folder",
    cause,
  });
}
