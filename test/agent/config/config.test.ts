import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { loadAgentConfig, requireKnownChannels } from "../../../agent/config/config.ts";
import { configSchema } from "../../../agent/config/schema.ts";
import { Problem } from "../../../attest/problem.ts";

const NODE_KEY = "ab".repeat(32);
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEAD = ["network: test", "key: device.key", "journal: data/journal.db", "devices:"];
const METER = ["  - id: meter", "    driver: dsmr-p1", "    line: tcp://127.0.0.1:2000"];
const ROOF = ["  - id: roof", "    driver: sunspec", "    host: 127.0.0.1"];

function load(...lines: readonly string[]) {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, `${lines.join("\n")}\n`);
  return loadAgentConfig(path);
}

/** The message of the Problem, without the folder. */
function refusal(...lines: readonly string[]): string {
  try {
    load(...lines);
  } catch (error) {
    if (error instanceof Problem) return `${error.code} ${error.message.replace(`${folder}/`, "")}`;
    throw error;
  }
  return "accepted";
}

describe("a configuration", () => {
  it("is complete with its defaults", () => {
    const config = load(...HEAD, ...METER, ...ROOF);
    expect(config).toMatchObject({
      network: "test",
      key: join(folder, "device.key"),
      journal: join(folder, "data/journal.db"),
      logLevel: "info",
      intervalSeconds: 900,
      commitSeconds: 10,
      checkpointSeconds: 60,
      site: {},
      nodes: [],
    });
    expect(config.devices).toMatchObject([
      { id: "meter", definition: { name: "dsmr-p1" }, intervalMs: 5000, channels: {} },
      { id: "roof", definition: { name: "sunspec" }, intervalMs: 5000, options: { port: 502, unit: 1 } },
    ]);
    expect(config.devices[0]?.options).toMatchObject({
      line: { kind: "tcp", host: "127.0.0.1", port: 2000 },
      silenceMs: 30_000,
    });
  });

  it("takes everything that can be said", () => {
    const config = load(
      ...["logLevel: warn", "intervalSeconds: 60", "commitSeconds: 0.5", "checkpointSeconds: 2"],
      ...["site:", "  name: Home", "  timeZone: Europe/Amsterdam", "  gridZone: 10YNL----------L"],
      ...["  consentReference: '42'", "nodes:", "  - url: wss://node.example.org/stream"],
      ...[
        `    key: ${NODE_KEY.toUpperCase()}`,
        "  - url: ws://192.168.1.2:8787",
        `    key: ${"cd".repeat(32)}`,
      ],
      ...[
        "    allowPlain: true",
        ...HEAD,
        ...ROOF,
        "    intervalMs: 1500",
        "    channels:",
        "      inverter:",
      ],
      ...["        name: roof/inverter", "        role: generation", "        maxExportKw: 8.123456"],
      ...["        maxImportKw: 0.1", "        energySource: F01010100", "        technology: T010000"],
      ...["        use: used-on-site"],
    );
    expect(config.site).toEqual({
      name: "Home",
      timeZone: "Europe/Amsterdam",
      gridZone: "10YNL----------L",
      consentReference: "42",
    });
    expect(config.nodes).toEqual([
      { url: "wss://node.example.org/stream", key: NODE_KEY, allowPlain: false },
      { url: "ws://192.168.1.2:8787", key: "cd".repeat(32), allowPlain: true },
    ]);
    expect(config.devices[0]).toMatchObject({ intervalMs: 1500 });
    expect(config.devices[0]?.channels).toEqual({
      inverter: {
        name: "roof/inverter",
        role: "generation",
        maxExportMw: 8_123_456,
        maxImportMw: 100_000,
        energySource: "F01010100",
        technology: "T010000",
        use: 2,
      },
    });
  });

  it("reads a device often enough for a short market interval", () => {
    expect(load("intervalSeconds: 2", ...HEAD, ...METER).devices[0]?.intervalMs).toBe(1000);
    expect(refusal("intervalSeconds: 60", ...HEAD, ...METER, "    intervalSeconds: 31")).toBe(
      "config-invalid agent.yaml: devices.0.intervalSeconds: the device would be read too seldom for the market interval; expected at most 30000 ms, half of the market interval, got 31; read it more often, or lengthen intervalSeconds at the top of the file",
    );
  });

  it("lets plain ws:// reach this machine only", () => {
    const node = (url: string) =>
      refusal(...HEAD, ...METER, "nodes:", `  - url: ${url}`, `    key: ${NODE_KEY}`);
    expect(node("ws://127.0.0.1:8787")).toBe("accepted");
    expect(node("ws://localhost")).toBe("accepted");
    expect(node("ws://[::1]:8787")).toBe("accepted");
    expect(node("ws://127.0.0.1.example.org")).toContain("nodes.0.url: ws:// is only for this machine");
    expect(node("https://node.example.org")).toContain("nodes.0.url: not a node's address; expected wss://");
  });
});

