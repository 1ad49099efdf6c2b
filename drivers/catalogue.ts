import { Problem } from "../attest/problem.ts";
import { dlmsPushDriver } from "./dlms/driver.ts";
import type { DriverDefinition } from "./driver.ts";
import { dsmrP1Driver } from "./dsmr/driver.ts";
import { iec62056Driver } from "./iec62056/driver.ts";
import { mbusDriver } from "./mbus/driver.ts";
import { bundledProfile, bundledProfiles } from "./profile/bundled.ts";
import { driverOfProfile, profileDriver } from "./profile/definition.ts";
import { smlDriver } from "./sml/driver.ts";
import { smaSpeedwireDriver } from "./speedwire/driver.ts";
import { sunspecDriver } from "./sunspec/driver.ts";
import { vedirectDriver } from "./vedirect/driver.ts";

/** All kinds of device that a program knows. */
export interface DriverCatalogue {
  /** In order. */
  readonly names: readonly string[];
  /** In the order of their names. Loads every profile; who wants one driver asks {@link find} for it. */
  readonly definitions: readonly DriverDefinition[];
  /** The driver of that name. Throws Problem `driver-unknown`, which lists the known names. */
  find(name: string): DriverDefinition;
}

/** Keys of a device's configuration that are not its driver's: they mean the same for every device. */
export const COMMON_DEVICE_KEYS: readonly string[] = [
  "id",
  "driver",
  "intervalSeconds",
  "intervalMs",
  "channels",
  "relay",
];

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Drivers that are made when they are asked for: profiles are many, and a gateway uses two or three. */
export interface LazyDrivers {
  readonly names: readonly string[];
  /** The driver of one of the names. */
  load(name: string): DriverDefinition;
}

const NO_MORE: LazyDrivers = { names: [], load: (name) => unknownDriver(name, []) };

/**
 * A catalogue of exactly these drivers.
 *
 * @throws Problem `driver-name` unless a name is words of a-z and 0-9 with hyphens between, `driver-duplicate` when
 *   two have one name, `driver-schema` when a schema takes unknown keys or claims a key of every device
 */
export function catalogueOf(
  definitions: readonly DriverDefinition[],
  lazy: LazyDrivers = NO_MORE,
): DriverCatalogue {
  const known = new Map<string, DriverDefinition>();
  for (const definition of definitions) {
    checkDefinition(definition);
    if (known.has(definition.name)) throw duplicate(definition.name);
    known.set(definition.name, definition);
  }
  for (const name of lazy.names) {
    checkName(name);
    if (known.has(name)) throw duplicate(name);
  }
  const names = [...known.keys(), ...lazy.names].sort();
  const find = (name: string): DriverDefinition => {
    const found = known.get(name) ?? (lazy.names.includes(name) ? lazy.load(name) : undefined);
    if (found === undefined) return unknownDriver(name, names);
    if (!known.has(name)) checkDefinition(found);
    known.set(name, found);
    return found;
  };
  return {
    names,
    find,
    get definitions() {
      return names.map(find);
    },
  };
}

/** Meters that speak a protocol of their own. */
const PROTOCOL_DRIVERS: readonly DriverDefinition[] = [
  ...[dsmrP1Driver, smlDriver, dlmsPushDriver, iec62056Driver, mbusDriver],
  ...[vedirectDriver, smaSpeedwireDriver, sunspecDriver],
];

/** Every driver that comes with the project: these, and a driver for every profile in drivers/profiles/. */
export const driverCatalogue: DriverCatalogue = catalogueOf([...PROTOCOL_DRIVERS, profileDriver], {
  names: bundledProfiles(),
  load: (name) => driverOfProfile(bundledProfile(name)),
});

function duplicate(name: string): Problem {
  return new Problem("driver-duplicate", "two drivers have one name", {
    where: `driver catalogue: ${name}`,
    hint: "rename one of them",
  });
}

function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new Problem("driver-name", "not a name of a driver", {
    where: "driver catalogue",
    expected: "lower-case words with hyphens between, such as dsmr-p1",
    got: JSON.stringify(name),
  });
}

function checkDefinition({ name, schema }: DriverDefinition): void {
  checkName(name);
  const claimed = COMMON_DEVICE_KEYS.filter((key) => key in schema.shape);
  if (claimed.length > 0)
    throw new Problem("driver-schema", "a driver's own option has the name of a key of every device", {
      where: `driver ${name}`,
      got: claimed.join(", "),
      hint: "rename the option",
    });
  if (schema.def.catchall?._zod.def.type !== "never")
    throw new Problem("driver-schema", "the schema would drop unknown keys without a word", {
      where: `driver ${name}`,
      expected: "z.strictObject",
    });
}

function unknownDriver(name: string, known: readonly string[]): never {
  throw new Problem("driver-unknown", "there is no such driver", {
    where: "driver",
    expected: namesInWords(known),
    got: JSON.stringify(name),
  });
}

/** More names than this are no help in a line of text. */
const MOST_LISTED = 8;

/** What a message says of the names that there are. */
export function namesInWords(names: readonly string[]): string {
  if (names.length <= MOST_LISTED) return `one of ${names.join(", ")}`;
  return `one of the ${names.length} drivers that 'kilowitness drivers' lists`;
}
