import { fromHex, toHex } from "../attest/bytes.ts";
import type { NodeConfig } from "./config.ts";
import type { EnrolmentState } from "./enrolment/records.ts";

/** What a device that has proven its key gets: the welcome, a request to enrol, or a refusal. */
export type Standing = "welcome" | "enrol" | "rejected" | "unknown";

/** Which devices the owner of the node takes. */
export class Admission {
  readonly #stateOf: (deviceKey: Uint8Array) => EnrolmentState | undefined;
  #devices: NodeConfig["devices"];
  #listed: ReadonlySet<string>;

  constructor(
    devices: NodeConfig["devices"],
    stateOf: (deviceKey: Uint8Array) => EnrolmentState | undefined,
  ) {
    this.#stateOf = stateOf;
    this.#devices = devices;
    this.#listed = listed(devices);
  }

  standing(deviceKey: Uint8Array): Standing {
    if (this.#devices === "open") return "welcome";
    if (this.#devices !== "enrolled") return this.#listed.has(toHex(deviceKey)) ? "welcome" : "unknown";
    const state = this.#stateOf(deviceKey);
    if (state === "rejected") return "rejected";
    return state === "enrolled" ? "welcome" : "enrol";
  }

  /** @param deviceKey 64 hexadecimal digits */
  admits(deviceKey: string): boolean {
    return this.standing(fromHex(deviceKey, "device key")) === "welcome";
  }

  change(devices: NodeConfig["devices"]): void {
    this.#devices = devices;
    this.#listed = listed(devices);
  }
}

function listed(devices: NodeConfig["devices"]): ReadonlySet<string> {
  return new Set(typeof devices === "string" ? [] : devices);
}
