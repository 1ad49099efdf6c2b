import { z } from "zod";
import type { LogLevel } from "../runtime/log.ts";

/** The HTTP side answers without a password, so only this machine may reach it. */
export const LOOPBACK_HOSTS: readonly string[] = ["127.0.0.1", "::1", "localhost"];

const port = z
  .int("must be a whole number")
  .min(0, "a port is 0 to 65535")
  .max(65_535, "a port is 0 to 65535");

const listenSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address that devices connect to; anything but loopback belongs behind a proxy that ends TLS."),
  port: port.default(8787).describe("TCP port of the WebSocket; 0 takes any free one."),
});

const httpSchema = z.strictObject({
  host: z
    .string()
    .refine((host) => LOOPBACK_HOSTS.includes(host), {
      error: `the HTTP answers have no password; expected one of ${LOOPBACK_HOSTS.join(", ")}`,
    })
    .default("127.0.0.1")
    .describe("Loopback address that answers questions over HTTP."),
  port: port.default(8788).describe("TCP port of the HTTP answers; 0 takes any free one."),
});

const deviceKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "a device key is 64 lower-case hexadecimal digits, as the agent prints it");

/** Configuration of a verifying node, one YAML file. */
export interface NodeConfig {
  readonly network: string;
  readonly key: string;
  readonly store: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  /** "open", or device keys in hexadecimal. */
  readonly devices: "open" | readonly string[];
  readonly log: LogLevel;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
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
      .union([z.literal("open"), z.array(deviceKey)], {
        error: 'must be "open" or a list of device keys of 64 lower-case hexadecimal digits',
      })
      .describe('"open" takes any device of the network; a list takes only these device keys.'),
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
    maxStoreMiB: z
      .int()
      .min(16)
      .max(1_048_576)
      .default(65_536)
      .describe("Hard cap of the store's file, in MiB."),
  })
  .describe("Configuration of a Kilowitness node.");
