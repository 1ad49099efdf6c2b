import { z } from "zod";
import type { ChannelRole } from "../../attest/reading.ts";
import { type IndicatorConfig, indicatorSchema } from "../../firmware-bridge/indicator/settings.ts";
import { type RelayOptions, relaySchema } from "../../firmware-bridge/relay/relay-options.ts";
import { type SignerConfig, signerSchema } from "../../firmware-bridge/signer/settings.ts";
import { enclosureSchema } from "../../firmware-bridge/tamper/settings.ts";
import type { EnclosureSettings } from "../../firmware-bridge/tamper/watched-enclosure.ts";
import type { LogLevel } from "../../runtime/log.ts";
import { type ControlSettings, controlSettingsSchema } from "../control/settings.ts";
import type { FlexibilityConfig } from "../flexibility/host.ts";
import { flexibilitySchema } from "../flexibility/settings.ts";
import { type RetentionConfig, retentionSchema } from "../journal/retention-settings.ts";
import { type HttpConfig, httpSchema, type MqttConfig, mqttSchema } from "../outlet/settings.ts";
import { type NodeConfig, nodeSchema } from "./node-schema.ts";
import type { OwnDriverConfig } from "./own-drivers.ts";
import { kilowattsToMw } from "./units.ts";

/** What the installer says of a channel, beside what its driver reads. */
export interface ChannelConfig {
  /** Name in the log, such as "roof/inverter". */
  readonly name?: string;
  /** Instead of the role that the driver describes. */
  readonly role?: ChannelRole;
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
  readonly energySource?: string;
  readonly technology?: string;
  /** 1: what it measures is injected into the grid, 2: used on site. */
  readonly use?: number;
}

export interface SiteConfig {
  readonly name?: string;
  readonly timeZone?: string;
  readonly gridZone?: string;
  readonly consentReference?: string;
}

/** Whether anybody may look for devices on this site with the help of this file. */
export interface DiscoveryConfig {
  readonly enabled: boolean;
}

/** What every device has, and its driver's own options as they stand in the file. */
export interface RawDevice {
  readonly id: string;
  readonly driver: string;
  readonly intervalSeconds?: number;
  readonly intervalMs?: number;
  readonly channels: Readonly<Record<string, ChannelConfig>>;
  /** The relay of the load that this device measures. */
  readonly relay?: RelayOptions;
  readonly [option: string]: unknown;
}

/** The file as the schema leaves it: defaults filled in, the drivers' options not yet checked. */
export interface RawConfig {
  readonly network: string;
  readonly key: string;
  /** Public key of the owner, kept elsewhere, that may revoke the device's; 64 lower-case hexadecimal digits. */
  readonly recoveryKey?: string;
  readonly journal: string;
  readonly logLevel: LogLevel;
  readonly intervalSeconds: number;
  readonly commitSeconds: number;
  readonly checkpointSeconds: number;
  readonly retention: RetentionConfig;
  readonly silentNodeHours: number;
  readonly site: SiteConfig;
  readonly discovery: DiscoveryConfig;
  readonly drivers: readonly OwnDriverConfig[];
  readonly devices: readonly RawDevice[];
  readonly nodes: readonly NodeConfig[];
  readonly http?: HttpConfig;
  readonly mqtt?: MqttConfig;
  /** Without it no device is told anything. */
  readonly control?: ControlSettings;
  readonly flexibility?: FlexibilityConfig;
  /** Without it the device's key is in the key file. */
  readonly signer?: SignerConfig;
  /** Contacts that watch enclosures. */
  readonly tamper: readonly EnclosureSettings[];
  readonly indicator?: IndicatorConfig;
}

/** What a leaf has room for. */
const MAX_TEXT_BYTES = 128;
const text = z
  .string()
  .min(1)
  .refine((value) => Buffer.byteLength(value) <= MAX_TEXT_BYTES, {
    error: `too long; expected at most ${MAX_TEXT_BYTES} bytes`,
  });
const filePath = z.string().min(1).max(4096);

const MAX_KILOWATTS = 1_000_000;
const kilowatts = z
  .number()
  .min(0)
  .max(MAX_KILOWATTS)
  .refine((value) => kilowattsToMw(value) !== undefined, { error: "at most six digits behind the point" });

const ROLES = ["grid", "generation", "storage", "load", "compute"] as const satisfies readonly ChannelRole[];
const USES = { injected: 1, "used-on-site": 2 } as const;

const channelSchema = z
  .strictObject({
    name: text
      .exactOptional()
      .describe('the channel\'s name in the log, such as "roof/inverter"; left out: device/channel'),
    role: z
      .enum(ROLES)
      .exactOptional()
      .describe("what the channel measures, where it is not what the driver says"),
    maxImportKw: kilowatts
      .exactOptional()
      .describe("the most it can take in, from the nameplate or the main fuse"),
    maxExportKw: kilowatts.exactOptional().describe("the most it can give out, from the nameplate"),
    energySource: text.exactOptional().describe("code of the energy source for certificates of origin"),
    technology: text.exactOptional().describe("code of the technology for certificates of origin"),
    use: z
      .enum(["injected", "used-on-site"])
      .exactOptional()
      .describe("whether what it measures is injected into the grid or used on site"),
  })
  .transform(({ maxImportKw, maxExportKw, use, ...rest }): ChannelConfig => {
    const maxImportMw = maxImportKw === undefined ? undefined : kilowattsToMw(maxImportKw);
    const maxExportMw = maxExportKw === undefined ? undefined : kilowattsToMw(maxExportKw);
    return {
      ...rest,
      ...(maxImportMw === undefined ? {} : { maxImportMw }),
      ...(maxExportMw === undefined ? {} : { maxExportMw }),
      ...(use === undefined ? {} : { use: USES[use] }),
    };
  });

