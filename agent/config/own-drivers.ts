import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { builtinModules } from "node:module";
import { compileFunction } from "node:vm";
import * as zod from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { catalogueOf, type DriverCatalogue } from "../../drivers/catalogue.ts";
import type { DriverDefinition } from "../../drivers/driver.ts";
import * as driversEntry from "../../drivers/index.ts";

/** A driver from outside of this repository: its file, and what the file must be. */
export interface OwnDriverConfig {
  readonly file: string;
  /** SHA-256 of the file, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

const MAX_FILE_BYTES = 4 * 1024 ** 2;

/**
 * What a driver may `require`: the contract, the schema library that the contract speaks, and what a line or a decoder needs
 * of Node. That keeps an honest driver honest about what it needs; it is no prison (docs/add-a-device.md).
 */
const HOUSE: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["kilowitness/drivers", driversEntry],
  ["zod", zod],
]);
const BUILTINS: readonly string[] = ["buffer", "crypto", "dgram", "dns", "events", "net", "stream", "timers"];

/**
 * The drivers of the catalogue and those that the configuration names with their digest. Their code runs when this
 * returns: it is the very bytes that were held against the digest.
 *
 * @param resolve makes a path of the configuration absolute
 * @throws Problem `driver-file`, `driver-digest`, or what the catalogue refuses
 */
export function withOwnDrivers(
  catalogue: DriverCatalogue,
  own: readonly OwnDriverConfig[],
  resolve: (file: string) => string,
): DriverCatalogue {
  if (own.length === 0) return catalogue;
  const definitions = own.map(({ file, sha256 }) => loadOwnDriver(resolve(file), sha256));
  return catalogueOf(definitions, { names: catalogue.names, load: (name) => catalogue.find(name) });
}

function loadOwnDriver(path: string, sha256: string): DriverDefinition {
  const source = readSource(path);
  const got = createHash("sha256").update(source).digest("hex");
  if (got !== sha256)
    throw new Problem("driver-digest", "the driver is not the one that the configuration names", {
      where: path,
      expected: `SHA-256 ${sha256}`,
      got,
      hint: "read what has changed in it, then write the new digest (sha256sum) into the configuration",
    });
  return definitionOf(path, run(path, source.toString("utf8")));
}

function readSource(path: string): Buffer {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      if (size > MAX_FILE_BYTES) throw new Error(`the file has ${size} bytes, at most ${MAX_FILE_BYTES}`);
      const bytes = Buffer.alloc(size);
      return bytes.subarray(0, readSync(file, bytes, 0, size, 0));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fileProblem(path, { got: describeProblem(cause).message, cause });
  }
}

/** One CommonJS file: everything that it needs is in it, or asked for by the names that it may ask for. */
function run(path: string, source: string): unknown {
  const module: { exports: unknown } = { exports: {} };
  try {
    const body = compileFunction(source, ["exports", "require", "module"], { filename: path });
    body(module.exports, (name: string) => required(path, name), module);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw fileProblem(path, {
      got: describeProblem(cause).message,
      hint: "bundle the driver into one CommonJS file, with kilowitness/drivers and zod left outside",
      cause,
    });
  }
  return module.exports;
}

function required(path: string, name: string): unknown {
  const plain = name.replace(/^node:/, "");
  if (HOUSE.has(name)) return HOUSE.get(name);
  if (BUILTINS.includes(plain) && builtinModules.includes(plain)) return process.getBuiltinModule(plain);
  throw new Problem("driver-file", `the driver asks for ${JSON.stringify(name)}`, {
    where: path,
    expected: [...HOUSE.keys(), ...BUILTINS.map((one) => `node:${one}`)].join(", "),
    hint: "bundle everything else into the file",
  });
}

function definitionOf(path: string, exported: unknown): DriverDefinition {
  const driver = isRecord(exported) ? exported["driver"] : undefined;
  const missing = isRecord(driver) ? missingPart(driver) : "an export called driver";
  if (missing !== undefined) throw fileProblem(path, { expected: missing, got: "none" });
  // Its parts have just been looked at; what `open` gives is held to the contract by whoever uses it.
  return driver as unknown as DriverDefinition;
}

function missingPart(driver: Record<string, unknown>): string | undefined {
  if (typeof driver["name"] !== "string") return "driver.name, a text";
  if (typeof driver["summary"] !== "string") return "driver.summary, a text";
  if (!(driver["schema"] instanceof zod.ZodObject))
    return "driver.schema, a z.strictObject of require('zod')";
  if (driver["ports"] !== undefined && typeof driver["ports"] !== "function")
    return "driver.ports, a function, or none";
  return typeof driver["open"] === "function" ? undefined : "driver.open, a function";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function fileProblem(
  path: string,
  detail: {
    readonly expected?: string;
    readonly got?: string;
    readonly hint?: string;
    readonly cause?: unknown;
  },
): Problem {
  return new Problem("driver-file", "the driver's file cannot be used", { where: path, ...detail });
}
