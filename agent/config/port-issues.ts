import type { DriverDefinition, UsedPort } from "../../drivers/driver.ts";
import { lineName } from "../../drivers/line/address.ts";
import { lineKey } from "../../drivers/line/line-key.ts";
import { coprocessorPort } from "../../firmware-bridge/coprocessor/lines.ts";
import type { ConfigIssue } from "../../runtime/config-issues.ts";
import type { RawConfig } from "./schema.ts";

/** A device whose options its driver's schema has taken. */
interface PlacedDevice {
  readonly definition: Pick<DriverDefinition, "name" | "ports">;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Entries that want one serial port and cannot take turns on it, or want it with other settings. A serial server takes
 * as many clients as it likes, and is not looked at.
 */
export function portIssues(
  { signer }: Pick<RawConfig, "signer">,
  opened: readonly (PlacedDevice | undefined)[],
): ConfigIssue[] {
  const known = new Map<string, Use>();
  return [...signerUses(signer), ...opened.flatMap(deviceUses)].flatMap((use) => {
    if (use.address.kind !== "serial") return [];
    const key = lineKey(use.address, known);
    const first = known.get(key);
    if (first !== undefined) return issuesBetween(first, use);
    known.set(key, use);
    return [];
  });
}

/** One entry that wants a line. */
interface Use extends UsedPort {
  readonly path: readonly PropertyKey[];
  /** How messages call whoever wants it. */
  readonly user: string;
}

/** The signer comes first: what collides with it is a device. */
function signerUses(signer: RawConfig["signer"]): Use[] {
  if (signer === undefined) return [];
  return [{ ...coprocessorPort(signer.coprocessor), path: ["signer", "coprocessor"], user: "coprocessor" }];
}

function deviceUses(device: PlacedDevice | undefined, index: number): Use[] {
  const { definition, options } = device ?? {};
  const ports = options === undefined ? [] : (definition?.ports?.(options) ?? []);
  return ports.map((port) => ({ ...port, path: ["devices", index, "line"], user: definition?.name ?? "" }));
}

function issuesBetween(first: Use, use: Use): ConfigIssue[] {
  const place = first.path.map(String).join(".");
  if (use.sharedBy === undefined || use.sharedBy !== first.sharedBy) return [taken(first, use, place)];
  return use.settings === first.settings ? [] : [differing(first, use, place)];
}

function taken(first: Use, { path, address, user }: Use, place: string): ConfigIssue {
  const both = user === first.user ? `two of ${user}` : `${first.user} and ${user}`;
  return {
    path,
    what: `${both} cannot share a serial port`,
    detail: {
      expected: "a port of its own",
      got: `${lineName(address)}, which ${place} has already${otherName(first, address)}`,
      hint: "correct one of the two, or give it an adapter of its own; ls -l /dev/serial/by-id lists the ports",
    },
  };
}

function differing(first: Use, { path, address, settings = "", sharedBy }: Use, place: string): ConfigIssue {
  const more = sharedBy === "modbus" ? ", and connectDelayMs" : "";
  return {
    path,
    what: "devices on one serial port need the same settings",
    detail: {
      expected: `${first.settings}, as ${place} has ${lineName(address)}`,
      got: settings,
      hint: `set all devices of the line alike, and say so in each entry: line: …?baud=9600&format=8N1${more}`,
    },
  };
}

/** Two names may lead to one port, which nobody sees in the file. */
function otherName(first: Use, address: UsedPort["address"]): string {
  const name = lineName(first.address);
  return name === lineName(address) ? "" : ` as ${name}`;
}
