import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { COMMON_DEVICE_KEYS, type DriverCatalogue, namesInWords } from "../../drivers/catalogue.ts";
import type { ChannelDescription, DriverDefinition } from "../../drivers/driver.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import { looking } from "../../firmware-bridge/look.ts";
import type { RelayOptions } from "../../firmware-bridge/relay/relay-options.ts";
import { relayed } from "../../firmware-bridge/relay/relayed-meter.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { type ConfigIssue, configProblem, issuesOf } from "../../runtime/config-issues.ts";
import { nearest } from "../../runtime/nearest.ts";
import { controlIssues } from "./control-issues.ts";
import { gatewayIssues } from "./gateway-issues.ts";
import type { NamedChannel } from "./named-channels.ts";
import { withOwnDrivers } from "./own-drivers.ts";
import { portIssues } from "./port-issues.ts";
import { type ChannelConfig, configSchema, type RawConfig, type RawDevice } from "./schema.ts";

/** A device to read: which driver, with which options, how often. */
export interface DeviceConfig {
  readonly id: string;
  readonly definition: DriverDefinition;
  /** The driver's own options, as its schema parsed them. */
  readonly options: z.output<DriverDefinition["schema"]>;
  /** In the place of `definition` for who only looks: nothing is switched, nothing written; left out: the same. */
  readonly look?: DriverDefinition;
  /** The relay that `definition` has and `look` has not. */
  readonly relay?: RelayOptions;
  /** Time between two readings. */
  readonly intervalMs: number;
  /** What the installer says of its channels, by the driver's names of them. */
  readonly channels: Readonly<Record<string, ChannelConfig>>;
}

/** The agent's configuration, checked and complete; `key`, `journal` and the files of its nodes are absolute paths. */
export interface AgentConfig extends Omit<RawConfig, "devices"> {
  /** The file it was read from. */
  readonly path: string;
  readonly devices: readonly DeviceConfig[];
}

const DEFAULT_SAMPLING_MS = 5000;
/** Sampled more seldom, hardly any interval would have a reading near its end. */
const READINGS_PER_INTERVAL = 2;

/**
 * Reads the agent's YAML file; relative paths in it are seen from its own folder.
 *
 * @throws Problem `config-read`, `config-syntax`, or `config-invalid`, which says file, path, expected, got and what
 *   to do; `driver-…` for a driver from outside that is not what the file says
 */
export function loadAgentConfig(path: string, drivers: DriverCatalogue = gatewayCatalogue): AgentConfig {
  const from = (file: string): string => resolve(dirname(resolve(path)), file);
  const value = readConfigFile(path, z.unknown());
  const result = configSchema.safeParse(value);
  if (!result.success)
    throw configProblem(path, issuesOf(result.error, { schema: configSchema, value, at: [] }));
  const { data } = result;
  const catalogue = withOwnDrivers(drivers, data.drivers, from);
  const opened = data.devices.map((raw, index) => openDevice(raw, { index, catalogue, config: data, from }));
  const devices = opened.map(({ device }) => device);
  const issues = [
    ...repeated(data.devices, { list: "devices", key: "id" }),
    ...repeated(data.nodes, { list: "nodes", key: "key" }),
    ...opened.flatMap((device) => device.issues),
    ...controlIssues(data),
    ...gatewayIssues({ ...data, key: from(data.key), journal: from(data.journal) }, devices),
    ...portIssues(data, devices),
  ];
  if (issues.length > 0) throw configProblem(path, issues);
  return {
    ...data,
    path,
    key: from(data.key),
    journal: from(data.journal),
    nodes: data.nodes.map((node) => ({
      ...node,
      ...(node.ca === undefined ? {} : { ca: from(node.ca) }),
      ...(node.enrolmentCodeFile === undefined ? {} : { enrolmentCodeFile: from(node.enrolmentCodeFile) }),
    })),
    devices: devices.flatMap((device) => device ?? []),
  };
}

/**
 * Holds the configured channel names against those that the device really has: its own, and `named` of it elsewhere.
 *
 * @throws Problem `config-channel`
 */
export function requireKnownChannels(
  device: DeviceConfig,
  described: readonly ChannelDescription[],
  named: readonly NamedChannel[] = [],
): void {
  const known = described.map((channel) => channel.name);
  const own = Object.keys(device.channels).map((channel) => ({
    ...{ where: `device ${device.id}: channels.${channel}`, channel },
  }));
  const others = named.filter((one) => one.device === device.id);
  const unknown = [...own, ...others].find(({ channel }) => !known.includes(channel));
  if (unknown === undefined) return;
  const meant = nearest(unknown.channel, known);
  throw new Problem("config-channel", "the device has no such channel", {
    where: unknown.where,
    expected: `one of ${known.join(", ")}`,
    got: unknown.channel,
    hint:
      meant === undefined ? "correct it, or remove it from the configuration" : `did you mean "${meant}"?`,
  });
}

