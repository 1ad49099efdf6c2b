import type { Tally } from "./tally.ts";

export const HOST = "127.0.0.1";
/** Every simulated device is read once a second. */
export const SAMPLING_MS = 1000;

/** One entry under `devices` in the agent's configuration. */
export interface DeviceEntry {
  readonly id: string;
  readonly driver: string;
  readonly intervalMs: number;
  readonly channels: Readonly<Record<string, { readonly name: string }>>;
  readonly [option: string]: unknown;
}

/** A channel whose intervals can be proven, by the name in the log. */
export interface ProvableChannel {
  readonly name: string;
  /** The file that is replayed on it, where it is a capture. */
  readonly file?: string;
}

/** Devices that answer on loopback sockets, whoever they are. */
export interface DemoSite {
  readonly kind: "home" | "captures";
  readonly devices: readonly DeviceEntry[];
  readonly provable: readonly ProvableChannel[];
  /** What went out on the wire, counted on the devices' side. */
  readonly served: Tally;
  /** What is simulated or repeated, in plain words, one sentence each. */
  readonly explanation: readonly string[];
  /** What the devices show of their own day, such as "12:04". */
  clock(): string | undefined;
}
