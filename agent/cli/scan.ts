import { Command, InvalidArgumentError } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { type DiscoveryPlan, planDiscovery, usualTerms } from "../../drivers/discovery/discovery.ts";
import { parseSubnet, type Subnet } from "../../drivers/discovery/subnets.ts";
import type { DiscoveryTerms } from "../../drivers/discovery/terms.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import { type DeviceConfig, loadAgentConfig } from "../config/config.ts";
import { durationText } from "../words.ts";
import { findingsOf } from "./scan-findings.ts";
import { scanJson } from "./scan-json.ts";
import { ScanProgress } from "./scan-progress.ts";
import { scanText } from "./scan-report.ts";
import { runScan, type ScanResult } from "./scan-run.ts";
import { type ChosenTargets, chooseTargets, type TargetOptions } from "./scan-targets.ts";
import { serialAddress } from "./simulate-options.ts";

interface ScanOptions extends TargetOptions {
  readonly config?: string;
  readonly allUnits?: boolean;
  readonly thorough?: boolean;
  readonly timeout?: number;
  readonly json?: boolean;
}

const HELP = `
Reads only, a few short requests to whoever answers. Without --line, --net or --host: all serial ports, and the private
networks that this machine is in. Stop the agent first: a serial port has one reader.
  kilowitness scan
  kilowitness scan --line /dev/ttyUSB0 --all-units
  kilowitness scan --net 192.168.1.0/24 --net 192.168.2.0/24
Exit status: 0 when everything was scanned and something was found, 1 when not, 2 when the command line cannot be read
or the configuration is wrong, 130 when it was interrupted (what was found is printed).`;

/** Longest wait for one driver to read a device. */
const PATIENCE_MS = 20_000;
const REST_MS = 300;
const INTERRUPTED = 130;
/** What is asked at one setting, and what is read, counts for nothing until it is over. */
const IDLE_MS = 1000;
const NOTHING_NAMED = { line: [], net: [], host: [], port: [] } as const;

/** `kilowitness scan`: finds meters, and prints a block for the configuration with the live values beside it. */
export function scanCommand(): Command {
  return new Command("scan")
    .description("find meters on serial lines and on the network, and print their configuration")
    .option("--line <path>", "serial port, such as /dev/ttyUSB0; may be repeated", collectedPorts)
    .option("--net <subnet>", "network, such as 192.168.1.0/24; may be repeated", subnets)
    .option("--host <address>", "host; may be repeated", collected)
    .option("--port <number>", "port to try instead of 502, 1502 and those of profiles", ports)
    .option("--all-units", "ask every unit, not only likely ones")
    .option("--thorough", "try all line settings and all profiles, also when something was found")
    .option("--timeout <ms>", "longest wait for a reply over the network (default: 3000)", milliseconds)
    .option("--force", "scan networks larger than /22 (up to /16), or public ones of yours")
    .option("--config <file>", "configuration: leave out what it has, and obey its discovery.enabled")
    .option("--json", "print one JSON object with integer units")
    .addHelpText("after", HELP)
    .action((options: Partial<ScanOptions>) =>
      runCommand("scan", () => scan({ ...NOTHING_NAMED, ...options })),
    );
}

async function scan(options: ScanOptions): Promise<void> {
  const configured = configuredDevices(options.config);
  const chosen = await chooseTargets(options);
  const stop = new AbortController();
  const terms = termsOf(options, stop.signal);
  const plan = planDiscovery(chosen.targets, terms);
  process.stderr.write(announcement(plan, chosen));
  void stopRequested().then(() => stop.abort());
  const progress = new ScanProgress();
  const timer = setInterval(() => progress.idle(), IDLE_MS).unref();
  const result = await runScan(plan, {
    ...{ terms, patienceMs: PATIENCE_MS, restMs: REST_MS },
    onProgress: (state) => progress.show(state),
  });
  clearInterval(timer);
  progress.end();
  print(result, configured, options.json === true);
}

function print(result: ScanResult, configured: readonly DeviceConfig[], json: boolean): void {
  const findings = findingsOf(result, configured);
  process.stdout.write(json ? `${JSON.stringify(scanJson(result, findings))}\n` : scanText(result, findings));
  if (result.interrupted) process.exitCode = INTERRUPTED;
  else if (result.problems.length > 0 || result.seen.length + result.meters.length === 0)
    process.exitCode = 1;
}

/** Devices that are not to be proposed again. Throws Problem `discovery-disabled` where the owner does not want scans. */
function configuredDevices(path: string | undefined): readonly DeviceConfig[] {
  if (path === undefined) return [];
  const { discovery, devices } = loadAgentConfig(path);
  if (discovery.enabled) return devices;
  throw new Problem("discovery-disabled", "discovery is turned off", {
    where: `${path}: discovery.enabled`,
    hint: "nothing was scanned; whoever may, sets it to true",
  });
}

function termsOf(
  { allUnits = false, thorough = false, timeout }: ScanOptions,
  signal: AbortSignal,
): DiscoveryTerms {
  const usual = usualTerms(signal);
  const { network } = usual;
  return { ...usual, allUnits, thorough, network: { ...network, replyMs: timeout ?? network.replyMs } };
}

/** What is going to be scanned and how long that takes, for whoever waits. */
export function announcement(plan: DiscoveryPlan, { leftOut }: ChosenTargets): string {
  const { lines, stops, groups, ports, lineMs, noticingMs, networkMs } = plan;
  const formats = new Set(stops.map(({ format }) => JSON.stringify(format))).size;
  const hosts = groups.reduce((sum, group) => sum + group.hosts.length, 0);
  const names = groups.map(({ name }) => name).join(", ");
  return [
    ...lines.map(
      (path) =>
        `scanning ${path}: ${formats} settings, at most ${durationText(lineMs)} and the time of what answers`,
    ),
    ...(lines.length === 0 || noticingMs === 0 ? [] : [listeningText(noticingMs)]),
    ...(hosts === 0
      ? []
      : [
          `scanning ${names}: ${hosts} hosts, ports ${ports.join(", ")}, about ${durationText(networkMs)} and the time of what answers`,
        ]),
    ...leftOut.map((text) => `not scanned: ${text}`),
    "",
  ].join("\n");
}

function listeningText(noticingMs: number): string {
  return `listening first, ${durationText(noticingMs)}; where a meter speaks by itself nothing is asked`;
}

/** Ports as somebody types them, or as `line` of a configuration has them; the settings are what is looked for. */
function collectedPorts(text: string, before: readonly string[] = []): readonly string[] {
  const expected = "expected a path or serial:///dev/...; a serial server is not scanned";
  return [...before, text.includes("://") ? serialAddress(text, expected).path : text];
}

function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function subnets(text: string, before: readonly Subnet[] = []): readonly Subnet[] {
  try {
    return [...before, parseSubnet(text)];
  } catch (error) {
    throw new InvalidArgumentError(describeProblem(error).message);
  }
}

function ports(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, whole(text, 1, 65_535)];
}

function milliseconds(text: string): number {
  return whole(text, 50, 60_000);
}

function whole(text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`expected a whole number of ${least} to ${most}, got "${text}"`);
}
