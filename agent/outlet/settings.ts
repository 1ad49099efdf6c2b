import { dirname, resolve } from "node:path";
import { z } from "zod";
import { isLoopback, isPlainToOthers } from "../../runtime/loopback.ts";

/** Where the agent answers over HTTP; without it, it answers only on the socket beside the journal. */
export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  /** File with the token that a request must bear; a path as it stands in the configuration. */
  readonly tokenFile?: string;
  readonly allowOpen: boolean;
  /** Names, beside this machine's own, under which it may be asked. */
  readonly names: readonly string[];
}

/** The broker that readings are published to. Paths are as they stand in the configuration. */
export interface MqttConfig {
  readonly url: string;
  readonly credentialsFile?: string;
  readonly caFile?: string;
  readonly allowPlain: boolean;
  /** First level of every topic. */
  readonly topic: string;
  readonly discovery: boolean;
  /** First level of Home Assistant's discovery topics. */
  readonly discoveryPrefix: string;
}

/** Beside the node's 8787 and 8788, so that both run on one machine. */
const DEFAULT_PORT = 8789;
const filePath = z.string().min(1).max(4096);
/** MQTT 3.1.1, 4.7: no wildcard in the name of a topic; one level only, so that it cannot begin with `$SYS/`. */
const topicLevel = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: "1 to 64 characters of A-Z a-z 0-9 _ -" });

/** Schema of the key `http`. */
export const httpSchema: z.ZodType<HttpConfig> = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .max(253)
      .default("127.0.0.1")
      .describe("address to listen on; left out: this machine only"),
    port: z.int().min(0).max(65_535).default(DEFAULT_PORT).describe("TCP port; 0 takes any free one"),
    tokenFile: filePath
      .exactOptional()
      .describe(
        "file with the token that every request must bear, 16 characters or more, unreadable for others",
      ),
    allowOpen: z
      .boolean()
      .default(false)
      .describe("answer other machines without a token: whoever reaches the port reads the meters"),
    names: z
      .array(z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, { error: "a host name" }))
      .default([])
      .describe("host names under which it may be asked, beside this machine's own"),
  })
  .refine(({ host, tokenFile, allowOpen }) => isLoopback(host) || tokenFile !== undefined || allowOpen, {
    path: ["host"],
    error: "other machines would read the meters; expected tokenFile beside it, or allowOpen: true",
  });

/** Schema of the key `mqtt`. */
export const mqttSchema: z.ZodType<MqttConfig> = z
  .strictObject({
    url: z
      .string()
      .refine(isBrokerUrl, {
        error:
          "not a broker's address; expected mqtts://HOST[:PORT] or mqtt://HOST[:PORT], with no password in it",
      })
      .describe("address of the broker, mqtts:// or mqtt://"),
    credentialsFile: filePath
      .exactOptional()
      .describe("file with username: and password:, unreadable for others; left out: none"),
    caFile: filePath
      .exactOptional()
      .describe("certificate of the authority that signed the broker's, PEM; left out: those of the system"),
    allowPlain: z
      .boolean()
      .default(false)
      .describe("allow mqtt:// to another machine: password and readings then travel unencrypted"),
    topic: topicLevel.default("kilowitness").describe("first level of every topic"),
    discovery: z.boolean().default(true).describe("whether Home Assistant is told what there is"),
    discoveryPrefix: topicLevel
      .default("homeassistant")
      .describe("Home Assistant's discovery prefix, where it was changed there"),
  })
  .refine(({ url, allowPlain }) => allowPlain || !isPlainToOthers(url, "mqtt:"), {
    path: ["url"],
    error:
      "mqtt:// is only for this machine; expected mqtts://, or allowPlain: true beside it to send it unencrypted",
  });

/** A path as it stands in the configuration; relative ones are seen from its own folder, as everywhere in it. */
export function fromConfig(configPath: string, file: string): string {
  return resolve(dirname(resolve(configPath)), file);
}

function isBrokerUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "mqtt:" && url.protocol !== "mqtts:")) return false;
  const rest = [url.username, url.password, url.search, url.hash].join("");
  return url.hostname !== "" && rest === "" && (url.pathname === "" || url.pathname === "/");
}