describe("a wrong configuration is one line that", () => {
  const cases: readonly (readonly [
    name: string,
    lines: readonly string[],
    said: string | readonly string[],
  ])[] = [
    [
      "names an unknown key by its path and suggests the known one",
      [...HEAD, ...ROOF, "    prot: 502"],
      ["agent.yaml: devices.0.prot: unknown key; expected one of host, port,", 'did you mean "port"?'],
    ],
    [
      "puts the misspelling of a required key first",
      [...HEAD, "  - id: roof", "    driver: sunspec", "    hots: 127.0.0.1"],
      'did you mean "host"?; 1 more after this one',
    ],
    [
      "suggests a key at the top",
      ["netwrok: test", ...HEAD, ...METER],
      ["agent.yaml: netwrok: unknown key; expected one of network, key, journal,", 'did you mean "network"?'],
    ],
    [
      "suggests a key of a channel",
      [...HEAD, ...METER, "    channels: { grid: { maxImprotKw: 17 } }"],
      'agent.yaml: devices.0.channels.grid.maxImprotKw: unknown key; expected one of name, role, maxImportKw, maxExportKw, energySource, technology, use; did you mean "maxImportKw"?',
    ],
    [
      "suggests nothing far-fetched",
      [...HEAD, ...METER, "colour: red"],
      ["colour: unknown key; expected one of network, key, journal,", "; remove the key"],
    ],
    [
      "names a missing key and what it is",
      HEAD.slice(1).concat(METER),
      "agent.yaml: network: required key is missing; expected text; it is: name of the network whose nodes take the log; the same in every agent and node",
    ],
    [
      "names a missing key of a driver",
      [...HEAD, "  - id: roof", "    driver: sunspec"],
      'agent.yaml: devices.0: "host" or "line" expected, and not both',
    ],
    [
      "shows a wrong type",
      [...HEAD, ...ROOF, "    unit: one"],
      'agent.yaml: devices.0.unit: value is not allowed; expected a number, got "one"; it is: Modbus unit',
    ],
    [
      "shows a value out of range",
      [...HEAD, ...ROOF, "    port: 70000"],
      "agent.yaml: devices.0.port: value is not allowed; expected at most 65535, got 70000",
    ],
    [
      "suggests a near value",
      [...HEAD, ...METER, "    channels: { grid: { role: gird } }"],
      'expected one of grid, generation, storage, load, compute, got "gird"; did you mean "grid"?',
    ],
    ...["wss://:secret@node.example", "wss://node.example/?token=secret"].map(
      (url) =>
        [
          `refuses a secret in an address: ${url}`,
          [...HEAD, ...METER, `nodes: [{ url: "${url}", key: "${"0".repeat(64)}" }]`],
          "agent.yaml: nodes.0.url: not a node's address",
        ] as const,
    ),
    [
      "lists the drivers",
      [...HEAD, "  - id: roof", "    driver: sunspeck"],
      [
        "agent.yaml: devices.0.driver: there is no such driver; expected one of the ",
        `drivers that 'kilowitness drivers' lists, got "sunspeck"; did you mean "sunspec"?`,
      ],
    ],
    [
      "knows a driver by a part of its name",
      [...HEAD, "  - id: meter", "    driver: dlms"],
      'got "dlms"; did you mean "dlms-push"?',
    ],
    [
      "hands on what a driver says of a line",
      [...HEAD, "  - id: meter", "    driver: dsmr-p1", "    line: /dev/ttyUSB0"],
      [
        'agent.yaml: devices.0.line: line: not the address of a line; expected "serial:///dev/serial/by-id/NAME',
        'got "/dev/ttyUSB0"; write it as "serial:///dev/ttyUSB0"',
      ],
    ],
    [
      "refuses two devices with one id",
      [...HEAD, ...METER, ...METER],
      'agent.yaml: devices.1.id: devices.0 has the same id; expected each one once, got "meter"; change one of the two',
    ],
    [
      "refuses two nodes with one key",
      [
        ...[...HEAD, ...METER, "nodes:"],
        ...[1, 2].flatMap((n) => [`  - url: wss://n${n}.example.org`, `    key: ${NODE_KEY}`]),
      ],
      "agent.yaml: nodes.1.key: nodes.0 has the same key",
    ],
    [
      "refuses a short node key",
      [...HEAD, ...METER, "nodes:", "  - url: wss://n.example.org", "    key: abcd"],
      'agent.yaml: nodes.0.key: value is not allowed; expected 64 hexadecimal digits, as the node prints when it starts, got "abcd"',
    ],
    [
      "refuses an id that is no slug",
      [...HEAD, "  - id: My Meter", ...METER.slice(1)],
      'agent.yaml: devices.0.id: value is not allowed; expected 1 to 64 characters of a-z, 0-9 and -, with no - at the ends, got "My Meter"',
    ],
    [
      "refuses two intervals",
      [...HEAD, ...METER, "    intervalMs: 1000", "    intervalSeconds: 1"],
      "agent.yaml: devices.0: intervalSeconds and intervalMs cannot both be given; remove one",
    ],
    [
      "refuses a list without devices",
      [...HEAD.slice(0, 3), "devices: []"],
      "agent.yaml: devices: value is not allowed; expected number of entries at least 1, got []",
    ],
    [
      "refuses a time zone that nobody knows",
      [...HEAD, ...METER, "site: { timeZone: Mars/Olympus }"],
      "agent.yaml: site.timeZone: not a time zone; expected an IANA name such as Europe/Amsterdam",
    ],
    [
      "refuses a seventh digit of a kilowatt",
      [...HEAD, ...METER, "    channels: { grid: { maxImportKw: 0.1234567 } }"],
      "agent.yaml: devices.0.channels.grid.maxImportKw: at most six digits behind the point",
    ],
    [
      "says that a file is empty",
      ["# nothing"],
      "agent.yaml: top level: value is not allowed; expected keys and values, got null",
    ],
  ];

  it.each(cases)("%s", (_name, lines, said) => {
    const message = refusal(...lines);
    for (const part of [said].flat()) expect(message).toContain(part);
    expect(message).toMatch(/^config-invalid [^\n]*$/);
  });

  it("names a file that is not there", () => {
    expect(() => loadAgentConfig(join(folder, "none.yaml"))).toThrow(
      /none\.yaml: configuration cannot be read/,
    );
  });
});

