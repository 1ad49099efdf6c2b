import { Command } from "commander";
import { flexBaselineCommand } from "./flex-baseline.ts";

const HELP = `
Exit status: 0 done, 1 it cannot be computed from this data, 2 the command line is wrong.`;

/** `kilowitness flex …`: flexibility by hand, without an agent or a node. */
export function flexCommand(): Command {
  return new Command("flex")
    .description("flexibility by hand: what a baseline method says of a load")
    .addHelpText("after", HELP)
    .addCommand(flexBaselineCommand().showHelpAfterError("(add --help for what it takes)").exitOverride());
}
