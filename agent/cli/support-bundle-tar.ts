import { gzipSync } from "node:zlib";

/** A text to pack, and its name within the archive. */
export interface PackedFile {
  readonly name: string;
  readonly text: string;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const MODE = "0000600";

/**
 * A gzipped tar archive that every system unpacks: the "ustar" format of POSIX.1-1988, one header block a file.
 *
 * @param folder the folder that all files are in, ASCII
 * @param mtimeMs when the files were made
 */
export function packTar(folder: string, files: readonly PackedFile[], mtimeMs: number): Buffer {
  const parts = files.flatMap(({ name, text }) => {
    const content = Buffer.from(text, "utf8");
    const head = header(`${folder}/${name}`, { bytes: content.length, mtimeMs });
    return [head, content, Buffer.alloc(paddingOf(content.length))];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

function paddingOf(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK;
}

/*
 *   0 name   100 mode   108 uid   116 gid   124 size   136 mtime   148 checksum   156 type   257 "ustar\0" "00"
 */
function header(
  name: string,
  { bytes, mtimeMs }: { readonly bytes: number; readonly mtimeMs: number },
): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name.slice(0, NAME_BYTES), 0, "ascii");
  block.write(MODE, 100, "ascii");
  block.write(octal(0, 7), 108, "ascii");
  block.write(octal(0, 7), 116, "ascii");
  block.write(octal(bytes, 11), 124, "ascii");
  block.write(octal(Math.max(0, Math.floor(mtimeMs / 1000)), 11), 136, "ascii");
  block.write("        0", 148, "ascii");
  block.write("ustar\u000000", 257, "ascii");
  // The sum of all bytes, with its own eight counted as spaces.
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, 148, "ascii");
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
