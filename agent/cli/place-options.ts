import { type Command, InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import type { DriverDefinition } from "../../drivers/driver.ts";
import { bundledProfile, bundledProfiles } from "../../drivers/profile/bundled.ts";
import { compileProfile } from "../../drivers/profile/compile.ts";
import type { CompiledProfile } from "../../drivers/profile/compiled.ts";
import { loadProfile } from "../../drivers/profile/load.ts";
import { gatewayCatalogue } from "../../firmware-bridge/catalogue.ts";
import type { DeviceConfig } from "../config/config.ts";

/** Where a device is, as the command line says it. */
export interface PlaceOptions {
  readonly host?: string;
  readonly port?: number;
  readonly line?: string;
  readonly unit?: number;
}

/** Adds the options of {@link PlaceOptions} to a command. */
export function withPlace(command: Command): Command {
  return command
    .option("--host <name>", "Modbus TCP device or gateway")
    .option("--port <number>", "its port", (text) => whole(text, 65_535))
    .option(
      "--line <address>",
      "instead of --host: serial:///dev/ttyUSB0?baud=9600&format=8N1 or tcp://HOST:PORT",
    )
    .option("--unit <number>", "Modbus unit", (text) => whole(text, 255));
}

/** A profile that comes with the project, or a file. */
export function profileOf(nameOrFile: string): CompiledProfile {
  return bundledProfiles().includes(nameOrFile)
    ? bundledProfile(nameOrFile)
    : compileProfile("profile", loadProfile(nameOrFile));
}

/** The device of a profile at a place. Throws Problem `config-place` when the place is none. */
export function placedDevice(nameOrFile: string, place: PlaceOptions): DeviceConfig {
  const { host, port, line, unit } = place;
  const { name } = profileOf(nameOrFile);
  const definition: DriverDefinition = gatewayCatalogue.find(name);
  const options = {
    ...(name === "profile" ? { profile: nameOrFile } : {}),
    ...defined({ host, port, line, unit }),
  };
  const parsed = definition.schema.safeParse(options);
  if (!parsed.success) throw wrongPlace(parsed.error.issues[0]);
  return {
    id: "device",
    definition,
    options: parsed.data,
    intervalMs: 1000,
    channels: {},
  };
}

function wrongPlace(
  issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined,
): Problem {
  const { path = [], message = "not a place" } = issue ?? {};
  return new Problem("config-place", message, {
    ...(path.length === 0 ? {} : { where: `--${path.map(String).join(".")}` }),
    hint: "say where the device is with --host, or with --line",
  });
}

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function whole(text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new InvalidArgumentError(`expected a whole number up to ${most}, got "${text}"`);
}
