import { z } from "zod";
import { LEAST_STEPS, MOST_STEPS } from "../attest/flexibility/orders.ts";
import type { LogLevel } from "../runtime/log.ts";
import { LOOPBACK_HOSTS } from "../runtime/loopback.ts";
import { type PeerConfig, peersSchema } from "./exchange/peers-config.ts";
import type { TlsFiles } from "./http/tls-files.ts";

export { LOOPBACK_HOSTS };

const port = z
  .int("must be a whole number")
  .min(0, "a port is 0 to 65535")
  .max(65_535, "a port is 0 to 65535");

const filePath = z.string().min(1).max(4096);

const tlsSchema = z.strictObject({
  certificate: filePath.describe("PEM file: the server's certificate, and those between it and its root."),
  key: filePath.describe("PEM file: the certificate's key, without a pass phrase."),
});

const listenSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address that devices connect to; anything but loopback wants tls, or a proxy that ends TLS."),
  port: port.default(8787).describe("TCP port of the WebSocket; 0 takes any free one."),
  tls: tlsSchema.exactOptional().describe("Certificate and key for devices; left out: without TLS."),
});

const httpSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("Address that answers over HTTP; anything but loopback needs tokens and tls."),
    port: port.default(8788).describe("TCP port of the HTTP answers; 0 takes any free one."),
    tokens: filePath
      .exactOptional()
      .describe("File of tokens, mode 0600; left out: this machine may ask, and nobody may operate."),
    tls: tlsSchema
      .exactOptional()
      .describe("Certificate and key of the HTTP answers; left out: without TLS."),
  })
  .superRefine(({ host, tokens, tls }, context) => {
    if (LOOPBACK_HOSTS.includes(host) || (tokens !== undefined && tls !== undefined)) return;
    const missing = [...(tokens === undefined ? ["tokens"] : []), ...(tls === undefined ? ["tls"] : [])];
    context.addIssue({
      code: "custom",
      path: ["host"],
      message:
        `others can reach this address, so it needs ${missing.map((name) => `http.${name}`).join(" and ")}; ` +
        `add them as docs/node.md shows, or use one of ${LOOPBACK_HOSTS.join(", ")}`,
    });
  });

const auditsSchema = z.strictObject({
  perHour: z
    .number()
    .min(0)
    .max(3600)
    .default(0)
    .describe("Readings of each connected device that are audited in an hour, on average; 0: none."),
});

const flexibilitySchema = z
  .strictObject({
    challengesPerWeek: z
      .number()
      .min(0)
      .max(168)
      .default(0)
      .describe(
        "Challenges of each connected device that can take one, in a week, on average, at random times; 0: none.",
      ),
    steps: z
      .int()
      .min(LEAST_STEPS)
      .max(MOST_STEPS)
      .multipleOf(2, "an even number")
      .default(14)
      .describe("Steps of a challenge."),
    stepSeconds: z
      .int()
      .min(1)
      .max(64)
      .default(60)
      .describe("Length of a step; all of them last 900 s at most."),
    swingKw: z
      .number()
      .min(0.01)
      .max(100_000)
      .default(1)
      .describe("Between the low and the high steps of a challenge, kW."),
  })
  .refine(({ steps, stepSeconds }) => steps * stepSeconds <= 900, {
    path: ["stepSeconds"],
    message: "all steps of a challenge last 900 s at most",
  });

const deviceKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "a device key is 64 lower-case hexadecimal digits, as the agent prints it");

/** Where a server listens, and the files of its certificate. */
export interface ListenConfig {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsFiles;
}

/** How this node challenges devices by itself. */
export interface FlexibilityConfig {
  /** Of each connected device, on average; 0: none. */
  readonly challengesPerWeek: number;
  readonly steps: number;
  readonly stepSeconds: number;
  readonly swingKw: number;
}

/** Configuration of a verifying node, one YAML file. */
export interface NodeConfig {
  readonly network: string;
  readonly key: string;
  readonly store: string;
  readonly listen: ListenConfig;
  readonly http: ListenConfig & { readonly tokens?: string };
  /** "open", "enrolled", or device keys in hexadecimal. */
  readonly devices: "open" | "enrolled" | readonly string[];
  /** Nodes of the same network that checkpoints are exchanged with. */
  readonly peers: readonly PeerConfig[];
  readonly audits: { readonly perHour: number };
  readonly flexibility: FlexibilityConfig;
  readonly log: LogLevel;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Of one address; undefined: four times the connections that it may have. */
  readonly maxHandshakesPerMinute?: number;
  /** Of one address. */
  readonly maxWrongCodesPerHour: number;
  /** Of one device. */
  readonly maxCheckpointsPerMinute: number;
  /** Of one device; with more it is quarantined. */
  readonly maxEpochsPerDay: number;
  readonly maxStoreMiB: number;
}

/** The strict schema of {@link NodeConfig}; its descriptions make the JSON Schema for editors. */
export const nodeConfigSchema: z.ZodType<NodeConfig> = z
  .strictObject({
    network: z
      .string()
      .regex(/^[!-~]{1,64}$/, "a network name is 1 to 64 printable ASCII characters without space")
      .describe("Name of the network; devices of another one are refused."),
    key: z
      .string()
      .min(1)
      .describe("Path of the node's key file; made with a fresh key, mode 0600, when absent."),
    store: z.string().min(1).describe("Path of the SQLite file that holds logs and receipts."),
    listen: listenSchema.prefault({}).describe("Where devices connect."),
    http: httpSchema.prefault({}).describe("Where questions are answered."),
    devices: z
      .union([z.enum(["open", "enrolled"]), z.array(deviceKey)], {
        error: 'must be "open", "enrolled" or a list of device keys of 64 lower-case hexadecimal digits',
      })
      .describe(
        '"enrolled" takes devices that brought a one-time code or were approved; "open" takes any device of the ' +
          "network; a list takes only these device keys.",
      ),
    peers: peersSchema.prefault([]),
    audits: auditsSchema.prefault({}).describe("Readings held against the raw frames they came from."),
    flexibility: flexibilitySchema.prefault({}).describe("Challenges at random times."),
    log: z
      .enum(["info", "warn", "error", "silent"])
      .default("info")
      .describe("Least level of what is logged."),
    maxConnections: z.int().min(1).max(100_000).default(1024).describe("Most connections at one time."),
    maxConnectionsPerAddress: z
      .int()
      .min(1)
      .max(100_000)
      .default(64)
      .describe("Most connections from one address; raise it behind a proxy."),
    maxHandshakesPerMinute: z
      .int()
      .min(1)
      .max(1_000_000)
      .exactOptional()
      .describe(
        "Most new connections of one address in a minute; left out: 4 times maxConnectionsPerAddress.",
      ),
    maxWrongCodesPerHour: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .describe("Most wrong one-time codes of one address in an hour; further ones are not even looked at."),
    maxCheckpointsPerMinute: z
      .int()
      .min(1)
      .max(60_000)
      .default(60)
      .describe("New checkpoints of one device in a minute; more than that wait. A backlog is not limited."),
    maxEpochsPerDay: z
      .int()
      .min(1)
      .max(1000)
      .default(2)
      .describe("Most epochs that one device opens within 24 hours; with more it is quarantined."),
    maxStoreMiB: z
      .int()
      .min(16)
      .max(1_048_576)
      .default(65_536)
      .describe("Hard cap of the store's file, in MiB."),
  })
  .describe("Configuration of a Kilowitness node.");
