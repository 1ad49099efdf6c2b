import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { nodeConfigSchema } from "../config.ts";
import { doorOf, type NodeDoor } from "./ask-node.ts";

export interface FlexOptions {
  readonly config: string;
  readonly tokens?: string;
  readonly json?: boolean;
}

/** An answer of the node, and what to print of it. */
export interface FlexAnswer {
  readonly answer: unknown;
  readonly lines: readonly string[];
}

const EXIT_HELP = `
Exit status: 0 done, 1 it could not be done, 2 the command line or the configuration is wrong. docs/flexibility.md explains it.`;

/** A command that asks the running node about one device. */
export function aboutDevice(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument("<device>", "key of the device, 64 hexadecimal digits", deviceOf)
    .requiredOption("--config <file>", "configuration of the node")
    .option("--tokens <file>", "file of tokens, in place of the node's own")
    .option("--json", "print the node's answer as JSON")
    .addHelpText("after", EXIT_HELP)
    .showHelpAfterError("(add --help for what it takes)")
    .exitOverride();
}

export function runFlex(
  name: string,
  options: FlexOptions,
  ask: (door: NodeDoor) => Promise<FlexAnswer>,
): Promise<void> {
  return runCommand(`flex ${name}`, async () => {
    const config = readConfigFile(options.config, nodeConfigSchema);
    const { answer, lines } = await ask(doorOf(config, options.tokens));
    process.stdout.write(`${options.json === true ? JSON.stringify(answer) : lines.join("\n")}\n`);
  });
}

/** Writes what a node has answered. Throws `flex-write`. */
export function writeAnswer(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes);
  } catch (cause) {
    throw new Problem("flex-write", "the file cannot be written", {
      ...{ where: path, got: cause instanceof Error ? cause.message : String(cause), cause },
    });
  }
}

function deviceOf(text: string): string {
  const key = text.trim().toLowerCase();
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  throw new InvalidArgumentError("expected 64 hexadecimal digits");
}

/** An order's id of the command line. */
export function idOf(text: string): string {
  if (/^[0-9a-f]{32}$/i.test(text.trim())) return text.trim().toLowerCase();
  throw new InvalidArgumentError("expected 32 hexadecimal digits, as flex orders shows them");
}

/** W, as a person writes them, in mW. */
export function wattsOf(text: string): number {
  const mw = /^[+-]?\d{1,9}(?:\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : Number.NaN;
  if (Number.isSafeInteger(mw)) return mw + 0;
  throw new InvalidArgumentError("expected W, such as 600 or -2500.5");
}

/** Wh of each interval, with commas between them, in mWh. */
export function wattHoursOf(text: string): number[] {
  return text.split(",").map((part) => wattsOf(part.trim()));
}

export function wholeOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a whole number");
}

/** A value for each time that an option is given. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
