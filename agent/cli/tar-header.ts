/** Everything in an archive is a multiple of this. */
export const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const SIZE_AT = 124;
const SUM_AT = 148;
const SUM_BYTES = 8;
const TYPE_AT = 156;
const MAGIC_AT = 257;
const REGULAR_FILE = "0";

/** A file within an archive. */
export interface TarFile {
  /** With its folder; ASCII, at most 100 bytes. */
  readonly name: string;
  readonly bytes: number;
}

/**
 * The header block of a file that is its owner's alone, in the "ustar" format of POSIX.1-1988:
 *
 *     0 name   100 mode   108 uid   116 gid   124 size   136 mtime   148 checksum   156 type   257 "ustar\0" "00"
 */
export function tarHeader({ name, bytes }: TarFile, mtimeMs: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name.slice(0, NAME_BYTES), 0, "ascii");
  const mtime = Math.max(0, Math.floor(mtimeMs / 1000));
  const numbers = [octal(0o600, 7), octal(0, 7), octal(0, 7), octal(bytes, 11), octal(mtime, 11)];
  block.write(`${numbers.join("\0")}\0`, NAME_BYTES, "ascii");
  block.write(REGULAR_FILE, TYPE_AT, "ascii");
  block.write("ustar\u000000", MAGIC_AT, "ascii");
  block.write(`${octal(sumOf(block), 6)}\0 `, SUM_AT, "ascii");
  return block;
}

/** What a header block says; undefined for a damaged one. */
export function readTarHeader(block: Buffer): TarFile | undefined {
  const text = (at: number, bytes: number): string =>
    block.toString("latin1", at, at + bytes).split("\0", 1)[0] ?? "";
  const size = text(SIZE_AT, 12).trim();
  const sum = Number.parseInt(text(SUM_AT, SUM_BYTES), 8);
  if (!/^[0-7]+$/.test(size) || sum !== sumOf(block)) return undefined;
  return { name: text(0, NAME_BYTES), bytes: Number.parseInt(size, 8) };
}

/** What follows a file's content up to the next block. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** What follows the last file. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK_BYTES);
}

/** The sum of all bytes, with the sum's own eight counted as spaces. */
function sumOf(block: Buffer): number {
  const own = block.subarray(SUM_AT, SUM_AT + SUM_BYTES).reduce((sum, byte) => sum + byte, 0);
  return block.reduce((sum, byte) => sum + byte, 0) - own + SUM_BYTES * 0x20;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
