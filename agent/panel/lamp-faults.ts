import type { IndicatedFault } from "../../firmware-bridge/indicator/indicated.ts";

/**
 * What a lamp says of each code that can need attention (docs/operations.md, docs/indicator.md). `none`: nothing that
 * somebody without a laptop could see to, or nothing that keeps readings from where they belong.
 */
export const LAMP_FAULTS: Readonly<Record<string, IndicatedFault | "none">> = {
  "device-offline": "meterSilent",
  "control-meter-stale": "meterSilent",
  "channel-quiet": "meterRefused",
  "channel-refused": "meterRefused",
  "clock-unknown": "clockUnknown",
  "node-offline": "nodeUnreachable",
  "node-behind": "nodeUnreachable",
  "signing-waits": "nodeUnreachable",
  "commit-failed": "storageFailing",
  "journal-lost": "storageFailing",
  "journal-full": "storageFailing",
  "journal-damaged": "storageFailing",
  "journal-leaves-damaged": "storageFailing",
  "journal-upkeep-failed": "storageFailing",
  "frames-failed": "storageFailing",
  "sampling-stopped": "storageFailing",
  "sampling-slow": "storageFailing",
  "disk-space": "storageFailing",
  "control-leases-failed": "storageFailing",
  "tamper-unsealed": "storageFailing",
  "control-unavailable": "relayNotHeld",
  "enclosure-opened": "enclosureOpened",
  "enclosure-unwatched": "enclosureOpened",
  // Faults of the program, which the stage shows where they matter.
  "checkpoint-failed": "none",
  "close-failed": "none",
  "clock-step-failed": "none",
  "seal-refused": "none",
  "anchor-failed": "none",
  // Matters of the configuration, and of devices that are told something.
  "channel-not-found": "none",
  "control-reverting": "none",
  "control-unsupervised": "none",
  "signer-used-elsewhere": "none",
  // Other ways to see the same.
  "mqtt-failed": "none",
  "http-failed": "none",
  "socket-failed": "none",
  "indicator-failed": "none",
};

/** What a lamp says of what needs attention, each once. */
export function lampFaults(attention: readonly { readonly code: string }[]): IndicatedFault[] {
  const faults = attention.flatMap(({ code }) => {
    const fault = LAMP_FAULTS[code] ?? "none";
    return fault === "none" ? [] : [fault];
  });
  return [...new Set(faults)];
}
