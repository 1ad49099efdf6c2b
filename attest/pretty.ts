import { isFile, readFile, showFile } from "./pretty-file.ts";
import { readLeaf, readLeaves, showLeaves } from "./pretty-leaf.ts";
import { readObject, showObject } from "./pretty-object.ts";
import { describeJson, isJsonList, type Json, type JsonMap, parseJson, writeJson } from "./pretty-text.ts";
import { requireMap } from "./pretty-value.ts";
import { Problem } from "./problem.ts";

/** Tag 18 of COSE_Sign1. */
const OBJECT = 0xd2;

/**
 * The JSON of whatever `bytes` are: a leaf, a list for leaves back to back, a signed object, a proof or fault file.
 * Throws what is wrong with it: `cbor-…`, `leaf-…`, `field`, `cose-…`, `proof-format`, `fault-format`.
 */
export function sealedToJson(bytes: Uint8Array): string {
  return writeJson(showSealed(bytes));
}

/** The way back from {@link sealedToJson}. Throws as `leafFromJson` and `objectFromJson` do. */
export function sealedFromJson(text: string): Uint8Array {
  const json = parseJson(text);
  if (isJsonList(json)) return readSeveral(json);
  const map = requireMap(json, "$");
  if (map.has("kind")) return readLeaf(map, "$");
  if (map.has("type")) return readObject(map, "$");
  if (map.has("format")) return readFile(map, "$");
  throw new Problem("json-form", "neither a leaf nor a signed object nor a file", {
    where: "$",
    expected: 'a property "kind", "type" or "format", or a list of leaves',
    got: namesOf(map),
  });
}

function showSealed(bytes: Uint8Array): Json {
  if (bytes[0] === OBJECT) return showObject(bytes);
  if (isFile(bytes)) return showFile(bytes);
  const leaves = showLeaves(bytes);
  const [only] = leaves;
  return only !== undefined && leaves.length === 1 ? only : leaves;
}

function namesOf(map: JsonMap): string {
  const [first] = map.keys();
  return first === undefined ? "an empty map" : `${describeJson(first)} first`;
}

/** One leaf stands by itself, or there would be two texts for the same bytes. */
function readSeveral(json: readonly Json[]): Uint8Array {
  const bytes = readLeaves(json, "$");
  if (json.length !== 1) return bytes;
  throw new Problem("json-form", "a single leaf in a list", {
    ...{ where: "$", expected: "the leaf itself", got: "a list of 1" },
  });
}
