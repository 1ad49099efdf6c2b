import { Command, InvalidArgumentError } from "commander";
import { nativeSuite } from "../../attest/native.ts";
import type { CheckResult } from "../../drivers/kit/checklist.ts";
import { checkCoprocessor } from "../../firmware-bridge/coprocessor/conformance/conformance.ts";
import { runCommand } from "../../runtime/command.ts";
import { type FirmwarePlace, firmwareConnect, withFirmwarePlace } from "./firmware-place.ts";

interface CheckOptions extends FirmwarePlace {
  readonly restart?: boolean;
  readonly watch?: number;
  readonly json?: boolean;
}

const MS_PER_S = 1000;
const LONGEST_WATCH_S = 3_600;
const HELP = `
For whoever writes the firmware of a coprocessor: everything that docs/coprocessor-protocol.md asks for and that can be seen at
the line. It has the key sign some statements that mean nothing. Stop an agent first that reads the same port.

Exit status: 0 nothing is wrong; 1 something is; 2 the command line is wrong.`;

/** `kilowitness firmware check`: holds the firmware of a coprocessor against the protocol. */
export function firmwareCheckCommand(): Command {
  return withFirmwarePlace(
    new Command("check").description("hold a coprocessor's firmware against docs/coprocessor-protocol.md"),
  )
    .option("--restart", "restart it, to see what survives")
    .option("--watch <seconds>", "compare its registers with its power for so long, under load", watchSeconds)
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: CheckOptions) => runCommand("firmware check", () => check(options)));
}

async function check({ restart = false, watch = 0, json = false, ...place }: CheckOptions): Promise<void> {
  const told = (result: CheckResult): void => {
    if (!json) process.stdout.write(`${lineOf(result)}\n`);
  };
  const connection = await firmwareConnect(place)();
  try {
    const results = await checkCoprocessor(connection, {
      ...{ suite: nativeSuite, restart, told, watchMs: watch * MS_PER_S },
    });
    if (json) process.stdout.write(`${JSON.stringify({ checks: results })}\n`);
    else process.stdout.write(`${summary(results)}\n`);
    if (results.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
  } finally {
    await connection.close();
  }
}

const WORDS = { passed: "ok     ", failed: "WRONG  ", skipped: "skipped" } as const;

function lineOf({ name, outcome, detail }: CheckResult): string {
  return `${WORDS[outcome]} ${name}${detail === undefined ? "" : `: ${detail}`}`;
}

function summary(results: readonly CheckResult[]): string {
  const count = (outcome: CheckResult["outcome"]): number =>
    results.filter((result) => result.outcome === outcome).length;
  return `${count("passed")} ok, ${count("failed")} wrong, ${count("skipped")} skipped`;
}

function watchSeconds(text: string): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= LONGEST_WATCH_S) return seconds;
  throw new InvalidArgumentError(`expected 1 to ${LONGEST_WATCH_S} seconds, got "${text}"`);
}
