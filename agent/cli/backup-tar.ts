import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";
import { BLOCK_BYTES, readTarHeader, type TarFile, tarEnd, tarHeader, tarPadding } from "./tar-header.ts";

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
    this.#write(tarEnd());
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  #header(name: string, bytes: number): Buffer {
    return tarHeader({ name: `${this.#folder}/${name}`, bytes }, this.#mtimeMs);
  }

  #pad(bytes: number): void {
    this.#write(tarPadding(bytes));
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
      const block = Buffer.alloc(BLOCK_BYTES);
      if (readSync(file, block, 0, BLOCK_BYTES, at) < BLOCK_BYTES) throw badFormat(path, "it ends too early");
      if (block.every((byte) => byte === 0)) return entries;
      const { name, bytes } = headerOf(block, path);
      if (!name.startsWith(`${folder}/`)) throw badFormat(path, `it holds ${JSON.stringify(name)}`);
      const next = at + BLOCK_BYTES + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
      if (next > end) throw badFormat(path, "it ends too early");
      entries.push({ name: name.slice(folder.length + 1), bytes, at: at + BLOCK_BYTES });
      at = next;
    }
  } finally {
    closeSync(file);
  }
}

function headerOf(block: Buffer, path: string): TarFile {
  const header = readTarHeader(block);
  if (header === undefined) throw badFormat(path, "a header is damaged");
  return header;
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

function badFormat(path: string, got: string): Problem {
  return new Problem("backup-format", "not a backup of this program, or a damaged one", {
    where: path,
    got,
    hint: "name a file that kilowitness backup wrote; take another copy of it if this one is damaged",
  });
}
