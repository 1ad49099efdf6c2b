import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { vi } from "vitest";

/** Programs in the place of gpioget and gpiomon, for a POSIX shell: the level is a file, and so are the edges. */
function programs(version: 1 | 2, folder: string): Readonly<Record<string, string>> {
  const named = `echo "gpiomon (libgpiod) v${version === 1 ? "1.6.3" : "2.2.4"}"`;
  const fails = `if [ -e ${folder}/gone ]; then echo "error: No such device" >&2; exit 1; fi`;
  const numeric = version === 1 ? "" : "--numeric --chip=gpiochip0 ";
  const place = version === 1 ? "gpiochip0 17" : "17";
  return {
    gpioget: `#!/bin/sh
${fails}
[ "$*" = "--bias=pull-up ${numeric}${place}" ] || { echo "gpioget: try --help: $*" >&2; exit 1; }
cat ${folder}/level
`,
    gpiomon: `#!/bin/sh
if [ "$1" = --version ]; then ${named}; exit 0; fi
${fails}
: >${folder}/edges
echo $$ >>${folder}/watchers
exec tail -n +1 -f ${folder}/edges
`,
  };
}

/** The contact of an enclosure, at a machine that has no GPIO. */
export class FakeContact {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tamper-"));
  readonly #version: 1 | 2;

  constructor(version: 1 | 2, isOpen: boolean) {
    this.#version = version;
    this.setLevel(isOpen);
    const bin = join(this.folder, "bin");
    mkdirSync(bin);
    for (const [name, text] of Object.entries(programs(version, this.folder))) {
      writeFileSync(join(bin, name), text);
      chmodSync(join(bin, name), 0o755);
    }
    vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"] ?? ""}`);
  }

  /** What gpioget reads, without an edge. */
  setLevel(isOpen: boolean): void {
    writeFileSync(join(this.folder, "level"), isOpen ? "1\n" : "0\n");
  }

  /** An edge, `agoMs` ago. */
  edge(isOpen: boolean, agoMs = 0): void {
    this.setLevel(isOpen);
    const ns = process.hrtime.bigint() - BigInt(agoMs) * 1_000_000n;
    const [s, n] = [ns / 1_000_000_000n, ns % 1_000_000_000n];
    const text =
      this.#version === 1
        ? `${isOpen ? 1 : 0} ${s} ${n}`
        : `${isOpen ? 1 : 2} ${s}.${String(n).padStart(9, "0")}`;
    appendFileSync(join(this.folder, "edges"), `${text}\n`);
  }

  /** From here on gpiomon ignores that it is to end. */
  installStubborn(): void {
    const text = `#!/bin/sh
if [ "$1" = --version ]; then echo "gpiomon (libgpiod) v2.2.4"; exit 0; fi
trap '' HUP INT TERM
echo $$ >>${this.folder}/watchers
exec sleep 1000
`;
    writeFileSync(join(this.folder, "bin", "gpiomon"), text);
  }

  /** From here on the chip is gone, or is back. */
  setGone(isGone: boolean): void {
    if (isGone) writeFileSync(join(this.folder, "gone"), "");
    else rmSync(join(this.folder, "gone"));
  }

  /** The programs that have watched, the last one of them last. */
  watchers(): number[] {
    const path = join(this.folder, "watchers");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").map(Number) : [];
  }

  close(): void {
    vi.unstubAllEnvs();
    // One that was killed may be about to write something.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