interface Opened {
  readonly device?: DeviceConfig;
  readonly issues: readonly ConfigIssue[];
}

interface Surroundings {
  readonly index: number;
  readonly catalogue: DriverCatalogue;
  readonly config: RawConfig;
  /** Makes a path of the configuration absolute. */
  readonly from: (file: string) => string;
}

function openDevice(raw: RawDevice, { index, catalogue, config, from }: Surroundings): Opened {
  const at = ["devices", index];
  if (!catalogue.names.includes(raw.driver))
    return { issues: [unknownDriver(raw.driver, { at, catalogue })] };
  const found = catalogue.find(raw.driver);
  const definition = raw.relay === undefined ? found : relayed(found, raw.relay);
  const { schema } = definition;
  const beside = dirname(from(config.journal));
  const own = { ...remembered(raw, definition, beside), ...ownOptions(raw, definition, from) };
  const result = schema.safeParse(own);
  if (!result.success)
    return { issues: issuesOf(result.error, { schema, value: own, at, moreKeys: COMMON_DEVICE_KEYS }) };
  const { id, channels } = raw;
  const mostMs = (config.intervalSeconds * 1000) / READINGS_PER_INTERVAL;
  const configuredMs = raw.intervalMs ?? (raw.intervalSeconds ?? 0) * 1000;
  const intervalMs = configuredMs === 0 ? Math.min(DEFAULT_SAMPLING_MS, mostMs) : configuredMs;
  const look = looking(found);
  const device = {
    ...{ id, definition, options: result.data, intervalMs, channels },
    ...(look === definition ? {} : { look }),
    ...(raw.relay === undefined ? {} : { relay: raw.relay }),
  };
  return { device, issues: intervalMs > mostMs ? [tooSeldom(raw, at, mostMs)] : [] };
}

/** The file in which the driver remembers, where the entry does not name one. */
function remembered(
  { id }: RawDevice,
  { remembers }: DriverDefinition,
  folder: string,
): Record<string, unknown> {
  return remembers === undefined ? {} : { [remembers]: join(folder, `${id}.state`) };
}

/** The driver's own part of a device's entry, with its files as absolute paths. */
function ownOptions(
  raw: RawDevice,
  { files = [] }: DriverDefinition,
  from: Surroundings["from"],
): Record<string, unknown> {
  const isFile = (key: string, value: unknown): value is string =>
    files.includes(key) && typeof value === "string" && value !== "";
  return Object.fromEntries(
    Object.entries(raw)
      .filter(([key]) => !COMMON_DEVICE_KEYS.includes(key))
      .map(([key, value]) => [key, isFile(key, value) ? from(value) : value]),
  );
}

function unknownDriver(
  name: string,
  { at, catalogue }: { readonly at: readonly PropertyKey[]; readonly catalogue: DriverCatalogue },
): ConfigIssue {
  const known = catalogue.names;
  const meant = nearest(name, known) ?? namedIn(name, known);
  return {
    path: [...at, "driver"],
    what: "there is no such driver",
    detail: {
      expected: namesInWords(known),
      got: JSON.stringify(name),
      ...(meant === undefined ? {} : { hint: `did you mean "${meant}"?` }),
    },
  };
}

/** The one driver of whose name this is a part, such as "dlms" of "dlms-push". */
function namedIn(part: string, known: readonly string[]): string | undefined {
  const [only, ...others] = known.filter((name) => `-${name}-`.includes(`-${part}-`));
  return others.length === 0 ? only : undefined;
}

function tooSeldom(raw: RawDevice, at: readonly PropertyKey[], mostMs: number): ConfigIssue {
  const key = raw.intervalMs === undefined ? "intervalSeconds" : "intervalMs";
  return {
    path: [...at, key],
    what: "the device would be read too seldom for the market interval",
    detail: {
      expected: `at most ${mostMs} ms, half of the market interval`,
      got: String(raw[key]),
      hint: "read it more often, or lengthen intervalSeconds at the top of the file",
    },
  };
}

function repeated<K extends string>(
  entries: readonly { readonly [Key in K]: string }[],
  { list, key }: { readonly list: string; readonly key: K },
): ConfigIssue[] {
  return entries.flatMap((entry, index) => {
    const first = entries.findIndex((other) => other[key] === entry[key]);
    if (first === index) return [];
    return [
      {
        path: [list, index, key],
        what: `${list}.${first} has the same ${key}`,
        detail: { expected: "each one once", got: JSON.stringify(entry[key]), hint: "change one of the two" },
      },
    ];
  });
}
