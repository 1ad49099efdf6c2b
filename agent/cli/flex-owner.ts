import { Command, Option } from "commander";
import { CONTROL_MODES } from "../../drivers/control.ts";
import { runCommand } from "../../runtime/command.ts";
import { loadAgentConfig } from "../config/config.ts";
import { heldWords, optedOutWords, orderOwner, releasedWords } from "./flex-owner-ask.ts";
import { entryOf, type HoldOptions, heldValue, minutesOf, percentOf, wattsOf } from "./flex-owner-value.ts";

interface OwnerOptions {
  readonly config: string;
  readonly json?: boolean;
}

/** Where an order goes, and what of its answer is printed. */
interface OwnerOrder {
  readonly path: string;
  readonly body: object;
  words(answer: unknown): string;
}

const HELP = `
Asks the running agent on the socket beside its journal, which only the agent's own user and root may open. It is above what
nodes order. docs/flexibility.md, "The owner".

Exit status: 0 done, 1 it was refused, or no agent runs; 2 the command line or the configuration is wrong.`;

const HOLD_HELP = `
W, + into the device: --power 2000 charges a battery with 2 kW, --power -2000 discharges it.
${HELP}`;

/** `kilowitness flex opt-out`, `hold`, `release`: what the owner says at the gateway. */
export function flexOwnerCommands(): Command[] {
  return [optOutCommand(), holdCommand(), releaseCommand()];
}

function optOutCommand(): Command {
  return ownerCommand("opt-out", "do not deliver a commitment, or end a dispatch, in this gateway's log")
    .argument("<entry>", "its entry of the log, as kilowitness status shows it", entryOf)
    .addHelpText("after", HELP)
    .action((entry: number, options: OwnerOptions) =>
      run("opt-out", options, () => ({ path: "/flex/opt-out", body: { entry }, words: optedOutWords })),
    );
}

function holdCommand(): Command {
  return ownerCommand("hold", "have a device keep to a value for a time, whatever nodes order")
    .argument("<device>", "id of the device")
    .option("--power <W>", "the power to keep to", wattsOf)
    .option("--import-limit <W>", "the most that it takes in", wattsOf)
    .option("--export-limit <W>", "the most that it gives out", wattsOf)
    .option("--reserve <percent>", "charge that is not used", percentOf)
    .addOption(
      new Option(
        "--mode <mode>",
        "what it does of itself; advised: a heat pump takes more, as far as it likes",
      ).choices(Object.keys(CONTROL_MODES)),
    )
    .addOption(new Option("--for <minutes>", "how long").argParser(minutesOf).makeOptionMandatory())
    .addHelpText("after", HOLD_HELP)
    .action((device: string, options: OwnerOptions & HoldOptions) =>
      run("hold", options, () => ({
        path: "/flex/hold",
        body: { device, minutes: options.for, value: heldValue(options) },
        words: heldWords,
      })),
    );
}

function releaseCommand(): Command {
  return ownerCommand("release", "end what flex hold has a device do")
    .argument("<device>", "id of the device")
    .addHelpText("after", HELP)
    .action((device: string, options: OwnerOptions) =>
      run("release", options, () => ({ path: "/flex/release", body: { device }, words: releasedWords })),
    );
}

function ownerCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption("--config <file>", "configuration of the agent")
    .option("--json", "print the agent's answer as JSON");
}

/** The command line is judged before anything is asked. */
function run(name: string, { config, json }: OwnerOptions, order: () => OwnerOrder): Promise<void> {
  return runCommand(`flex ${name}`, async () => {
    const { path, body, words } = order();
    const answer = await orderOwner(loadAgentConfig(config), path, body);
    process.stdout.write(`${json === true ? JSON.stringify(answer) : words(answer)}\n`);
  });
}
