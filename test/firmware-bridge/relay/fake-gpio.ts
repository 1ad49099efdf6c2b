import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { vi } from "vitest";
import type { OutputLine } from "../../../firmware-bridge/gpio/line.ts";

/** The options that the real programs have; others are refused. */
const OPTIONS = {
  1: "--mode=time|--sec=2000000000|--usec=50000|--drive=push-pull|--drive=open-drain|--active-low",
  2: "--banner|--toggle=0|--hold-period=50ms|--drive=push-pull|--drive=open-drain|--active-low|--chip=gpiochip0",
} as const;

/**
 * A gpioset for a POSIX shell: it refuses what the real one does not know, refuses a line that somebody has, writes each level
 * and each release behind the line's history, and holds the line as long as the real one would. A line that is let go keeps
 * its level, as on a Raspberry Pi.
 */
function gpiosetText(version: 1 | 2, folder: string): string {
  return `#!/bin/sh
how=hold; version=; banner=; low=high
for word in "$@"; do
  case "$word" in
    ${OPTIONS[version]}) ;;
    --version) version=yes ;;
    gpiochip0) [ ${version} = 1 ] || { echo "gpioset: invalid line value: '$word'" >&2; exit 1; } ;;
    [0-9]*=[01]) level=$word ;;
    *) echo "gpioset: unrecognized option '$word'" >&2; exit 1 ;;
  esac
  case "$word" in
    --usec=*|--toggle=0) how=touch ;;
    --banner) banner=yes ;;
    --active-low) low=low ;;
  esac
done
# As much work as to take a line: how long this one takes is how long version 1 is given to have its line.
if [ -n "$version" ]; then grep -qs ' ' /proc/self/stat; echo "gpioset (libgpiod) v${version === 1 ? "1.6.3" : "2.2.4"}"; exit 0; fi
line=\${level%%=*}; value=\${level##*=}; place=${folder}/line-$line
if [ -e ${folder}/refuse-$line ]; then echo "gpioset: unable to request lines: Operation not permitted" >&2; exit 1; fi
# A line is free when who had it is dead, whether somebody has waited for that one or not.
if [ -e "$place.pid" ] && grep -qs ') [^ZX] ' "/proc/$(cat "$place.pid")/stat"; then echo "gpioset: unable to request lines: Device or resource busy" >&2; exit 1; fi
if [ -e ${folder}/hang-$line ] && [ $how = hold ]; then exec sleep 1000; fi
echo $$ >"$place.pid"
echo "$how $value $low" >>"$place"
echo "$line $value" >>${folder}/levels
[ -z "$banner" ] || echo "Setting line '$line'..."
if [ $how = touch ]; then sleep 0.05; rm -f "$place.pid"; exit 0; fi
exec sleep 1000
`;
}

/** What happened at one line: held or touched, the level, and which level is active. */
export type LineHistory = readonly string[];

/** A machine whose GPIO lines are files of a temporary folder. */
export class FakeGpio {
  readonly folder: string = mkdtempSync(join(tmpdir(), "relay-"));

  /** From here on gpioset is this one. */
  install(version: 1 | 2): void {
    const bin = join(this.folder, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "gpioset"), gpiosetText(version, this.folder));
    chmodSync(join(bin, "gpioset"), 0o755);
    vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"] ?? ""}`);
  }

  /** From here on the line cannot be had. */
  refuse(line: number): void {
    writeFileSync(join(this.folder, `refuse-${line}`), "");
  }

  /** From here on the program that is to hold the line hangs before it has it. */
  hang(line: number): void {
    writeFileSync(join(this.folder, `hang-${line}`), "");
  }

  history(line: number): LineHistory {
    const path = join(this.folder, `line-${line}`);
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }

  /** Each line with its level, in the order in which all lines were set. */
  levels(): readonly string[] {
    return readFileSync(join(this.folder, "levels"), "utf8").trim().split("\n");
  }

  /** The program that holds the line, if one does. */
  holder(line: number): number | undefined {
    const path = join(this.folder, `line-${line}.pid`);
    if (!existsSync(path)) return undefined;
    const pid = Number(readFileSync(path, "utf8"));
    return isAlive(pid) ? pid : undefined;
  }

  output(line: number, more: Partial<OutputLine> = {}): OutputLine {
    return { chip: "gpiochip0", line, activeLow: false, drive: "push-pull", ...more };
  }

  close(): void {
    vi.unstubAllEnvs();
    // The guard of one that was killed may be about to write something.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A child that nobody has waited for yet is dead all the same.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
