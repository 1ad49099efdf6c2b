import {
  cborAnswer,
  inPath,
  inQuery,
  jsonAnswer,
  listOf,
  type Operation,
  objectOf,
  orNull,
  type PathItems,
  refusals,
} from "../http/openapi-parts.ts";
import {
  CALL,
  CHALLENGE,
  CHALLENGE_ORDER,
  COMMITMENT,
  COMMITMENT_ORDER,
  DISPATCH,
  DISPATCH_ORDER,
} from "./openapi-bodies.ts";

const TAGS = ["flexibility"];
const OPERATE = [{ operate: [] }];
const TEXT = { type: "string" };
const COUNT = { type: "integer", minimum: 0 };
const ANY = { type: "object" };
const KEY = inPath("key", "the device's key", { type: "string", pattern: "^[0-9a-f]{64}$" });
const ID = inPath("id", "the order's id", { type: "string", pattern: "^[0-9a-f]{32}$" });
const PAGE = [
  inQuery("before", "as next has it", { schema: { type: "integer", minimum: 1 } }),
  inQuery("limit", "most orders", { schema: { type: "integer", minimum: 1, maximum: 100 } }),
];
const NEXT = orNull("string");
const TRACK = {
  ...{ epoch: COUNT, asOf: TEXT, commitments: listOf(ANY), delivered: COUNT, partial: COUNT, failed: COUNT },
  ...{ unsettled: COUNT, optedOut: COUNT, unavailable: COUNT, notCalled: COUNT, open: COUNT },
  ...{
    disagreements: COUNT,
    challenges: ANY,
    committedMwh: { type: "integer" },
    deliveredMwh: { type: "integer" },
  },
};
const FLEXIBILITY = {
  ...{ epoch: COUNT, intervalSeconds: { type: "number" }, lastLeaf: TEXT, offers: listOf(ANY) },
  ...{ commitments: listOf(ANY), readings: listOf(ANY), orders: listOf(ANY), next: NEXT },
};

function question(summary: string, schema: object, parameters: readonly object[]): Operation {
  return {
    ...{ summary, tags: TAGS, parameters: [KEY, ...parameters] },
    responses: { 200: jsonAnswer("as it stands", schema), ...refusals(400, 401, 403, 404) },
  };
}

interface OrderRoute {
  readonly summary: string;
  readonly answer: object;
  readonly body?: object;
  readonly parameters?: readonly object[];
}

function order({ summary, answer, body, parameters = [] }: OrderRoute): Operation {
  return {
    ...{ summary, tags: TAGS, security: OPERATE, parameters: [KEY, ...parameters] },
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: { 201: jsonAnswer("what was signed", answer), ...refusals(400, 401, 403, 404, 409) },
  };
}

/** The routes about flexibility, as the OpenAPI document describes them. */
export const FLEXIBILITY_PATHS: PathItems = {
  "/devices/{key}/flexibility": {
    get: question("offers, open commitments, readings and newest orders", objectOf(FLEXIBILITY), PAGE),
  },
  "/devices/{key}/commitments": {
    get: question(
      "commitments that this node has signed, newest first",
      objectOf({ commitments: listOf(COMMITMENT_ORDER), next: NEXT }),
      PAGE,
    ),
    post: order({ summary: "bind the device to deliver", body: COMMITMENT, answer: COMMITMENT_ORDER }),
  },
  "/devices/{key}/commitments/{id}": {
    get: question("one commitment, its dispatches and its settlement", COMMITMENT_ORDER, [ID]),
  },
  "/devices/{key}/commitments/{id}/call": {
    post: order({
      ...{ summary: "dispatch a commitment, by runs of equal power", parameters: [ID], body: CALL },
      answer: objectOf({ dispatches: listOf(DISPATCH_ORDER) }),
    }),
  },
  "/devices/{key}/commitments/{id}/proof": {
    get: {
      ...{ summary: "the settlement proof of a commitment", tags: TAGS, parameters: [KEY, ID] },
      responses: { 200: cborAnswer("what kilowitness verify takes"), ...refusals(400, 401, 403, 404, 409) },
    },
  },
  "/devices/{key}/dispatches": {
    post: order({
      summary: "have a device keep to a value for a time",
      body: DISPATCH,
      answer: DISPATCH_ORDER,
    }),
  },
  "/devices/{key}/dispatches/{id}/withdraw": {
    post: order({
      ...{ summary: "end a dispatch; the answer is the order that does it", parameters: [ID] },
      answer: DISPATCH_ORDER,
    }),
  },
  "/devices/{key}/challenges": {
    get: question(
      "challenges that this node has signed, newest first",
      objectOf({ challenges: listOf(CHALLENGE_ORDER), next: NEXT }),
      PAGE,
    ),
    post: order({ summary: "have a device show that it can flex", body: CHALLENGE, answer: CHALLENGE_ORDER }),
  },
  "/devices/{key}/challenges/{id}": {
    get: question("one challenge and its verdict", CHALLENGE_ORDER, [ID]),
  },
  "/devices/{key}/track-record": {
    get: question("how its commitments and challenges have ended", objectOf(TRACK), []),
  },
};
