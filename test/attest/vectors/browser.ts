import { portableSuite } from "../../../attest/index.ts";
import { remembering, runVector } from "./run.ts";
import { parseVector } from "./schema.ts";

/** What a page runs: the texts of vector files in, what each check says out, as JSON. */
export function runTexts(texts: readonly string[]): string {
  const suite = remembering(portableSuite);
  return JSON.stringify(texts.map((text) => runVector(suite, parseVector(text))));
}
