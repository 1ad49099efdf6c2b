import { realpathSync } from "node:fs";
import type { LineAddress } from "./address.ts";

/**
 * What two addresses of one line have in common: a port is one line whatever name it was given, and so is a host in
 * capitals. What the address says of baud rate and format is no part of it.
 *
 * @param known the lines that are in use by their keys: a name among them keeps its meaning, whether the port is plugged
 *   in by now or not
 */
export function lineKey(
  address: LineAddress,
  known: ReadonlyMap<string, { readonly address: LineAddress }> = new Map(),
): string {
  if (address.kind === "tcp") return `tcp ${address.host.toLowerCase()} ${address.port}`;
  for (const [key, { address: other }] of known)
    if (other.kind === "serial" && other.path === address.path) return key;
  return `serial ${portOf(address.path)}`;
}

/** Several names lead to one port; where it is not plugged in, the name has to do, and opening it will say so. */
function portOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
