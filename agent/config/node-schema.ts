import { z } from "zod";
import { isPlainToOthers } from "../../runtime/loopback.ts";

/** A node that the agent streams to. */
export interface NodeConfig {
  readonly url: string;
  /** The node's public key, 64 lower-case hexadecimal digits. */
  readonly key: string;
  readonly allowPlain: boolean;
  /** PEM file with the only authorities that may have signed the node's certificate; a path as everywhere. */
  readonly ca?: string;
  /** File with a one-time code of the node's operator. */
  readonly enrolmentCodeFile?: string;
  /** Whether the node is sent live values; left out: no. */
  readonly live?: boolean;
  /** Whether the node may ask for raw frames; left out: no. */
  readonly audits?: boolean;
  /** Whether the node may order what the devices do; left out: no. */
  readonly control?: boolean;
}

const filePath = z.string().min(1).max(4096);

/** One entry of the section `nodes`. */
export const nodeSchema: z.ZodType<NodeConfig> = z
  .strictObject({
    url: z
      .string()
      .refine(isStreamUrl, { error: "not a node's address; expected wss://HOST[:PORT] or ws://HOST[:PORT]" })
      .describe("address of the node, wss:// or ws://"),
    key: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, { error: "64 hexadecimal digits, as the node prints when it starts" })
      .transform((hex) => hex.toLowerCase())
      .describe("public key of the node, 64 hexadecimal digits"),
    allowPlain: z
      .boolean()
      .default(false)
      .describe("allow ws:// to another machine: readings then travel unencrypted"),
    ca: filePath
      .exactOptional()
      .describe("certificate of the authority that signed the node's, PEM; left out: those of the system"),
    enrolmentCodeFile: filePath
      .exactOptional()
      .describe("file with the one-time code that the node's operator handed out, unreadable for others"),
    live: z
      .boolean()
      .exactOptional()
      .describe(
        "send what each channel shows to the node, at most once a second, for a display; left out: no",
      ),
    audits: z
      .boolean()
      .exactOptional()
      .describe(
        "let the node ask for the raw bytes behind a reading; they may show more than the reading; left out: no",
      ),
    control: z
      .boolean()
      .exactOptional()
      .describe(
        "let the node commit, dispatch and challenge the devices that flexibility names; left out: no",
      ),
  })
  .refine((node) => node.ca === undefined || !/^ws:/i.test(node.url), {
    path: ["ca"],
    error: "ws:// has no certificates; expected wss:// beside it, or no ca",
  })
  .refine((node) => node.allowPlain || !isPlainToOthers(node.url, "ws:"), {
    path: ["url"],
    error:
      "ws:// is only for this machine; expected wss://, or allowPlain: true beside it to send readings unencrypted",
  });

function isStreamUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") return false;
  // A secret in an address ends in logs; the node knows the device by its key.
  if ([url.username, url.password, url.search, url.hash].some((part) => part !== "")) return false;
  return url.protocol === "ws:" || url.protocol === "wss:";
}
