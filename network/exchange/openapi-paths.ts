import { inQuery, jsonAnswer, listOf, objectOf, type PathItems, refusals } from "../http/openapi-parts.ts";
import { MOST_HEADS, MOST_LEVELS } from "./questions.ts";

const EXCHANGE = ["exchange"];
const PEER = [{ peer: [] }];
const HEX32 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const SIGNED = { type: "string", contentEncoding: "base64" };
const LOG = inQuery("log", "log id", { required: true, schema: HEX32 });
const HASHES = jsonAnswer("hashes, from left to right", objectOf({ hashes: listOf(HEX32) }));

function whole(name: string, description: string, maximum?: number): object {
  const schema = { type: "integer", minimum: 0, ...(maximum === undefined ? {} : { maximum }) };
  return inQuery(name, description, { required: true, schema });
}

/** What peers ask, as the OpenAPI document describes it. */
export const EXCHANGE_PATHS: PathItems = {
  "/exchange/heads": {
    get: {
      ...{ summary: "newest checkpoints of the logs that moved", tags: EXCHANGE, security: PEER },
      parameters: [
        inQuery("after", "cursor of the answer before", {}),
        inQuery("limit", "most heads", { schema: { type: "integer", minimum: 1, maximum: MOST_HEADS } }),
      ],
      responses: { 200: jsonAnswer("a page", pageSchema()), ...refusals(400, 401, 403) },
    },
  },
  "/exchange/peaks": {
    get: {
      ...{ summary: "complete subtrees of the first leaves of a log", tags: EXCHANGE, security: PEER },
      parameters: [LOG, whole("size", "number of leaves")],
      responses: { 200: HASHES, ...refusals(400, 401, 403, 404) },
    },
  },
  "/exchange/subtree": {
    get: {
      ...{ summary: "nodes below the node of a complete subtree", tags: EXCHANGE, security: PEER },
      parameters: [
        ...[LOG, whole("level", "log2 of the subtree's leaves"), whole("index", "its number at that level")],
        whole("depth", "levels below it", MOST_LEVELS),
      ],
      responses: { 200: HASHES, ...refusals(400, 401, 403, 404) },
    },
  },
  "/exchange/leaf": {
    get: {
      ...{
        summary: "a leaf, against proof that another one was signed in its place",
        tags: EXCHANGE,
        security: PEER,
      },
      parameters: [
        ...[LOG, whole("seq", "index of the leaf")],
        inQuery("checkpoint", "the device's checkpoint over the other leaf, base64url", {}),
        inQuery("leafHash", "hash of the other leaf", { schema: HEX32 }),
        inQuery("hashes", "hashes of its multiproof back to back, base64url", {}),
      ],
      responses: {
        200: { description: "the leaf's bytes", content: { "application/octet-stream": { schema: {} } } },
        ...refusals(400, 401, 403, 404),
      },
    },
  },
};

function pageSchema(): object {
  const head = {
    ...{ deviceKey: HEX32, epoch: { type: "integer" }, size: { type: "integer" } },
    ...{ checkpoint: SIGNED, receipt: SIGNED },
  };
  return objectOf({
    ...{ cursor: { type: "string" }, isLast: { type: "boolean" }, heads: listOf(objectOf(head)) },
  });
}
