import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";

/*
 * The "ustar" format of POSIX.1-1988, one header block a file:
 *   0 name   100 mode   108 uid   116 gid   124 size   136 mtime   148 checksum   156 type   257 "ustar\0" "00"
 */
const BLOCK = 512;
const NAME_BYTES = 100;
const SIZE_AT = 124;
const SUM_AT = 148;
const SUM_BYTES = 8;
const TYPE_AT = 156;
const REGULAR_FILE = "0";
const CHUNK = 1024 ** 2;

/** Writes an archive piece by piece, so that its size needs no memory. Throws what the file system throws. */
export class TarWriter {
  readonly #file: number;
  readonly #folder: string;
  readonly #mtimeMs: number;

  /** Creates `path`, mode 0600; all its files are in `folder`. */
  constructor(path: string, folder: string, mtimeMs: number) {
    this.#file = openSync(path, "wx", 0o600);
    this.#folder = folder;
    this.#mtimeMs = mtimeMs;
  }

  addText(name: string, text: string): void {
    const content = Buffer.from(text, "utf8");
    this.#write(this.#header(name, content.length));
    this.#write(content);
    this.#pad(content.length);
  }

  addFile(name: string, path: string): void {
    const bytes = statSync(path).size;
    this.#write(this.#header(name, bytes));
    readChunks(path, (chunk) => this.#write(chunk));
    this.#pad(bytes);
  }

  /** Durable when it returns. */
  end(): void {
    this.#write(Buffer.alloc(2 * BLOCK));
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  #header(name: string, bytes: number): Buffer {
    const block = Buffer.alloc(BLOCK);
    block.write(`${this.#folder}/${name}`.slice(0, NAME_BYTES), 0, "ascii");
    const mtime = Math.max(0, Math.floor(this.#mtimeMs / 1000));
    const numbers = [octal(0o600, 7), octal(0, 7), octal(0, 7), octal(bytes, 11), octal(mtime, 11)];
    block.write(`${numbers.join("\0")}\0`, NAME_BYTES, "ascii");
    block.write(REGULAR_FILE, TYPE_AT, "ascii");
    block.write("ustar\u000000", 257, "ascii");
    block.write(`${octal(sumOf(block), 6)}\0 `, SUM_AT, "ascii");
    return block;
  }

  #pad(bytes: number): void {
    this.#write(Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK));
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
  }
}

/** A file within an archive, and where its bytes are. */
export interface TarEntry {
  /** Without the folder. */
  readonly name: string;
  readonly bytes: number;
  readonly at: number;
}

/** The files of an archive that {@link TarWriter} wrote, in order. Throws `backup-format` for anything else. */
export function listTar(path: string, folder: string): readonly TarEntry[] {
  const end = statSync(path).size;
  const file = openSync(path, "r");
  try {
    const entries: TarEntry[] = [];
    for (let at = 0; ; ) {
      const block = Buffer.alloc(BLOCK);
      if (readSync(file, block, 0, BLOCK, at) < BLOCK) throw badFormat(path, "it ends too early");
      if (block.every((byte) => byte === 0)) return entries;
      const { name, bytes } = headerOf(block, path);
      if (!name.startsWith(`${folder}/`)) throw badFormat(path, `it holds ${JSON.stringify(name)}`);
      const next = at + BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
      if (next > end) throw badFormat(path, "it ends too early");
      entries.push({ name: name.slice(folder.length + 1), bytes, at: at + BLOCK });
      at = next;
    }
  } finally {
    closeSync(file);
  }
}

function headerOf(block: Buffer, path: string): { readonly name: string; readonly bytes: number } {
  const text = (at: number, bytes: number): string =>
    block.toString("latin1", at, at + bytes).split("\0", 1)[0] ?? "";
  const size = text(SIZE_AT, 12).trim();
  const sum = Number.parseInt(text(SUM_AT, SUM_BYTES), 8);
  if (!/^[0-7]+$/.test(size) || sum !== sumOf(block)) throw badFormat(path, "a header is damaged");
  return { name: text(0, NAME_BYTES), bytes: Number.parseInt(size, 8) };
}

/** The sum of all bytes, with the sum's own eight counted as spaces. */
function sumOf(block: Buffer): number {
  const own = block.subarray(SUM_AT, SUM_AT + SUM_BYTES).reduce((sum, byte) => sum + byte, 0);
  return block.reduce((sum, byte) => sum + byte, 0) - own + SUM_BYTES * 0x20;
}

/** Calls `take` with the bytes of a file, or of a part of it, in order; each chunk is valid until the next one. */
export function readChunks(
  path: string,
  take: (chunk: Uint8Array) => void,
  part: Pick<TarEntry, "at" | "bytes"> = { at: 0, bytes: statSync(path).size },
): void {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(Math.min(CHUNK, Math.max(1, part.bytes)));
    for (let done = 0; done < part.bytes; ) {
      const wanted = Math.min(buffer.length, part.bytes - done);
      const got = readSync(file, buffer, 0, wanted, part.at + done);
      if (got === 0) throw badFormat(path, "it ends too early");
      take(buffer.subarray(0, got));
      done += got;
    }
  } finally {
    closeSync(file);
  }
}

/** A new name is durable only when the folder that holds it is. */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function badFormat(path: string, got: string): Problem {
  return new Problem("backup-format", "not a backup of this program, or a damaged one", {
    where: path,
    got,
    hint: "name a file that kilowitness backup wrote; take another copy of it if this one is damaged",
  });
}
