import { networkInterfaces } from "node:os";
import { Problem } from "../../attest/problem.ts";
import type { DiscoveryTargets } from "../../drivers/discovery/discovery.ts";
import type { HostGroup } from "../../drivers/discovery/network.ts";
import { type FoundPort, serialPorts } from "../../drivers/discovery/ports.ts";
import {
  hostsOf,
  type LocalSubnets,
  localSubnets,
  requireScannable,
  type Subnet,
  subnetText,
} from "../../drivers/discovery/subnets.ts";

/** Where to look, as the command line says it; nothing named: everywhere near. */
export interface TargetOptions {
  readonly line: readonly string[];
  readonly net: readonly Subnet[];
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly force?: boolean;
}

/** What this machine is connected to. */
export interface Surroundings {
  ports(): Promise<readonly FoundPort[]>;
  subnets(): LocalSubnets;
}

export interface ChosenTargets {
  readonly targets: DiscoveryTargets;
  /** What is not scanned though it is near, in words. */
  readonly leftOut: readonly string[];
}

/** More ports than a gateway has adapters: which of them have meters cannot be guessed. */
const MOST_PORTS = 4;

const here: Surroundings = {
  ports: () => serialPorts(),
  subnets: () => localSubnets(networkInterfaces()),
};

/**
 * What is scanned: what is named; or all serial ports and the private networks of this machine. Throws Problem
 * `scan-too-many-ports`, `scan-nothing`, `scan-too-large` or `scan-public`.
 */
export async function chooseTargets(
  { line, net, host, port, force = false }: TargetOptions,
  surroundings: Surroundings = here,
): Promise<ChosenTargets> {
  const ports = port.length === 0 ? {} : { ports: port };
  for (const subnet of net) requireScannable(subnet, force);
  if (line.length + net.length + host.length > 0) {
    const groups = [...net.map((subnet) => groupOf(subnet, [])), ...host.map(namedHost)];
    return { targets: { lines: unique(line), groups, ...ports }, leftOut: [] };
  }
  const found = await surroundings.ports();
  if (found.length > MOST_PORTS) throw tooManyPorts(found);
  const { subnets, leftOut, own } = surroundings.subnets();
  const targets = {
    lines: found.map(({ path }) => path),
    groups: subnets.map((subnet) => groupOf(subnet, own)),
    ...ports,
  };
  if (targets.lines.length + targets.groups.length === 0) throw nothingNear(leftOut);
  return { targets, leftOut: leftOut.map(({ subnet, why }) => `${subnet}: ${why}`) };
}

/** This machine itself is no meter. */
function groupOf(subnet: Subnet, own: readonly string[]): HostGroup {
  const hosts = hostsOf(subnet).filter((address) => !own.includes(address));
  return { name: subnetText(subnet), hosts, named: false };
}

function namedHost(host: string): HostGroup {
  return { name: host, hosts: [host], named: true };
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function tooManyPorts(found: readonly FoundPort[]): Problem {
  return new Problem("scan-too-many-ports", "too many serial ports to try them all", {
    expected: `at most ${MOST_PORTS}`,
    got: found.map(({ path, maker }) => (maker === "" ? path : `${path} (${maker})`)).join(", "),
    hint: "name those with meters: --line PATH, once for each",
  });
}

function nothingNear(leftOut: LocalSubnets["leftOut"]): Problem {
  return new Problem("scan-nothing", "no serial port and no private network to scan", {
    ...(leftOut.length === 0
      ? {}
      : { got: leftOut.map(({ subnet, why }) => `${subnet}: ${why}`).join(", ") }),
    hint: "name a place: --line PATH, --net 192.168.1.0/24 or --host ADDRESS",
  });
}
