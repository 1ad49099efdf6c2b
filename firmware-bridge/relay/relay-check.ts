import { Problem } from "../../attest/problem.ts";
import { gpiosetMajor } from "../gpio/gpioset.ts";
import { lineName, type OutputLine } from "../gpio/line.ts";
import { lineInfo } from "../gpio/line-info.ts";

/**
 * Whether the lines of a relay could be taken, from what the system says of them: nothing is switched. Says of each line
 * that is in use who uses it.
 *
 * @throws Problem `gpioset-missing`, `gpioset-version`, `gpioinfo-…`, `relay-line` where a chip has no such line
 */
export async function checkRelayLines(lines: readonly OutputLine[]): Promise<readonly string[]> {
  await gpiosetMajor();
  const used: string[] = [];
  for (const output of lines) used.push(...(await usersOf(output)));
  return used;
}

async function usersOf(output: OutputLine): Promise<string[]> {
  const { chip, exists, user } = await lineInfo(output);
  if (!exists)
    throw new Problem("relay-line", "the chip has no such line", {
      where: lineName(output),
      got: chip,
      hint: "gpioinfo lists the lines of each chip",
    });
  return user === undefined ? [] : [`${lineName(output)} is in use by ${user}`];
}
