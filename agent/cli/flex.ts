import { Command } from "commander";
import { flexBaselineCommand } from "./flex-baseline.ts";
import { flexOwnerCommands } from "./flex-owner.ts";
import { flexRevertCommand } from "./flex-revert.ts";

const HELP_HINT = "(add --help for what it takes)";

const HELP = `
Exit status: 0 done, 1 it could not be done, 2 the command line or the configuration is wrong.`;

/** `kilowitness flex …`: flexibility by hand, without a node. */
export function flexCommand(): Command {
  const flex = new Command("flex")
    .description(
      "flexibility by hand: what a baseline method says of a load, what the owner wants, an end to what devices were told",
    )
    .addHelpText("after", HELP);
  for (const command of [flexBaselineCommand(), flexRevertCommand(), ...flexOwnerCommands()])
    flex.addCommand(command.showHelpAfterError(HELP_HINT).exitOverride());
  return flex;
}
