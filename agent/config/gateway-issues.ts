import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pulseDriver, pulseOptions } from "../../firmware-bridge/pulse/driver.ts";
import type { PulseOptions } from "../../firmware-bridge/pulse/pulse-meter.ts";
import type { ConfigIssue } from "../../runtime/config-issues.ts";
import type { RawConfig } from "./schema.ts";

/** A device whose options its driver's schema has taken. */
export interface OpenedDevice {
  readonly definition: { readonly name: string };
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * What does not fit together in what the gateway's own pins do: lines, register files, relays, enclosures.
 *
 * @param config its files as absolute paths
 */
export function gatewayIssues(
  config: RawConfig,
  opened: readonly (OpenedDevice | undefined)[],
): ConfigIssue[] {
  return [
    ...repeated(linesOf(config, opened), {
      what: "a GPIO line can be used once",
      hint: "gpioinfo lists the lines of each chip; correct one of the two",
    }),
    ...repeated(filesOf(config, opened), {
      what: "a file can keep one thing",
      hint: "give each its own",
    }),
    ...relayIssues(config),
    ...enclosureIssues(config),
  ];
}

/** One use of something that can be used once. */
interface Use {
  readonly path: readonly PropertyKey[];
  /** Equal for two uses of the same thing. */
  readonly key: string;
}

function linesOf({ devices, tamper }: RawConfig, opened: readonly (OpenedDevice | undefined)[]): Use[] {
  const pulses = pulseMeters(opened).map(({ index, options }) => ({
    ...{ path: ["devices", index, "line"], key: lineKey(options) },
  }));
  const relays = devices.flatMap(({ relay }, index) =>
    (relay?.lines ?? []).map((line, at) => ({
      ...{ path: ["devices", index, "relay", "lines", at, "line"], key: lineKey(line) },
    })),
  );
  const enclosures = tamper.map(({ line }, index) => ({
    ...{ path: ["tamper", index, "line"], key: lineKey(line) },
  }));
  return [...pulses, ...relays, ...enclosures];
}

/** Files that are written, each by one device; the agent's own are others. */
const OWN_FILES = ["registerFile", "stateFile"] as const;

function filesOf({ key, journal }: RawConfig, opened: readonly (OpenedDevice | undefined)[]): Use[] {
  const own = Object.entries({ key, journal }).map(([name, file]) => ({ path: [name], key: realPath(file) }));
  const kept = opened.flatMap((device, index) =>
    OWN_FILES.flatMap((key) => {
      const file = device?.options[key];
      return typeof file === "string" ? [{ path: ["devices", index, key], key: realPath(file) }] : [];
    }),
  );
  return [...own, ...kept];
}

function pulseMeters(
  opened: readonly (OpenedDevice | undefined)[],
): { readonly index: number; readonly options: PulseOptions }[] {
  return opened.flatMap((device, index) =>
    device?.definition.name === pulseDriver.name ? [{ index, options: pulseOptions(device.options) }] : [],
  );
}

function repeated(
  uses: readonly Use[],
  { what, hint }: { readonly what: string; readonly hint: string },
): ConfigIssue[] {
  return uses.flatMap(({ path, key }, index) => {
    const first = uses.find((other) => other.key === key);
    if (first === undefined || first === uses[index]) return [];
    const got = `${key}, which ${first.path.map(String).join(".")} has already`;
    return [{ path, what, detail: { expected: "each one once", got, hint } }];
  });
}

/** `gpiochip0 line 17`. A chip has several names: its number, gpiochip0, /dev/gpiochip0, and links to that; its label is not resolved. */
function lineKey({ chip, line }: { readonly chip: string; readonly line: number }): string {
  const name = /^\d+$/.test(chip) ? `gpiochip${chip}` : chip;
  return `${name.includes("/") ? basename(realPath(name)) : name} line ${line}`;
}

/** Where links lead, as far as they are there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there yet: it is made in its folder, if that is there.
    const folder = dirname(path);
    return folder === path ? path : join(realPath(folder), basename(path));
  }
}

function relayIssues({ control, devices }: RawConfig): ConfigIssue[] {
  const known = (control?.resources ?? []).map(({ device }) => device);
  return devices.flatMap(({ id, relay }, index) => {
    if (relay === undefined || known.includes(id)) return [];
    return [
      {
        path: ["devices", index, "relay"],
        what: "nobody could ever switch this relay",
        detail: {
          expected: `${JSON.stringify(id)} among the devices of control.resources`,
          got: known.length === 0 ? "none there" : known.join(", "),
          hint: `add to control.resources: { device: ${id}, boundary: device }`,
        },
      },
    ];
  });
}

function enclosureIssues({ tamper }: RawConfig): ConfigIssue[] {
  const uses = tamper.map(({ input }, index) => ({ path: ["tamper", index, "name"], key: input }));
  return repeated(uses, { what: "two enclosures have one name", hint: "the log tells them apart by it" });
}
