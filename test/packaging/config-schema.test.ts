import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { COMMON_DEVICE_KEYS } from "../../drivers/catalogue.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import { publishedSchemas } from "./config-schema/published.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const AGENT = "docs/agent.schema.json";
const NODE = "docs/node.schema.json";
/** Files that people start from, and the schema of each. */
const STARTS: readonly (readonly [string, string])[] = [
  ["examples/agent.yaml", AGENT],
  ["examples/pulse-meter.yaml", AGENT],
  ["examples/coprocessor.yaml", AGENT],
  ["examples/node.yaml", NODE],
  ["packaging/agent.yaml", AGENT],
  ["packaging/node.yaml", NODE],
];
/** Where an installation has the project's files. */
const INSTALLED = "/opt/kilowitness/app/";

/** Described where they are defined, once for every device. */
const COMMON = new Set(COMMON_DEVICE_KEYS);

const validators = new Map<string, ValidateFunction>();
beforeAll(() => {
  for (const name of [AGENT, NODE]) {
    const schema: object = JSON.parse(text(name));
    validators.set(name, new Ajv({ allErrors: true, strict: false }).compile(schema));
  }
});

function text(name: string): string {
  return readFileSync(`${ROOT}${name}`, "utf8");
}

/** What an editor would underline: place and keyword. */
function faults(value: unknown, name: string = AGENT): string[] {
  const validate = validators.get(name);
  if (validate === undefined) throw new Error(name);
  if (validate(value)) return [];
  return (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== "if")
    .map(({ instancePath, keyword, params }) =>
      [instancePath, keyword, params["additionalProperty"] ?? params["missingProperty"]].join(" ").trim(),
    );
}

/** Options without a description, by their place: what an editor shows beside a key. */
function undescribed(schema: unknown, path = ""): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]: [string, unknown]) => {
    const below = undescribed(value, `${path}/${key}`);
    if (!path.endsWith("/properties") || value === true || COMMON.has(key)) return below;
    const isDescribed = typeof value === "object" && value !== null && "description" in value;
    return isDescribed ? below : [`${path}/${key}`, ...below];
  });
}

function withDevice(device: object): object {
  return { network: "home", key: "k", journal: "j", devices: [device] };
}

describe("the published JSON Schemas", () => {
  it("say what the programs check; 'npm run schemas' writes them", () => {
    for (const [path, made] of publishedSchemas()) expect(text(path), path).toBe(made);
  });

  it.each(STARTS)("take %s", (file, schema) => {
    // An installer takes the '#' away from the examples of the installed file.
    const written = text(file).replaceAll(": []", ":");
    const filled = written === text(file) ? written : written.replaceAll(/^#(?= {2})/gm, "");
    expect(faults(parse(filled), schema)).toEqual([]);
  });

  it.each(STARTS)("are named by %s, where an editor looks", (file, schema) => {
    const named = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text(file))?.[1] ?? "";
    const place = named.startsWith(INSTALLED)
      ? named.slice(INSTALLED.length)
      : resolve(`${ROOT}${dirname(file)}`, named).slice(ROOT.length);
    expect(place).toBe(schema);
  });

  it("know every driver, and refuse another", () => {
    const known = JSON.parse(text(AGENT)).properties.devices.items.properties.driver.enum;
    expect(known).toEqual(gatewayCatalogue.names);
    expect(faults(withDevice({ id: "a", driver: "sunspek", host: "h" }))).toContain("/devices/0/driver enum");
  });

  it.each([
    [{ driver: "sunspec", host: "192.168.1.20", meterRole: "load", intervalMs: 500 }, []],
    [{ driver: "sunspec", hots: "192.168.1.20" }, ["/devices/0 additionalProperties hots"]],
    [{ driver: "sunspec", host: "h", port: 70_000 }, ["/devices/0/port maximum"]],
    [{ driver: "dsmr-p1" }, ["/devices/0 required line"]],
    [
      { driver: "dsmr-p1", line: "tcp://p1:23", host: "not one of its keys" },
      ["/devices/0 additionalProperties host"],
    ],
    [{ driver: "eastron-sdm630", line: "serial:///dev/ttyUSB0", unit: 3, positive: { grid: "import" } }, []],
    [{ driver: "eastron-sdm630", host: "h", positive: { grid: "up" } }, ["/devices/0/positive/grid enum"]],
    [{ driver: "profile", host: "h" }, ["/devices/0 required profile"]],
  ])("check the options of a device's own driver: %j", (device, expected) => {
    expect(faults(withDevice({ id: "a", ...device }))).toEqual(expected);
  });

  it("describe every option of the gateway's own drivers, and of relays, enclosures and lamps", () => {
    const { properties } = JSON.parse(text(AGENT));
    const { items } = properties.devices;
    const own = items.allOf
      .filter((one: { if: unknown }) => /s0-pulse|coprocessor/.test(JSON.stringify(one.if)))
      .map((one: { else: unknown }) => one.else);
    expect(own).toHaveLength(2);
    const parts = {
      own,
      relay: items.properties.relay,
      tamper: properties.tamper,
      indicator: properties.indicator,
    };
    expect(undescribed(parts)).toEqual([]);
  });

  it.each([
    [{ use: "switch", lines: [{ line: 17 }], powerW: 2000 }, []],
    [
      { use: "switch", lines: [{ line: 17, dirve: "x" }] },
      ["/devices/0/relay required powerW", "/devices/0/relay/lines/0 additionalProperties dirve"],
    ],
    [{ use: "sg-ready", lines: [{ line: -1 }], powerW: 2000 }, ["/devices/0/relay/lines/0/line minimum"]],
  ])("check the relay of any device: %j", (relay, expected) => {
    const found = faults(withDevice({ id: "a", driver: "sunspec", host: "h", relay }));
    expect(found.sort()).toEqual(expected);
  });

  it("refuse misspelt keys at the top and in a node's file", () => {
    const misspelt = { ...withDevice({ id: "a", driver: "sunspec", host: "h" }), netwrok: "x" };
    expect(faults(misspelt)).toEqual(["additionalProperties netwrok"]);
    const node = { network: "home", key: "k", store: "s", devices: "some" };
    expect(faults(node, NODE).length).toBeGreaterThan(0);
    expect(faults({ ...node, devices: "open" }, NODE)).toEqual([]);
  });
});
