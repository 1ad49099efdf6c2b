import type { NodeConfig } from "./config.ts";

/** Which devices the owner of the node takes. */
export class Admission {
  #listed: ReadonlySet<string> | undefined;

  constructor(devices: NodeConfig["devices"]) {
    this.#listed = listed(devices);
  }

  /** @param deviceKey 64 hexadecimal digits */
  admits(deviceKey: string): boolean {
    return this.#listed === undefined || this.#listed.has(deviceKey);
  }

  change(devices: NodeConfig["devices"]): void {
    this.#listed = listed(devices);
  }
}

function listed(devices: NodeConfig["devices"]): ReadonlySet<string> | undefined {
  return devices === "open" ? undefined : new Set(devices);
}
