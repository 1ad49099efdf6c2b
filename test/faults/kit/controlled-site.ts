import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KeptLease, LeaseFile } from "../../../agent/control/types.ts";
import { leaseFileBeside } from "../../../agent/supervisor/lease-path.ts";
import { bundledProfile } from "../../../drivers/profile/bundled.ts";
import { startSimulatedProfile } from "../../../drivers/simulated/profile-device.ts";
import type { SimulatedControlFault } from "../../../drivers/simulated/profile-faults.ts";
import { startControlledSuite } from "../../../drivers/simulated/sunspec-controlled.ts";
import { rawRegisters, sunspecModel } from "./raw-registers.ts";

/** A device that is told something, and whether it is left to itself again, as its registers say. */
interface ControlledDevice {
  readonly id: string;
  readonly yaml: string;
  readonly port: number;
  isAutomatic(): Promise<boolean>;
  setFaults(faults: readonly SimulatedControlFault[]): void;
  close(): Promise<void>;
}

/** Number 13050 is the mode of the energy manager, 13051 the command: addresses one less. 0xCC is "stop". */
const SUNGROW = { emsMode: 13_049, self: 0, command: 13_050, stop: 0xcc };
/** Point StorCtl_Mod of SunSpec model 124. */
const STORAGE_MODE = 3;

/**
 * Two batteries that live in this process and outlive every kill: one that holds a command until somebody ends it, and one
 * with a timer of its own. Their registers are read here by nothing that the agent is made of.
 */
export class ControlledSite {
  readonly folder: string;
  readonly devices: readonly ControlledDevice[];

  private constructor(folder: string, devices: readonly ControlledDevice[]) {
    this.folder = folder;
    this.devices = devices;
  }

  static async start(folder: string): Promise<ControlledSite> {
    mkdirSync(folder, { recursive: true });
    return new ControlledSite(folder, [await held(), await timed()]);
  }

  get config(): string {
    return join(this.folder, "agent.yaml");
  }

  get leaseFile(): string {
    return leaseFileBeside(join(this.folder, "journal.sqlite"));
  }

  /** @param more of the file, as YAML lines */
  writeConfig({
    network = "faults",
    more = "",
  }: {
    readonly network?: string;
    readonly more?: string;
  } = {}): void {
    const devices = this.devices.map(({ id, yaml }) => `  - { id: ${id}, ${yaml} }`).join("\n");
    const text = `network: ${network}\nkey: device.key\njournal: journal.sqlite\ndevices:\n${devices}\n${more}\n`;
    writeFileSync(this.config, text);
  }

  /** What the file of leases holds; undefined where there is none. */
  leases(): LeaseFile | undefined {
    try {
      return JSON.parse(readFileSync(this.leaseFile, "utf8")) as LeaseFile;
    } catch {
      return undefined;
    }
  }

  get held(): readonly KeptLease[] {
    return this.leases()?.leases ?? [];
  }

  /** Devices that are under a command. */
  async commanded(): Promise<readonly string[]> {
    const states = await Promise.all(
      this.devices.map(async (one) => ((await one.isAutomatic()) ? [] : [one.id])),
    );
    return states.flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()));
  }
}

const QUICK = "timeoutMs: 2000";

async function held(): Promise<ControlledDevice> {
  const device = await startSimulatedProfile(bundledProfile("sungrow-sh"), {
    place: { kind: "tcp", port: 0 },
  });
  const { port } = device;
  return {
    ...{ id: "held", port },
    yaml: `driver: sungrow-sh, host: 127.0.0.1, port: ${port}, ${QUICK}`,
    isAutomatic: async () => {
      const [mode, command] = await rawRegisters(port, SUNGROW.emsMode, 2);
      return mode === SUNGROW.self && command === SUNGROW.stop;
    },
    setFaults: (faults) => device.setFaults(faults),
    close: () => device.close(),
  };
}

async function timed(): Promise<ControlledDevice> {
  const device = await startControlledSuite({ place: { kind: "tcp", port: 0 }, models: "storage" });
  const { port } = device;
  const model = await sunspecModel(port, 124);
  return {
    ...{ id: "timed", port },
    yaml: `driver: sunspec, host: 127.0.0.1, port: ${port}, ${QUICK}`,
    isAutomatic: async () => (await rawRegisters(port, model + STORAGE_MODE, 1))[0] === 0,
    setFaults: (faults) => device.setFaults(faults),
    close: () => device.close(),
  };
}
