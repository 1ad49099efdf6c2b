import { Command, InvalidArgumentError } from "commander";
import { runCommand } from "../../runtime/command.ts";
import { loadAgentConfig } from "../config/config.ts";
import { type ProbeResult, probeDevice } from "./probe-device.ts";
import { probeJson, probeText } from "./probe-report.ts";

interface ProbeOptions {
  readonly config: string;
  readonly seconds: number;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 20;
const HELP = `
Reads only: no key is made, nothing is written and nothing is sent. Compare what it shows with each meter's display.
Exit status: 0 when every device answered, 1 when one did not, 2 when the configuration is wrong.`;

/** `kilowitness probe --config FILE`: reads every configured device once and says what it sees. */
export function probeCommand(): Command {
  return new Command("probe")
    .description("read every configured device once and say in words what it shows")
    .requiredOption("--config <file>", "configuration (see examples/agent.yaml)")
    .option("--seconds <number>", "longest wait for each device", seconds, DEFAULT_SECONDS)
    .option("--json", "print one JSON object with integer units")
    .addHelpText("after", HELP)
    .action((options: ProbeOptions) => runCommand("probe", () => probe(options)));
}

async function probe({ config: path, seconds: patience, json }: ProbeOptions): Promise<void> {
  const { devices } = loadAgentConfig(path);
  const results = await Promise.all(devices.map((device) => probeDevice(device, patience * 1000)));
  process.stdout.write(json === true ? `${JSON.stringify(probeJson(results))}\n` : probeText(results));
  if (results.some(hasFailed)) process.exitCode = 1;
}

function hasFailed(result: ProbeResult): boolean {
  return result.problem !== undefined;
}

const LONGEST_SECONDS = 3600;

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= LONGEST_SECONDS) return value;
  throw new InvalidArgumentError(`expected a number above 0 up to ${LONGEST_SECONDS}, got "${text}"`);
}
