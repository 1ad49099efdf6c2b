import { Problem } from "../attest/problem.ts";
import type { DriverDefinition } from "./driver.ts";
import { dsmrP1Driver } from "./dsmr/driver.ts";
import { sunspecDriver } from "./sunspec/driver.ts";

/** All kinds of device that a program knows. */
export interface DriverCatalogue {
  /** In the order of their names. */
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
];

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/**
 * A catalogue of exactly these drivers.
 *
 * @throws Problem `driver-name` unless a name is words of a-z and 0-9 with hyphens between, `driver-duplicate` when
 *   two have one name, `driver-schema` when a schema takes unknown keys or claims a key of every device
 */
export function catalogueOf(definitions: readonly DriverDefinition[]): DriverCatalogue {
  const byName = new Map<string, DriverDefinition>();
  for (const definition of definitions) {
    checkDefinition(definition);
    if (byName.has(definition.name))
      throw new Problem("driver-duplicate", "two drivers have one name", {
        where: `driver catalogue: ${definition.name}`,
        hint: "rename one of them",
      });
    byName.set(definition.name, definition);
  }
  const names = [...byName.keys()].sort();
  const sorted = names.flatMap((name) => byName.get(name) ?? []);
  return { definitions: sorted, find: (name) => byName.get(name) ?? unknownDriver(name, names) };
}

/** Every driver that comes with the project. To add one, add it here. */
export const driverCatalogue: DriverCatalogue = catalogueOf([dsmrP1Driver, sunspecDriver]);

function checkDefinition({ name, schema }: DriverDefinition): void {
  if (!NAME.test(name))
    throw new Problem("driver-name", "not a name of a driver", {
      where: "driver catalogue",
      expected: "lower-case words with hyphens between, such as dsmr-p1",
      got: JSON.stringify(name),
    });
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
    expected: `one of ${known.join(", ")}`,
    got: JSON.stringify(name),
  });
}
