import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A gpioinfo for a POSIX shell in `folder`/bin, whose only chip has these lines. It prints as tools/gpioinfo.c of libgpiod
 * 1.6 and 2.2 does, and refuses what the real one does not know.
 */
export function installGpioinfo(folder: string, version: 1 | 2, lines: readonly string[]): void {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const named = version === 1 ? "gpioinfo (libgpiod) v1.6.3" : "gpioinfo v2.2.4 (libgpiod v2.2.4)";
  const wanted = version === 1 ? "gpiochip0" : "--chip=gpiochip0";
  const unknown = version === 1 ? "looking up chip $1: No such file or directory" : "cannot find GPIO chip";
  const program = `#!/bin/sh
if [ "$1" = --version ]; then echo "${named}"; exit 0; fi
if [ $# != 1 ] || [ "$1" != ${wanted} ]; then echo "gpioinfo: ${unknown}" >&2; exit 1; fi
cat <<'END'
gpiochip0 - ${lines.length} lines:
${lines.join("\n")}
END
`;
  writeFileSync(join(bin, "gpioinfo"), program);
  chmodSync(join(bin, "gpioinfo"), 0o755);
}

/** 28 lines that nobody uses, but for 4 and, where it is given, another one. */
export function gpioinfoLines(
  version: 1 | 2,
  used?: { readonly line: number; readonly by: string },
): string[] {
  return Array.from({ length: 28 }, (_, line) => {
    const consumer = used?.line === line ? used.by : line === 4 ? "kernel" : undefined;
    const place = `\tline ${String(line).padStart(3)}:`;
    if (version === 1) {
      const by = consumer === undefined ? "unused" : consumer === "kernel" ? consumer : `"${consumer}"`;
      const end = `${by.padStart(12)}  output  active-high ${consumer === undefined ? "" : "[used]"}`;
      return `${place}      unnamed ${end}`;
    }
    const by = consumer === undefined ? "" : ` consumer="${consumer}"`;
    return `${place}\t${`"GPIO${line}"`.padEnd(16)}\toutput${by}`;
  });
}
