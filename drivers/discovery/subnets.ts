import type { NetworkInterfaceInfo } from "node:os";
import { Problem } from "../../attest/problem.ts";

/** A block of IPv4 addresses. */
export interface Subnet {
  /** The first address, as a number. */
  readonly first: number;
  /** Bits that all of its addresses share. */
  readonly prefix: number;
}

/** The networks of this machine that may be scanned without being named, and those left out with the reason. */
export interface LocalSubnets {
  readonly subnets: readonly Subnet[];
  readonly leftOut: readonly { readonly subnet: string; readonly why: string }[];
  /** This machine's own addresses. */
  readonly own: readonly string[];
}

const BITS = 32;
/** A larger one is scanned only when that is asked for explicitly: 1022 hosts. */
const WIDEST_PREFIX = 22;
/** What nobody waits for. */
const WIDEST_FORCED_PREFIX = 16;
/** Address blocks for private networks (RFC 1918). */
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(parseSubnet);
const LOOPBACK = parseSubnet("127.0.0.0/8");
const LINK_LOCAL = parseSubnet("169.254.0.0/16");

/** Reads "192.168.1.0/24"; bits behind the prefix do not matter. Throws Problem `scan-subnet`. */
export function parseSubnet(text: string): Subnet {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const numbers = parts?.slice(1).map(Number) ?? [];
  const prefix = numbers[4] ?? BITS + 1;
  const octets = numbers.slice(0, 4);
  if (parts === null || prefix > BITS || octets.some((octet) => octet > 255))
    throw new Problem("scan-subnet", "not an IPv4 network", {
      expected: "such as 192.168.1.0/24",
      got: JSON.stringify(text),
    });
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { first: address - (address % sizeOf({ prefix })), prefix };
}

export function subnetText({ first, prefix }: Subnet): string {
  return `${addressText(first)}/${prefix}`;
}

/** Addresses in it, those of network and broadcast too. */
export function sizeOf({ prefix }: Pick<Subnet, "prefix">): number {
  return 2 ** (BITS - prefix);
}

/** Addresses that hosts can have, in order. */
export function hostsOf(subnet: Subnet): readonly string[] {
  const size = sizeOf(subnet);
  const [skipped, length] = size > 2 ? [1, size - 2] : [0, size];
  return Array.from({ length }, (_, at) => addressText(subnet.first + skipped + at));
}

/**
 * Refuses a network that was named and is larger than /22 or not private, unless forced. Throws Problem
 * `scan-too-large` or `scan-public`.
 */
export function requireScannable(subnet: Subnet, forced: boolean): void {
  const { prefix } = subnet;
  if (prefix < (forced ? WIDEST_FORCED_PREFIX : WIDEST_PREFIX))
    throw new Problem("scan-too-large", "too large a network to scan", {
      where: subnetText(subnet),
      expected: `/${WIDEST_PREFIX} or smaller, or up to /${WIDEST_FORCED_PREFIX} with --force`,
      got: `/${prefix}`,
      hint: "name the part of it that the meters are in",
    });
  if (!forced && ![...PRIVATE, LOOPBACK, LINK_LOCAL].some((block) => contains(block, subnet)))
    throw new Problem("scan-public", "this is no private network", {
      where: subnetText(subnet),
      hint: "scan only what is yours; if it is, add --force",
    });
}

/** The private networks that this machine is in, as `os.networkInterfaces()` gives them. */
export function localSubnets(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): LocalSubnets {
  const found = new Map<string, Subnet>();
  const leftOut = new Map<string, string>();
  const own: string[] = [];
  for (const { family, internal, address, cidr } of Object.values(interfaces).flatMap((list) => list ?? [])) {
    if (family !== "IPv4" || internal || cidr === null) continue;
    own.push(address);
    const subnet = parseSubnet(cidr);
    const why = reasonAgainst(subnet);
    if (why === undefined) found.set(subnetText(subnet), subnet);
    else leftOut.set(subnetText(subnet), why);
  }
  const subnets = [...found.values()].filter(
    (subnet) => ![...found.values()].some((other) => other !== subnet && contains(other, subnet)),
  );
  return { subnets, leftOut: [...leftOut].map(([subnet, why]) => ({ subnet, why })), own };
}

function reasonAgainst(subnet: Subnet): string | undefined {
  if (!PRIVATE.some((block) => contains(block, subnet))) return "not private";
  if (subnet.prefix > BITS - 2) return "no room for another host";
  return subnet.prefix < WIDEST_PREFIX ? `larger than /${WIDEST_PREFIX}` : undefined;
}

function contains(outer: Subnet, inner: Subnet): boolean {
  return (
    outer.prefix <= inner.prefix && inner.first >= outer.first && inner.first < outer.first + sizeOf(outer)
  );
}

function addressText(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join(".");
}
