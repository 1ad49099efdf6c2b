import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseVector, type Vector } from "./schema.ts";

/** Where the vectors are kept. */
export const FOLDER: string = join(import.meta.dirname, "../../../attest/vectors");

/** Names of all vector files, sorted, without `.json`. */
export function vectorNames(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
  return files.map((file) => file.slice(0, -".json".length)).sort();
}

/** The text of one vector file. */
export function vectorText(name: string): string {
  return readFileSync(join(FOLDER, `${name}.json`), "utf8");
}

/** All vectors that are kept, by name. */
export function loadVectors(): Vector[] {
  return vectorNames().map((name) => parseVector(vectorText(name)));
}
