import { agentConfigJsonSchema, type JsonSchema, jsonSchemaOf } from "../../../agent/config/json-schema.ts";
import { nodeConfigSchema } from "../../../network/config.ts";

/** The published schema files and what has to stand in them, by their paths in the project. */
export function publishedSchemas(): ReadonlyMap<string, string> {
  const node = jsonSchemaOf(nodeConfigSchema);
  return new Map([
    ["docs/agent.schema.json", textOf(agentConfigJsonSchema())],
    ["docs/node.schema.json", textOf({ title: "Configuration of a Kilowitness node", ...node })],
  ]);
}

function textOf(schema: JsonSchema): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
