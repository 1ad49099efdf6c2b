import { fileURLToPath } from "node:url";
import type { FaultSite } from "../kit/site.ts";

/** More of the node's file: much is signed and connected in a minute here, and what the limits do is another fault's. */
export const UNLIMITED = "maxCheckpointsPerMinute: 60000\nmaxHandshakesPerMinute: 1000000";

/** One node of an agent's file, as a line of YAML. */
export function nodeLine(url: string, nodeKey: string): string {
  return `  - { url: "${url}", key: "${nodeKey}" }`;
}

/** What the node says of the device under that path; undefined where it knows none. */
export async function deviceAt(site: FaultSite, deviceKey: string, path = ""): Promise<unknown> {
  const answer = await fetch(`${site.httpUrl}/devices/${deviceKey}${path}`);
  return answer.ok ? answer.json() : undefined;
}

/** A file beside this one, for a thread of its own. */
export function besideThis(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
