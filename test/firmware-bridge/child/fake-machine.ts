import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { vi } from "vitest";
import { FakeLine } from "../pulse/fake-line.ts";
import { FakeGpio, isAlive } from "../relay/fake-gpio.ts";
import { FakeContact } from "../tamper/fake-contact.ts";

/** The lines of the machine: pulses, an enclosure's contact (as {@link FakeContact} wants it), a relay. */
export const LINES = { pulses: 4, contact: 17, relay: 27 } as const;

/** A program that refuses a line that somebody has, keeps it otherwise, and is then the one of another folder. */
function exclusive(
  program: string,
  folder: string,
  bins: { readonly pulses: string; readonly contact: string },
): string {
  return `#!/bin/sh
for word in "$@"; do line=$word; done
if [ "$line" = ${LINES.pulses} ]; then real=${bins.pulses}/${program}; else real=${bins.contact}/${program}; fi
[ "$line" != --version ] || exec "$real" --version
has=${folder}/has-$line
# It is free when who had it is dead, whether somebody has waited for that one or not.
if [ -e "$has" ] && grep -qs ') [^ZX] ' "/proc/$(cat "$has")/stat"; then
  echo "error: unable to request lines: Device or resource busy" >&2; exit 1
fi
${program === "gpiomon" ? 'echo $$ >"$has"' : ""}
exec "$real" "$@"
`;
}

/** A machine with pulses, a relay and an enclosure, whose lines each belong to one program at a time. */
export class FakeMachine {
  readonly line: FakeLine = new FakeLine();
  readonly gpio: FakeGpio = new FakeGpio();
  readonly contact: FakeContact = new FakeContact(2, false);

  async open(): Promise<void> {
    await this.line.open();
    this.line.installGpiomon(2);
    this.gpio.install(2);
    const own = join(this.gpio.folder, "exclusive");
    mkdirSync(own);
    const bins = { pulses: join(this.line.folder, "bin"), contact: join(this.contact.folder, "bin") };
    for (const program of ["gpiomon", "gpioget"]) {
      writeFileSync(join(own, program), exclusive(program, this.gpio.folder, bins));
      chmodSync(join(own, program), 0o755);
    }
    vi.stubEnv("PATH", `${own}${delimiter}${process.env["PATH"] ?? ""}`);
  }

  /** Who has a line that is watched, if somebody does. */
  watcher(line: number): number | undefined {
    const path = join(this.gpio.folder, `has-${line}`);
    const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : undefined;
    return pid !== undefined && isAlive(pid) ? pid : undefined;
  }

  async close(): Promise<void> {
    await this.line.close();
    this.gpio.close();
    this.contact.close();
  }
}

/** Every process that the process has started, and those that these have, and so on. */
export function descendantsOf(pid: number): readonly number[] {
  const parents = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(parentOf),
  );
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found.slice(1);
}

function parentOf(name: string): readonly [pid: number, parent: number | undefined] {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    return [Number(name), Number(/\) . (\d+)/.exec(stat)?.[1])];
  } catch {
    return [Number(name), undefined];
  }
}
