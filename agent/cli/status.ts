import { Command } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { loadAgentConfig } from "../config/config.ts";
import { ATTENTION_HEADER } from "../outlet/http-answers.ts";
import { askAgent } from "./status-ask.ts";

interface StatusOptions {
  readonly config: string;
  readonly json?: boolean;
}

const HELP = `
Asks the running agent; reads no device and changes nothing. What needs attention stands in the first line.

Exit status: 0 all is well, 1 something needs attention, 2 no agent runs, or the configuration is wrong.
docs/operations.md explains every line.`;

/** `kilowitness status --config FILE`: how the running agent stands, in plain words. */
export function statusCommand(): Command {
  return new Command("status")
    .description("say in plain words how the running agent stands and what needs attention")
    .requiredOption("--config <file>", "configuration of the agent")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: StatusOptions) => runCommand("status", () => status(options)));
}

async function status({ config, json }: StatusOptions): Promise<void> {
  const loaded = loadAgentConfig(config);
  try {
    const answer = await askAgent(loaded, json === true ? "/status" : "/status.txt");
    if (answer.status !== 200) throw refused(answer.status, answer.body);
    process.stdout.write(answer.body);
    process.exitCode = answer.headers[ATTENTION_HEADER] === "0" ? 0 : 1;
  } catch (cause) {
    const { code, message } = describeProblem(cause);
    process.stderr.write(`kilowitness status: ${message} (${code})\n`);
    process.exitCode = 2;
  }
}

function refused(status: number, body: string): Problem {
  return new Problem("agent-unreachable", "the agent did not answer the question", {
    expected: "status 200",
    got: `${status} ${body.trim().slice(0, 200)}`,
    hint: "does another program, or an older version, listen there?",
  });
}
