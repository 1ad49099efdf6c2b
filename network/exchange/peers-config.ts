import { z } from "zod";
import { isLoopback } from "../../runtime/loopback.ts";

/** Another node of the network that this one exchanges checkpoints with. */
export interface PeerConfig {
  /** Where its exchange is asked, such as `https://node.example.org:8788`. */
  readonly url: string;
  /** Its node key, 64 hexadecimal digits. */
  readonly key: string;
  /** Path of the PEM file of the only certificate authority that is believed for it. */
  readonly ca?: string | undefined;
  /** Path of the file that holds the token it asks for. */
  readonly tokenFile?: string | undefined;
}

const MOST_PEERS = 32;

const peerSchema: z.ZodType<PeerConfig> = z.strictObject({
  url: z
    .string()
    .refine(isPeerUrl, {
      error: "must be https://HOST[:PORT], without a question mark; http:// only for this machine",
    })
    .describe("Where the other node's exchange is asked, https://HOST[:PORT]."),
  key: z
    .string()
    .regex(
      /^[0-9a-f]{64}$/,
      "a node key is 64 lower-case hexadecimal digits, as the other node's GET /key shows it",
    )
    .describe("The other node's key; receipts of any other key are refused."),
  ca: z.string().min(1).optional().describe("PEM file of the only certificate authority believed for it."),
  tokenFile: z.string().min(1).optional().describe("File with the token that the other node asks for."),
});

/** The part `peers` of a node's configuration: at most 32, each key and each URL once. */
export const peersSchema: z.ZodType<readonly PeerConfig[]> = z
  .array(peerSchema)
  .max(MOST_PEERS, `at most ${MOST_PEERS} peers`)
  .refine((peers) => areDifferent(peers.map(({ key }) => key)), { error: "two peers have the same key" })
  .refine((peers) => areDifferent(peers.map(({ url }) => url)), { error: "two peers have the same url" })
  .describe(
    "Nodes of the same network that checkpoints are exchanged with, to catch a device that tells two stories.",
  );

function isPeerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "")
    return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function areDifferent(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
