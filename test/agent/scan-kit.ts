import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { findingsOf } from "../../agent/cli/scan-findings.ts";
import { scanJson } from "../../agent/cli/scan-json.ts";
import { scanText } from "../../agent/cli/scan-report.ts";
import { runScan } from "../../agent/cli/scan-run.ts";
import { type AgentConfig, loadAgentConfig } from "../../agent/config/config.ts";
import { type DiscoveryTargets, planDiscovery } from "../../drivers/discovery/discovery.ts";
import { knownProfiles } from "../../drivers/discovery/known.ts";
import type { HostGroup } from "../../drivers/discovery/network.ts";
import type { DiscoveryTerms } from "../../drivers/discovery/terms.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import { type SimulatedProfile, startSimulatedProfile } from "../../drivers/simulated/profile-device.ts";
import type { SimulatedPlace } from "../../drivers/simulated/profile-place.ts";
import { quickTerms } from "../drivers/discovery/kit.ts";
import { closeLater } from "../kit/close-later.ts";

const MAIN = fileURLToPath(new URL("scan-main.ts", import.meta.url));
/** Profiles of every kind of rule. */
const PROFILES = [
  ...["abb-b23-b24", "carlo-gavazzi-em340", "eastron-sdm120", "eastron-sdm630", "huawei-sun2000"],
  "schneider-iem3000",
];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-scan-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a report says to a program, as far as tests look into it. */
export interface ScanReport {
  readonly devices: readonly { readonly driver: string; readonly others: readonly string[] }[];
  readonly config: string;
}

/** Scans in this process, with short waits. */
export async function scanHere(
  targets: DiscoveryTargets,
  { config, terms: changes }: { config?: string; terms?: Partial<DiscoveryTerms> } = {},
): Promise<{ readonly text: string; readonly json: ScanReport }> {
  const terms = quickTerms(undefined, { profiles: knownProfiles(PROFILES), ...changes });
  const plan = planDiscovery(targets, terms);
  const result = await runScan(plan, { terms, patienceMs: 25_000, restMs: 0, onProgress: () => undefined });
  const configured = config === undefined ? [] : loadAgentConfig(config).devices;
  const findings = findingsOf(result, configured);
  const json = JSON.parse(JSON.stringify(scanJson(result, findings))) as ScanReport;
  return { text: scanText(result, findings), json };
}

export function named(...hosts: readonly string[]): readonly HostGroup[] {
  return hosts.map((host) => ({ name: host, hosts: [host], named: true }));
}

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningScan {
  readonly child: ChildProcess;
  readonly done: Promise<Outcome>;
}

/** Runs the command as a process of its own, as an installer does. */
export function startScan(...args: readonly string[]): RunningScan {
  const child = spawn(process.execPath, [MAIN, ...args]);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  const done = once(child, "close").then(() => ({ code: child.exitCode, out, err }));
  return { child, done };
}

export function scan(...args: readonly string[]): Promise<Outcome> {
  return startScan(...args).done;
}

/** A simulated device of a profile that comes with the project. */
export async function device(name: string, place: SimulatedPlace, unit?: number): Promise<SimulatedProfile> {
  const options = { place, ...(unit === undefined ? {} : { unit }) };
  return closeLater(await startSimulatedProfile(bundledProfile(name), options));
}

/** A configuration with these lines at its end. */
export function configFile(lines: string): string {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, `network: test\nkey: k\njournal: j\n${lines}\n`);
  return path;
}

/** The configuration that an installer has who pastes the block out of a report into an empty one. */
export function pasted(report: string): AgentConfig {
  const [block] = /^devices:\n(?:(?: .*)?\n)+/m.exec(report) ?? [];
  if (block === undefined) throw new Error(`no block in:\n${report}`);
  return loadAgentConfig(configFile(block));
}
