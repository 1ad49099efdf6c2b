import { gzipSync } from "node:zlib";
import { tarEnd, tarHeader, tarPadding } from "./tar-header.ts";

/** A text to pack, and its name within the archive. */
export interface PackedFile {
  readonly name: string;
  readonly text: string;
}

/**
 * A gzipped tar archive that every system unpacks: the "ustar" format of POSIX.1-1988, one header block a file.
 *
 * @param folder the folder that all files are in, ASCII
 * @param mtimeMs when the files were made
 */
export function packTar(folder: string, files: readonly PackedFile[], mtimeMs: number): Buffer {
  const parts = files.flatMap(({ name, text }) => {
    const content = Buffer.from(text, "utf8");
    const head = tarHeader({ name: `${folder}/${name}`, bytes: content.length }, mtimeMs);
    return [head, content, tarPadding(content.length)];
  });
  return gzipSync(Buffer.concat([...parts, tarEnd()]));
}
