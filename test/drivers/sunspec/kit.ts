import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import type { PolledMeter } from "../../../drivers/driver.ts";
import type { ModbusServer } from "../../../drivers/simulated/modbus-server.ts";
import { parseRegisterImage, type RegisterImage } from "../../../drivers/simulated/register-image.ts";
import type { SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import { chainRegisters, type ModelRegisters } from "../../../drivers/simulated/sunspec-map.ts";
import { commonModel } from "../../../drivers/simulated/sunspec-models.ts";
import {
  type SunSpecSuite,
  simulatedCommon,
  startSunSpecSuite,
} from "../../../drivers/simulated/sunspec-suite.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";

const CORPUS = join(import.meta.dirname, "../../../../shared/corpora/sunspec");

/** A describe block over recorded devices. Without them it is one skipped test that says why. */
export function describeCorpus(title: string, body: () => void): void {
  const absent = !existsSync(CORPUS);
  describe(title, absent ? () => it.skip("../shared/corpora/sunspec is not beside the project") : body);
}

export function corpusImage(name: string): RegisterImage {
  return parseRegisterImage(JSON.parse(readFileSync(join(CORPUS, `${name}.json`), "utf8")));
}

export function corpusText(path: string): string {
  return readFileSync(join(CORPUS, path), "utf8");
}

/** Things to close after a test, last opened first. */
export function cleanupAfterEach(): (close: () => Promise<unknown>) => void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return (close) => cleanups.push(close);
}

export function openSunSpec(server: ModbusServer, options: object = {}): PolledMeter {
  const { host, port } = server;
  const parsed = sunspecDriver.schema.parse({ host, port, timeoutMs: 1000, ...options });
  const meter = sunspecDriver.open(parsed);
  if (meter.mode !== "polled") throw new Error("the SunSpec driver is polled");
  return meter;
}

/** A simulated device of these models behind model 1, and the driver on it. Both are closed by `later`. */
export async function openSuite(
  later: (close: () => Promise<unknown>) => void,
  suite: Partial<SunSpecSuite> & { readonly make?: string },
  options: object = {},
): Promise<{
  readonly meter: PolledMeter;
  readonly server: ModbusServer;
  readonly requests: SuiteRequest[];
}> {
  const requests: SuiteRequest[] = [];
  const models = suite.models ?? (() => []);
  const server = await startSunSpecSuite({
    ...suite,
    port: 0,
    models: () => [simulatedCommon("T-1", suite.make), ...models()],
    onServed: ({ start, count }) => requests.push({ start, count }),
  });
  later(() => server.close());
  const meter = openSunSpec(server, options);
  later(() => meter.close());
  return { meter, server, requests };
}

/** A request that was answered whole. */
export interface SuiteRequest {
  readonly start: number;
  readonly count: number;
}

/** A device's models as a fixed list. */
export function fixed(...models: readonly SimulatedModel[]): () => readonly SimulatedModel[] {
  return () => models;
}

/** An image at 40000 with model 1 and these models. */
export function imageOf(...models: readonly ModelRegisters[]): RegisterImage {
  return {
    blocks: [{ start: 40000, registers: chainRegisters([commonModel({ serial: "T-1" }), ...models]) }],
  };
}

/** Code of the Problem that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await problemOf(promise)).code;
}

export async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const outcome = await promise.then(
    () => "no Problem",
    (error: unknown) => error,
  );
  if (outcome instanceof Problem) return outcome;
  throw new Error(`expected a Problem, got ${String(outcome)}`);
}

/** Holding registers that were read, and the address of the first. */
export type ReadRun = readonly [start: number, registers: readonly (number | null)[]];

/** SHA-256 over runs as docs/audits.md draws them: function 3, address, number, and the registers as on the wire. */
export function frameDigest(...runs: readonly ReadRun[]): Uint8Array {
  const words = runs.flatMap(([start, registers]) => [3, start, registers.length, ...registers]);
  const bytes = Uint8Array.from(words.flatMap((word) => [(word ?? 0) >> 8, (word ?? 0) & 0xff]));
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}
