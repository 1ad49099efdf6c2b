import { stringify } from "yaml";
import type { Candidate } from "../../drivers/discovery/recognise.ts";
import { sameFormat } from "../../drivers/discovery/serial-format.ts";
import type { DriverDefinition, MeterIdentity } from "../../drivers/driver.ts";
import { formatText, type SerialFormat } from "../../drivers/line/address.ts";
import { type LineSettings, METER_FORMAT } from "../../drivers/modbus/settings.ts";
import { formatOf } from "../../drivers/profile/delivery.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import type { DeviceConfig } from "../config/config.ts";

/** A device as it stands in the configuration, less its id. */
export interface ScanEntry {
  readonly driver: string;
  /** The driver's own keys: the place, and only what its defaults do not say. */
  readonly options: Readonly<Record<string, string | number>>;
  readonly definition: DriverDefinition;
  /** How often it is to be read, where the configuration's default does not suit such meters. */
  readonly intervalSeconds?: number;
}

/** An entry of a driver that the catalogue has. */
export function scanEntry(driver: string, options: ScanEntry["options"]): ScanEntry {
  return { driver, options, definition: gatewayCatalogue.find(driver) };
}

/** The entry of a candidate at a place; undefined when its driver cannot be used there. */
export function entryOf(candidate: Candidate, place: LineSettings, unit: number): ScanEntry | undefined {
  const { driver } = candidate;
  const definition = gatewayCatalogue.find(driver);
  const where = placeKeys(candidate, place);
  const bare = definition.schema.safeParse(where);
  if (!bare.success) return undefined;
  const same = (key: string, value: number): Record<string, number> =>
    bare.data[key] === value ? {} : { [key]: value };
  const options = {
    ...where,
    ...(place.transport === "tcp" ? same("port", place.port) : {}),
    ...same("unit", unit),
  };
  return { driver, options, definition };
}

/** What the agent would make of the entry. */
export function configOf({ options, definition }: ScanEntry, id: string): DeviceConfig {
  return { id, definition, options: definition.schema.parse(options), intervalMs: 0, channels: {} };
}

/** The entry in YAML, as an element of "devices"; comments stand above it. */
export function entryYaml(entry: ScanEntry, id: string, comments: readonly string[]): string {
  const { driver, options, intervalSeconds } = entry;
  const pace = intervalSeconds === undefined ? {} : { intervalSeconds };
  const [first, ...rest] = stringify({ id, driver, ...options, ...pace }, { lineWidth: 0 })
    .trimEnd()
    .split("\n");
  const lines = [
    ...comments.map((comment) => `# ${comment}`),
    `- ${first}`,
    ...rest.map((line) => `  ${line}`),
  ];
  return lines.map((line) => `  ${line}\n`).join("");
}

const LONGEST_ID = 60;

/** A name for a device that nobody has yet; the configuration takes a-z, 0-9 and hyphens. */
export function freshId(
  driver: string,
  identity: MeterIdentity | undefined,
  taken: ReadonlySet<string>,
): string {
  const said = driver === "sunspec" && identity !== undefined ? `${identity.make} ${identity.model}` : driver;
  const words = said.toLowerCase().match(/[a-z0-9]+/g) ?? [driver];
  const base = words.join("-").slice(0, LONGEST_ID).replace(/-$/, "");
  let id = base;
  for (let number = 2; taken.has(id); number++) id = `${base}-${number}`;
  return id;
}

/** How a line's address is written in the configuration; the settings are left out where they are the device's own. */
export function lineAddress(path: string, format: SerialFormat, own?: SerialFormat): string {
  const address = `serial://${path.split("/").map(encodeURIComponent).join("/")}`;
  const [baud, frame] = formatText(format).split(" ");
  return own !== undefined && sameFormat(format, own) ? address : `${address}?baud=${baud}&format=${frame}`;
}

function placeKeys({ profile }: Candidate, place: LineSettings): Record<string, string> {
  if (place.transport !== "rtu") return { host: place.host };
  const serial = profile?.compiled.profile.transport.serial;
  return { line: lineAddress(place.path, place, serial === undefined ? METER_FORMAT : formatOf(serial)) };
}
