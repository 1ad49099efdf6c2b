import type { Candidate, Certainty } from "../../drivers/discovery/recognise.ts";
import type { PlaceReport } from "../../drivers/discovery/terms.ts";
import type { MeterIdentity } from "../../drivers/driver.ts";
import { formatText } from "../../drivers/line/address.ts";
import { type LineSettings, nameOfLine } from "../../drivers/modbus/settings.ts";
import type { DeviceConfig } from "../config/config.ts";
import { freshId } from "./scan-entry.ts";
import type { Look } from "./scan-look.ts";
import { isConfiguredMeter, type MeterFinding, type SeenMeter } from "./scan-meters.ts";
import type { ScanResult, SeenUnit } from "./scan-run.ts";

/** A device that was recognised. */
export interface Finding {
  /** Its name in the configuration: the one it has there already, or a fresh one. */
  readonly id: string;
  readonly seen: SeenUnit;
  readonly best: Look;
  /** Other drivers that fit as well, as far as its registers say. */
  readonly others: readonly Look[];
  readonly certainty: Certainty;
  /** Its driver could read it with exactly the entry that is proposed. */
  readonly readable: boolean;
  /** The device was found before under this name, at another place. */
  readonly sameAs?: string;
  /** The configuration reads it already. */
  readonly configured: boolean;
}

/** A unit that answers and is not recognised. */
export interface Stranger {
  readonly seen: SeenUnit;
  /** What it says of itself, if it says anything. */
  readonly says: readonly string[];
  /** Drivers that nothing speaks against, and nothing for. */
  readonly hints: readonly Candidate[];
}

/** What a scan found, told apart. */
export interface Findings {
  readonly devices: readonly Finding[];
  /** Meters that were found without Modbus. */
  readonly meters: readonly MeterFinding[];
  readonly strangers: readonly Stranger[];
  /** Where somebody takes a connection and is no device. */
  readonly empty: readonly PlaceReport[];
}

/** Names and tells apart what a scan has seen; `configured` are devices that the configuration has. */
export function findingsOf(result: ScanResult, configured: readonly DeviceConfig[]): Findings {
  const names = new Names(configured);
  const devices: Finding[] = [];
  const strangers: Stranger[] = [];
  for (const seen of result.seen) {
    const [best, ...rest] = seen.looks;
    if (best === undefined) {
      strangers.push(strangerOf(seen));
      continue;
    }
    const known = configured.find((device) => isAt(device, seen));
    const named = names.of(known, best.entry.driver, best.result.identity);
    devices.push({
      ...named,
      ...{ seen, best, certainty: best.candidate.certainty },
      others: rest.filter(({ result }) => result.problem === undefined),
      readable: best.result.problem === undefined,
    });
  }
  const meters = result.meters.map((seen) => meterFinding(seen, configured, names));
  return { devices, meters, strangers, empty: result.places.filter(({ nothing }) => nothing !== undefined) };
}

function meterFinding(seen: SeenMeter, configured: readonly DeviceConfig[], names: Names): MeterFinding {
  const identity = seen.result?.identity ?? seen.meter.identity;
  const known = configured.find((device) => isConfiguredMeter(device, seen));
  const readable = seen.result !== undefined && seen.result.problem === undefined;
  return { ...names.of(known, seen.entry.driver, identity), seen, identity, readable };
}

type Named = Pick<Finding, "id" | "sameAs" | "configured">;

/** Gives every device its name in the configuration, and remembers who was found already. */
class Names {
  readonly #taken: Set<string>;
  readonly #serials = new Map<string, string>();

  constructor(configured: readonly DeviceConfig[]) {
    this.#taken = new Set(configured.map(({ id }) => id));
  }

  of(known: DeviceConfig | undefined, driver: string, identity: MeterIdentity | undefined): Named {
    const id = known?.id ?? freshId(driver, identity, this.#taken);
    this.#taken.add(id);
    const key = serialKey(identity);
    const sameAs = key === undefined ? undefined : this.#serials.get(key);
    if (key !== undefined && sameAs === undefined) this.#serials.set(key, id);
    return { id, configured: known !== undefined, ...(sameAs === undefined ? {} : { sameAs }) };
  }
}

/** Whether a device belongs into the block that is proposed. */
export function isProposed({ readable, sameAs, configured }: Finding): boolean {
  return readable && sameAs === undefined && !configured;
}

/** "192.168.1.20:502", "/dev/ttyUSB0 9600 8N1". */
export function placeText(place: LineSettings): string {
  const name = nameOfLine(place);
  return place.transport === "tcp" ? name : `${name} ${formatText(place)}`;
}

function strangerOf(seen: SeenUnit): Stranger {
  const { facts, candidates } = seen.unit;
  return { seen, says: [...(facts.objects?.values() ?? [])], hints: candidates };
}

/** Undefined without a serial number: then nothing says that two devices are one. */
function serialKey(identity: MeterIdentity | undefined): string | undefined {
  if (identity === undefined || !/[^0\s]/.test(identity.serial)) return undefined;
  return JSON.stringify([identity.make, identity.model, identity.serial]);
}

function isAt({ options }: DeviceConfig, { place, unit }: SeenUnit): boolean {
  const { host, port, line, unit: configuredUnit } = options;
  if (configuredUnit !== unit.unit) return false;
  if (place.transport !== "rtu") return host === place.host && port === place.port;
  return typeof line === "object" && line !== null && "path" in line && line.path === place.path;
}
