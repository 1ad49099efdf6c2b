import { Command, InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { type AgentConfig, type DeviceConfig, loadAgentConfig } from "../config/config.ts";
import { type PlaceOptions, placedDevice, withPlace } from "./place-options.ts";
import { type ProbeResult, probeDevice } from "./probe-device.ts";
import { probeLive } from "./probe-live.ts";
import { lookAtPanel, type PanelLook, panelHasFailed, panelJson, panelText } from "./probe-panel.ts";
import { probeJson, probeText } from "./probe-report.ts";

interface ProbeOptions extends PlaceOptions {
  readonly config?: string;
  readonly profile?: string;
  readonly seconds?: number;
  readonly live?: number | true;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 20;
const LIVE_SECONDS = 2;
const HELP = `
Reads only: no key is made, nothing is written and nothing is sent. Compare what it shows with each meter's display.
  kilowitness probe --config agent.yaml
  kilowitness probe --profile eastron-sdm630 --line 'serial:///dev/ttyUSB0?baud=9600' --unit 1 --live
Exit status: 0 when every device answered and every contact and lamp is there, 1 when one did not or is not,
2 when the configuration is wrong.`;

/** `kilowitness probe`: reads every configured device, or one by its profile, and says what it sees. */
export function probeCommand(): Command {
  const command = new Command("probe")
    .description("read every configured device once, or one by its profile, and say in words what it shows")
    .option("--config <file>", "configuration (see examples/agent.yaml)")
    .option(
      "--profile <file>",
      "instead: a profile's file, or the name of one that 'kilowitness drivers' lists",
    );
  return withPlace(command)
    .option(
      "--seconds <number>",
      `longest wait for each device (default: ${DEFAULT_SECONDS}, or as long as its driver waits)`,
      seconds,
    )
    .option("--live [seconds]", `read on, every ${LIVE_SECONDS} s unless given, until Ctrl-C`, seconds)
    .option("--json", "print one JSON object with integer units; with --live one a line")
    .addHelpText("after", HELP)
    .action((options: ProbeOptions) => runCommand("probe", () => probe(options)));
}

async function probe(options: ProbeOptions): Promise<void> {
  const { json, live } = options;
  const patienceMs = (device: DeviceConfig): number =>
    options.seconds === undefined ? ownPatienceMs(device) : options.seconds * 1000;
  const { devices, ...gateway } = lookedAt(options);
  const panel = (): Promise<PanelLook> => lookAtPanel(gateway);
  const print = (results: readonly ProbeResult[], seen: PanelLook): void => {
    process.stdout.write(json === true ? jsonText(results, seen) : probeText(results) + panelText(seen));
  };
  if (live !== undefined) {
    const everyMs = (live === true ? LIVE_SECONDS : live) * 1000;
    await probeLive(devices, { everyMs, patienceMs, panel, print });
    return;
  }
  const [results, seen] = await Promise.all([
    Promise.all(devices.map((device) => probeDevice(device, patienceMs(device)))),
    panel(),
  ]);
  print(results, seen);
  if (results.some(hasFailed) || panelHasFailed(seen)) process.exitCode = 1;
}

function jsonText(results: readonly ProbeResult[], panel: PanelLook): string {
  return `${JSON.stringify({ ...probeJson(results), ...panelJson(panel) })}\n`;
}

function lookedAt({
  config,
  profile,
  ...place
}: ProbeOptions): Pick<AgentConfig, "devices" | "tamper" | "indicator"> {
  if ((config === undefined) === (profile === undefined))
    throw new Problem("config-missing", "what is to be read?", {
      expected: "--config FILE, or --profile FILE with --host or --line",
      got: config === undefined ? "neither" : "both",
    });
  return profile === undefined
    ? loadAgentConfig(config ?? "")
    : { devices: [placedDevice(profile, place)], tamper: [] };
}

/** Behind its own deadline a driver says what it saw. */
const OWN_MARGIN_MS = 5000;
/** Two readouts at 300 baud: one to identify the meter, one for its values. */
const OPTICAL_MS = 120_000;

function ownPatienceMs({ definition, options }: DeviceConfig): number {
  if (definition.name === "iec62056-21" && options["mode"] === "C") return OPTICAL_MS;
  const { identifyTimeoutMs = 0 } = options;
  return Math.max(DEFAULT_SECONDS * 1000, Number(identifyTimeoutMs) + OWN_MARGIN_MS);
}

function hasFailed(result: ProbeResult): boolean {
  return result.problem !== undefined || result.relay?.problem !== undefined;
}

const LONGEST_SECONDS = 3600;

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= LONGEST_SECONDS) return value;
  throw new InvalidArgumentError(`expected a number above 0 up to ${LONGEST_SECONDS}, got "${text}"`);
}
