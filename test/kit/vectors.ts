import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import type { z } from "zod";

/** Public test vectors lie beside the project, not in it: each has its own source and licence. */
const VECTORS = join(import.meta.dirname, "../../../shared/vectors");

/** A describe block over vectors. Without them it is one skipped test that says why. */
export function describeVectors(title: string, body: () => void): void {
  const absent = !existsSync(VECTORS);
  describe(title, absent ? () => it.skip("../shared/vectors is not beside the project") : body);
}

/** One JSON file of the vectors, checked against the shape that the test expects. */
export function readVectors<Shape extends z.ZodType>(path: string, shape: Shape): z.output<Shape> {
  return shape.parse(JSON.parse(readText(path)));
}

/** The text of one file of the vectors, for those that JSON.parse would round. */
export function readText(path: string): string {
  return readFileSync(join(VECTORS, path), "utf8");
}

/** Paths of all JSON files below a folder of the vectors, sorted. */
export function listVectors(folder: string): string[] {
  return readdirSync(join(VECTORS, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => `${folder}/${name}`);
}

/** Prints how many vectors a test ran, so that an empty run is seen. */
export function reportCount(what: string, count: number): void {
  console.log(`vectors: ${what}: ${count}`);
}
