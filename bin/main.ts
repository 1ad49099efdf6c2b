import { Command, CommanderError } from "commander";
import { agentCommand } from "../agent/cli/agent.ts";
import { keygenCommand } from "../agent/cli/keygen.ts";
import { probeCommand } from "../agent/cli/probe.ts";
import { proveCommand } from "../agent/cli/prove.ts";
import { nodeCommand } from "../network/cli/node.ts";
import { verifyCommand } from "../network/cli/verify.ts";
import { VERSION } from "../runtime/version.ts";
import { demoCommand } from "./demo/command.ts";

const HELP = `
On a gateway, in this order:
  kilowitness probe --config agent.yaml     read every device once: is the wiring right?
  kilowitness agent --config agent.yaml     seal, keep and stream readings
  kilowitness prove --config agent.yaml     list closed intervals, write the proof of one

Anywhere else:
  kilowitness verify hour.kwp               check a proof somebody gave you
  kilowitness demo                          see the whole path on simulated devices`;

/** Runs the command line; sets the exit status: 0 done, 1 it failed, 2 the command line or configuration is wrong. */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("kilowitness")
    .description("a witness for kilowatt-hours: reads meters, seals every reading, proves any interval")
    .version(VERSION)
    .addHelpText("after", HELP)
    .showHelpAfterError("(add --help for what it takes)");
  const commands = [
    probeCommand(),
    agentCommand(),
    proveCommand(),
    verifyCommand(),
    nodeCommand(),
    keygenCommand(),
    demoCommand(),
  ];
  for (const command of commands) program.addCommand(exitTwo(command));
  exitTwo(program);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    process.exitCode = cause.exitCode === 0 ? 0 : 2;
  }
}

/** Commander has printed its sentence already; the process ends by itself. */
function exitTwo(command: Command): Command {
  return command.exitOverride();
}
