import type { Command } from "commander";
import { flexCommand } from "../agent/cli/flex.ts";
import { flexNodeCommands } from "../network/cli/flex.ts";

const HELP = `
baseline needs nothing, revert a stopped agent, opt-out, hold and release a running one on this machine. All others ask a running node
over HTTP, with a token of the file that http.tokens names (or --tokens). W and Wh on the command line, + into the boundary.

  kilowitness flex offers DEVICE --config node.yaml
  kilowitness flex commit DEVICE --config node.yaml --channel battery/battery --direction reduce --offer 4711 \\
    --from 2026-12-01T17:00:00Z --delta=-250,-250,-250,-250 --method h10/1 --zone Europe/Amsterdam --notice 3600
  kilowitness flex dispatch DEVICE --config node.yaml --commitment ID --follow
  kilowitness flex settlement DEVICE ID --config node.yaml`;

/** `kilowitness flex …`: baselines by hand, and a node's orders to devices. */
export function wholeFlexCommand(): Command {
  const command = flexCommand().addHelpText("after", HELP);
  for (const sub of flexNodeCommands()) command.addCommand(sub);
  return command.description("flexibility: what a method says of a load, and a node's orders to devices");
}