describe("the channels of a configuration", () => {
  it("must be channels of the device", () => {
    const [device] = load(...HEAD, ...METER, "    channels: { gird: {} }").devices;
    if (device === undefined) throw new Error("there is one device");
    const described = [{ name: "grid", role: "grid", quantities: [] }] as const;
    expect(() => requireKnownChannels(device, described)).toThrow(
      'device meter: channels.gird: the device has no such channel; expected one of grid, got gird; did you mean "grid"?',
    );
    expect(() => requireKnownChannels({ ...device, channels: { grid: {} } }, described)).not.toThrow();
  });
});

/** Paths of all keys that do not say what they are. */
function undescribed(schema: z.core.$ZodType, path: string): string[] {
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, value]) => [
      ...(z.globalRegistry.get(value)?.description === undefined ? [`${path}.${key}`] : []),
      ...undescribed(value, `${path}.${key}`),
    ]);
  if (schema instanceof z.ZodArray) return undescribed(schema.element, path);
  if (schema instanceof z.ZodRecord) return undescribed(schema.valueType, path);
  if (schema instanceof z.ZodPipe) return undescribed(schema.def.in, path);
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodExactOptional)
    return undescribed(schema.def.innerType, path);
  return [];
}

describe("a driver's file", () => {
  it("is seen from the folder of the configuration, as every path", () => {
    const profile = join(import.meta.dirname, "../../../drivers/profiles/eastron-sdm630.yaml");
    copyFileSync(profile, join(folder, "mine.yaml"));
    const device = ["  - id: own", "    driver: profile", "    profile: mine.yaml", "    host: 127.0.0.1"];
    expect(load(...HEAD, ...device).devices[0]?.options).toMatchObject({
      profile: join(folder, "mine.yaml"),
    });
    expect(refusal(...HEAD, ...device.map((line) => line.replace("mine", "other")))).toContain("other.yaml");
  });
});

describe("the project's own configuration", () => {
  it("describes every key", () => {
    expect(undescribed(configSchema, "agent")).toEqual([]);
  });

  it("has an example that is accepted", () => {
    const example = join(import.meta.dirname, "../../../examples/agent.yaml");
    const config = loadAgentConfig(example);
    expect(config.devices.map(({ id }) => id)).toEqual(["meter", "roof"]);
    expect(readFileSync(example, "utf8")).not.toMatch(/\t/);
  });
});
