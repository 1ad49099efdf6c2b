import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { vi } from "vitest";
import type { FakeGpio } from "../relay/fake-gpio.ts";
import { installedPrograms } from "./programs.ts";
import { SimChip } from "./sim-chip.ts";

/** Enough for the lines that the tests name. */
const LINES = 32;

/**
 * Writes down what gpioset is told, as the one of {@link FakeGpio} does, and becomes the real one, at the simulated chip.
 * Only a line that is refused and a program that hangs are played.
 */
function recorder(real: string, chip: string, folder: string): string {
  return `#!/bin/sh
if [ "$1" = --version ]; then exec ${real} --version; fi
how=hold; low=high
for word in "$@"; do
  shift
  case "$word" in
    gpiochip0) word=${chip} ;;
    --chip=gpiochip0) word=--chip=${chip} ;;
    --usec=*|--toggle=0) how=touch ;;
    --active-low) low=low ;;
    [0-9]*=[01]) level=$word ;;
  esac
  set -- "$@" "$word"
done
line=\${level%%=*}; value=\${level##*=}; place=${folder}/line-$line
if [ -e ${folder}/refuse-$line ]; then echo "gpioset: unable to request lines: Operation not permitted" >&2; exit 1; fi
if [ -e ${folder}/hang-$line ] && [ $how = hold ]; then exec sleep 1000; fi
echo $$ >"$place.pid"
echo "$how $value $low" >>"$place"
echo "$line $value" >>${folder}/levels
exec ${real} "$@"
`;
}

/** The same machine, at whose lines the kernel's own simulated ones are, and the gpioset that is installed. */
export function onSimulatedLines(fake: typeof FakeGpio): typeof FakeGpio {
  return class extends fake {
    #chip: SimChip | undefined;

    override install(version: 1 | 2): void {
      const real = installedPrograms().get(version);
      if (real === undefined) throw new Error(`there is no gpioset of version ${version}`);
      this.#chip ??= new SimChip(LINES);
      const bin = join(this.folder, "bin");
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, "gpioset"), recorder(join(real, "gpioset"), this.#chip.name, this.folder));
      chmodSync(join(bin, "gpioset"), 0o755);
      vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"] ?? ""}`);
    }

    override close(): void {
      this.#chip?.close();
      super.close();
    }
  };
}
