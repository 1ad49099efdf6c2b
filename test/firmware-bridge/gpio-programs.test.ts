import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { gpiomonArguments, gpiomonMajor } from "../../firmware-bridge/gpio/gpiomon.ts";
import { holdCommand, touchCommand } from "../../firmware-bridge/gpio/gpioset.ts";
import type { InputLine, OutputLine } from "../../firmware-bridge/gpio/line.ts";
import { gpiogetArguments } from "../../firmware-bridge/tamper/input-level.ts";

const NO_CHIP = "no-such-chip";
/** Of an option that it does not know, and of a value that it does not take (libgpiod 1.6 and 2.x). */
const ABOUT_OPTIONS =
  /unrecognized option|invalid option|requires an argument|invalid (bias|drive|mode|period|format|event)/i;

const inputs: readonly InputLine[] = (["as-is", "disabled", "pull-up", "pull-down"] as const).flatMap(
  (bias) => [true, false].map((activeLow) => ({ chip: NO_CHIP, line: 3, activeLow, bias })),
);
const outputs: readonly OutputLine[] = (["push-pull", "open-drain", "open-source"] as const).flatMap(
  (drive) => [true, false].map((activeLow) => ({ chip: NO_CHIP, line: 3, activeLow, drive })),
);

/** What the program says on its way to a chip that there is not. */
function complaint([program = "", ...args]: readonly string[]): string {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: 20_000 });
  expect(error, program).toBeUndefined();
  expect(status, `${program} ${args.join(" ")}`).not.toBe(0);
  return stderr;
}

const major = await gpiomonMajor();

describe.skipIf(major === undefined)("gpiod's own programs (Debian: gpiod)", () => {
  const version = major ?? 1;
  const commands = [
    ...inputs.map((input) => ["gpiomon", ...gpiomonArguments(version, input)]),
    ...inputs.map((input) => ["gpioget", ...gpiogetArguments(version, input)]),
    ...outputs.flatMap((output) => [
      holdCommand(version, output, true),
      touchCommand(version, output, false),
    ]),
  ];

  it.each(commands.map((words) => [words.join(" "), words] as const))("take: %s", (_name, words) => {
    const said = complaint(words);
    expect(said).not.toMatch(ABOUT_OPTIONS);
    expect(said).toMatch(/No such file|no-such-chip|not find/i);
  });

  it("complain of what they do not take", () => {
    for (const words of [
      ["gpiomon", "--frobnicate", NO_CHIP, "3"],
      ["gpiomon", "--bias=sideways", NO_CHIP, "3"],
      ["gpioget", "--bias=sideways", NO_CHIP, "3"],
      ["gpioset", "--drive=sideways", NO_CHIP, "3=1"],
    ])
      expect(complaint(words), words.join(" ")).toMatch(ABOUT_OPTIONS);
  });
});