const LONGEST_SAMPLING_S = 3600;

const deviceSchema = z
  .looseObject({
    id: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, {
        error: "1 to 64 characters of a-z, 0-9 and -, with no - at the ends",
      })
      .describe("the device's name in this file, in the log and in messages"),
    driver: z.string().min(1).describe("the kind of device"),
    intervalSeconds: z
      .int()
      .min(1)
      .max(LONGEST_SAMPLING_S)
      .exactOptional()
      .describe("time between two readings; left out: 5"),
    intervalMs: z
      .int()
      .min(100)
      .max(LONGEST_SAMPLING_S * 1000)
      .exactOptional()
      .describe("time between two readings, instead of intervalSeconds"),
    channels: z
      .record(z.string().min(1), channelSchema)
      .default({})
      .describe("what to say of the device's channels, by the driver's names of them"),
    relay: relaySchema
      .exactOptional()
      .describe("contacts at GPIO lines that switch the load which the device measures; left out: none"),
  })
  .refine((device) => device.intervalSeconds === undefined || device.intervalMs === undefined, {
    error: "intervalSeconds and intervalMs cannot both be given; remove one",
  });

const siteSchema = z.strictObject({
  name: text.exactOptional().describe("the site's name in the log; every node sees it"),
  timeZone: text
    .refine(isTimeZone, { error: "not a time zone; expected an IANA name such as Europe/Amsterdam" })
    .exactOptional()
    .describe("IANA time zone of the site, such as Europe/Amsterdam"),
  gridZone: text.exactOptional().describe("grid or bidding zone, such as an EIC code"),
  consentReference: text.exactOptional().describe("reference of the owner's consent"),
});

const ownDriverSchema = z.strictObject({
  file: filePath.describe("path of the driver, one CommonJS file"),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, { error: "64 hexadecimal digits, as sha256sum prints them" })
    .transform((hex) => hex.toLowerCase())
    .describe("SHA-256 of the file; with any other it is not loaded"),
});

const discoverySchema = z.strictObject({
  enabled: z.boolean().default(true).describe("whether kilowitness scan may look for devices here"),
});

const publicKey = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, { error: "64 hexadecimal digits" })
  .transform((hex) => hex.toLowerCase());

/** The whole file but the drivers' own options. */
export const configSchema: z.ZodType<RawConfig> = z.strictObject({
  network: z
    .string()
    .regex(/^[!-~]{1,64}$/, { error: "1 to 64 printable ASCII characters without space" })
    .describe("name of the network whose nodes take the log; the same in every agent and node"),
  key: filePath.describe("path of the device's key file; made, mode 0600, when there is none"),
  journal: filePath.describe("path of the SQLite file that holds the log"),
  logLevel: z
    .enum(["info", "warn", "error", "silent"])
    .default("info")
    .describe("least important lines that are logged"),
  intervalSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(900)
    .describe("length of the market interval; 900 is a quarter of an hour"),
  commitSeconds: z
    .number()
    .min(0.1)
    .max(600)
    .default(10)
    .describe("time between two writes to the card; a power cut loses at most so much"),
  checkpointSeconds: z.number().min(0.1).max(3600).default(60).describe("time between two signatures"),
  retention: retentionSchema.prefault({}).describe("how long and how much the journal keeps"),
  silentNodeHours: z
    .number()
    .min(1)
    .max(8760)
    .default(24)
    .describe("after a start, a node that holds this log and does not answer for so long is done without"),
  site: siteSchema.default({}).describe("where the devices are"),
  discovery: discoverySchema.prefault({}).describe("looking for devices: serial lines and the network"),
  drivers: z
    .array(ownDriverSchema)
    .default([])
    .describe(
      "drivers that do not come with the program; they run inside of it: name only what you have read",
    ),
  devices: z.array(deviceSchema).min(1).describe("the devices to read"),
  nodes: z.array(nodeSchema).default([]).describe("the nodes to stream to; none: the log stays here"),
  http: httpSchema.exactOptional().describe("answers for whoever watches over the agent; left out: off"),
  mqtt: mqttSchema.exactOptional().describe("readings for a broker and Home Assistant; left out: off"),
  control: controlSettingsSchema
    .exactOptional()
    .describe("devices that may be told what to do, and how far; left out: none is told anything"),
  flexibility: flexibilitySchema
    .exactOptional()
    .describe("what is offered to the nodes with control: true; left out: nothing"),
  signer: signerSchema
    .exactOptional()
    .describe("what signs for the device; left out: the key in the key file"),
  tamper: z
    .array(enclosureSchema)
    .max(8)
    .default([])
    .describe("contacts that watch enclosures; none: nobody does"),
  indicator: indicatorSchema
    .exactOptional()
    .describe("lamps that show an installer how the agent stands; left out: none"),
  recoveryKey: publicKey
    .exactOptional()
    .describe(
      "public key of the owner, whose private key is kept elsewhere, that can revoke this device; left out: made when a node asks for it",
    ),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    // A RangeError is how Intl says that it does not know the name.
    return false;
  }
}
