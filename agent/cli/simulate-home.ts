import { hostname } from "node:os";
import { type ControlledHome, startControlledHome } from "../../drivers/simulated/controlled-home.ts";
import {
  faultNamed,
  isControlFault,
  noPlaceFor,
  type SimulatedControlFault,
} from "../../drivers/simulated/profile-faults.ts";
import { stopRequested } from "../../runtime/command.ts";
import { powerWords, registerWords, stateOfChargeWords } from "../words.ts";
import { runUntil } from "./simulate-options.ts";

export interface SimulateHomeOptions {
  readonly host: string;
  readonly port: number;
  readonly meterPort?: number;
  readonly fault?: readonly string[];
  readonly speed: number;
  readonly quiet?: boolean;
}

/**
 * `kilowitness simulate home`: a battery that obeys and the meter at the grid connection, as two devices, until it is told to
 * stop. Throws `simulate-place` and `simulate-fault`.
 */
export async function simulateHome(options: SimulateHomeOptions): Promise<void> {
  const { host, port, meterPort = port === 0 ? 0 : port + 1, speed, quiet } = options;
  const faults = (options.fault ?? []).map(controlFault);
  const stopped = stopRequested();
  const home = await startControlledHome({
    ...{ battery: { kind: "tcp", host, port }, meter: { kind: "tcp", host, port: meterPort } },
    daySpeed: speed,
  });
  home.setFaults(faults);
  process.stdout.write(`${homeReadyText(home, { host, faults })}\n\n${homeConfigurationText(home, host)}\n`);
  const show = (): unknown => process.stdout.write(`${homeShownText(home)}\n`);
  await runUntil(stopped, home, { quiet, show });
}

type Ports = Pick<ControlledHome, "batteryPort" | "meterPort">;

/** One line: what there is, where, and what is wrong with it. */
export function homeReadyText(
  { batteryPort, meterPort }: Ports,
  { host, faults }: { readonly host: string; readonly faults: readonly string[] },
): string {
  const wrong = faults.length === 0 ? "" : `, with ${faults.join(", ")}`;
  return `a simulated home answers by Modbus TCP on ${host}: its battery's inverter on port ${batteryPort}, its grid meter on port ${meterPort}${wrong}`;
}

/** What an agent needs to read both, to let a node control the battery, and to offer what it can do. */
export function homeConfigurationText({ batteryPort, meterPort }: Ports, host: string): string {
  const address = JSON.stringify(host === "0.0.0.0" || host === "::" ? hostname() : host);
  return `site:
  timeZone: Europe/Amsterdam # where it stands
devices:
  - id: battery
    driver: sunspec
    host: ${address}
    port: ${batteryPort}
    intervalMs: 5000
  - id: meter
    driver: sunspec
    host: ${address}
    port: ${meterPort}
    intervalMs: 5000
control: # and "control: true" beside the node that may order
  siteMeter: meter/meter
  resources:
    - device: battery
      channel: inverter
      boundary: site
      reservePercent: 15
flexibility:
  offers:
    - resource: meter/meter
      boundary: site
      direction: reduce
      powerKw: 3
      between: 18:00-21:00
`;
}

/** One line: what truly flows. */
export function homeShownText(home: Pick<ControlledHome, "truth" | "writes">): string {
  const { boundaries, stateOfChargePpm } = home.truth();
  const [grid, battery] = ["grid", "battery"].map((name) => boundaries.get(name));
  const time = new Date().toTimeString().slice(0, 8);
  return [
    `${time} ${home.writes().length} writes`,
    `battery: ${powerWords(battery?.powerMw ?? 0, "storage")}, ${stateOfChargeWords(stateOfChargePpm)}`,
    `grid: ${powerWords(grid?.powerMw ?? 0, "grid")}, ${registerWords("import", grid?.importMwh ?? 0)}, ${registerWords("export", grid?.exportMwh ?? 0)}`,
  ].join(" | ");
}

function controlFault(name: string): SimulatedControlFault {
  const fault = faultNamed(name);
  if (isControlFault(fault)) return fault;
  throw noPlaceFor(fault, "a home's battery, which takes commands");
}
