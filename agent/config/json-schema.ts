import { z } from "zod";
import { COMMON_DEVICE_KEYS, type DriverCatalogue } from "../../drivers/catalogue.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import { configSchema } from "./schema.ts";

/** A JSON Schema, or a part of one. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Editors know this draft best; what it lacks is not used. */
const TARGET = "draft-7";

/**
 * The JSON Schema (draft 7) of the agent's configuration with the options of every driver, for editors. The agent
 * checks more than a schema can say: what belongs together, lengths in bytes, names that there are.
 */
export function agentConfigJsonSchema(catalogue: DriverCatalogue = gatewayCatalogue): JsonSchema {
  const { properties = {}, ...rest } = jsonSchemaOf(configSchema);
  const { devices } = properties;
  if (devices === undefined || !isList(devices)) throw new Error("the configuration has a list of devices");
  const items = withDrivers(devices.items, catalogue);
  return {
    title: "Configuration of a Kilowitness agent",
    ...rest,
    properties: { ...properties, devices: { ...devices, items } },
  };
}

/** What a schema takes, before defaults are filled in and text is parsed. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const made: JsonSchema = z.toJSONSchema(schema, { io: "input", target: TARGET });
  return made;
}

function isList(schema: unknown): schema is JsonSchema & { readonly items: JsonSchema } {
  if (typeof schema !== "object" || schema === null || !("items" in schema)) return false;
  return typeof schema.items === "object" && schema.items !== null && !Array.isArray(schema.items);
}

/** A device has the keys of every device and those of its driver, and no other. */
function withDrivers(device: JsonSchema, catalogue: DriverCatalogue): JsonSchema {
  const { additionalProperties: _, properties = {}, ...rest } = device;
  const driver = { ...objectOf(properties["driver"]), enum: [...catalogue.names] };
  const allOf = groupsOf(catalogue).map(({ names, options }) => conditional(names, ownOptions(options)));
  return { ...rest, properties: { ...properties, driver }, allOf };
}

/** Who is another driver has other options. */
function conditional(names: readonly string[], otherwise: JsonSchema): JsonSchema {
  return { if: { properties: { driver: { not: { enum: [...names] } } } }, else: otherwise };
}

function ownOptions({ properties = {}, required = [] }: JsonSchema): JsonSchema {
  const common = Object.fromEntries(COMMON_DEVICE_KEYS.map((key) => [key, true]));
  return {
    properties: { ...common, ...properties },
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

interface Group {
  readonly names: string[];
  readonly options: JsonSchema;
}

/** Most drivers are profiles with the same options: each set of options is written once. */
function groupsOf({ definitions }: DriverCatalogue): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const { name, schema } of definitions) {
    const options = jsonSchemaOf(schema);
    const text = JSON.stringify(options);
    const group = groups.get(text) ?? { names: [], options };
    group.names.push(name);
    groups.set(text, group);
  }
  return [...groups.values()];
}

function objectOf(schema: JsonSchema | boolean | undefined): JsonSchema {
  return typeof schema === "object" ? schema : {};
}
