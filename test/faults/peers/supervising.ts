import { supervise } from "../../../agent/supervisor.ts";
import { openLogger } from "../../../runtime/log.ts";

/*
 * The supervisor over any program in the place of the agent; its log is on standard error.
 *
 *   supervising.ts LEASE_FILE AGENT_AS_JSON_LIST REVERT_AS_JSON_LIST
 */

const [, , file = "", agent = "[]", revert = "[]"] = process.argv;
const commandOf = (text: string): { readonly command: string; readonly args: readonly string[] } => {
  const [command = "", ...args] = JSON.parse(text) as string[];
  return { command, args };
};
process.exitCode = await supervise({
  ...commandOf(agent),
  logger: openLogger("supervisor", "info"),
  leases: { file, revert: commandOf(revert) },
});
