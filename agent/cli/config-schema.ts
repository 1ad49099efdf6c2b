import { Command } from "commander";
import { runCommand } from "../../runtime/command.ts";
import { agentConfigJsonSchema } from "../config/json-schema.ts";

const HELP = `
Editors with a YAML language server find mistakes while you type, where the file's first line names the schema:
  # yaml-language-server: $schema=/opt/kilowitness/app/docs/agent.schema.json

The schema does not know everything: kilowitness probe --config FILE checks the file itself.`;

/** `kilowitness config-schema`: the JSON Schema of the agent's configuration, with every driver's options. */
export function configSchemaCommand(): Command {
  return new Command("config-schema")
    .description("print the JSON Schema of the agent's configuration, for editors")
    .addHelpText("after", HELP)
    .action(() =>
      runCommand("config-schema", () => {
        process.stdout.write(`${JSON.stringify(agentConfigJsonSchema(), undefined, 2)}\n`);
      }),
    );
}
