import { DEFAULT_CODE_HOURS, MAX_CODE_HOURS, MAX_LABEL_CHARACTERS } from "../enrolment/operator.ts";
import { ENROLMENT_STATES } from "../enrolment/records.ts";
import {
  cborAnswer,
  inPath,
  inQuery,
  jsonAnswer,
  objectOf,
  type PathItems,
  refusals,
  schemaRef,
} from "./openapi-parts.ts";

const DEVICE = ["devices"];
const OPERATE = [{ operate: [] }];
const ENROLLING = ["enrolment"];
const KEY = inPath("key", "device key", { type: "string", pattern: "^[0-9a-f]{64}$" });
const TIME = { type: "string", description: "ISO 8601 with zone, or ms since 1970" };
const CHANNEL = inQuery("channel", "name or number of the channel", { required: true });

function time(name: string, description: string, required = false): object {
  return inQuery(name, description, { required, schema: TIME });
}

function limit(maximum: number): object {
  return inQuery("limit", "most entries of one page", { schema: { type: "integer", minimum: 1, maximum } });
}

function after(description: string): object {
  return inQuery("after", description, {});
}

const NODE_PATHS: PathItems = {
  "/": {
    get: {
      ...{ summary: "network, node key, and the paths there are", tags: ["node"] },
      responses: { 200: jsonAnswer("the node", schemaRef("Node")), ...refusals(401) },
    },
  },
  "/key": {
    get: {
      ...{ summary: "the node's key", tags: ["node"] },
      responses: { 200: jsonAnswer("the key", schemaRef("NodeKey")), ...refusals(401) },
    },
  },
  "/openapi.json": {
    get: {
      ...{ summary: "this document", tags: ["node"] },
      responses: { 200: jsonAnswer("OpenAPI 3.1", { type: "object" }), ...refusals(401) },
    },
  },
  "/healthz": {
    get: {
      ...{ summary: "whether batches are taken and stored", tags: ["node"], security: [{}] },
      responses: {
        200: jsonAnswer("they are", schemaRef("Health")),
        503: jsonAnswer("they are not, and why", schemaRef("Health")),
      },
    },
  },
  "/metrics": {
    get: {
      ...{ summary: "numbers for Prometheus", tags: ["node"] },
      responses: {
        200: { description: "text format 0.0.4", content: { "text/plain": { schema: { type: "string" } } } },
        ...refusals(401),
      },
    },
  },
};

const DEVICE_PATHS: PathItems = {
  "/devices": {
    get: {
      ...{ summary: "devices by key", tags: DEVICE, parameters: [after("key of the last one"), limit(100)] },
      responses: { 200: jsonAnswer("one page", schemaRef("Devices")), ...refusals(400, 401) },
    },
  },
  "/devices/{key}": {
    get: {
      ...{ summary: "logs, receipts, enclosures, channels", tags: DEVICE, parameters: [KEY] },
      responses: { 200: jsonAnswer("the device", schemaRef("Device")), ...refusals(400, 401, 404) },
    },
  },
  "/devices/{key}/live": {
    get: {
      ...{ summary: "what its channels show now; unsigned, never evidence", tags: DEVICE, parameters: [KEY] },
      responses: { 200: jsonAnswer("newest values", schemaRef("Live")), ...refusals(400, 401, 404) },
    },
  },
  "/devices/{key}/faults": {
    get: {
      ...{ summary: "what is kept against it", tags: DEVICE, parameters: [KEY] },
      responses: { 200: jsonAnswer("kept faults", schemaRef("Faults")), ...refusals(400, 401) },
    },
  },
  "/devices/{key}/intervals": {
    get: {
      ...{ summary: "closed intervals of a channel within a span", tags: DEVICE },
      parameters: [
        ...[KEY, CHANNEL, time("from", "begin of the span"), time("to", "end of the span")],
        ...[limit(1000), after("EPOCH.SEQ, as next has it")],
      ],
      responses: { 200: jsonAnswer("one page", schemaRef("Intervals")), ...refusals(400, 401, 404) },
    },
  },
  "/devices/{key}/readings": {
    get: {
      ...{ summary: "stored readings of a channel in log order", tags: DEVICE },
      parameters: [
        ...[
          KEY,
          CHANNEL,
          time("from", "not those before"),
          limit(10_000),
          after("EPOCH.SEQ, as next has it"),
        ],
      ],
      responses: { 200: jsonAnswer("one page", schemaRef("Readings")), ...refusals(400, 401, 404) },
    },
  },
};

const PROOF_PATHS: PathItems = {
  "/devices/{key}/faults/{id}": {
    get: {
      ...{ summary: "the fault file that shows it to anybody", tags: ["proofs"] },
      parameters: [KEY, inPath("id", "number of the fault", { type: "integer", minimum: 1 })],
      responses: { 200: cborAnswer("what kilowitness verify takes"), ...refusals(400, 401, 404) },
    },
  },
  "/devices/{key}/proof": {
    get: {
      ...{ summary: "proof of a channel's energy from one time to another", tags: ["proofs"] },
      parameters: [
        ...[KEY, CHANNEL, time("from", "begin of a closed interval", true)],
        time("to", "end of a closed interval", true),
      ],
      responses: { 200: cborAnswer("what kilowitness verify takes"), ...refusals(400, 401, 404, 409) },
    },
  },
  "/devices/{key}/flexibility-proof": {
    get: {
      ...{ summary: "proof of a channel's last flexibility reading at or before a time", tags: ["proofs"] },
      parameters: [KEY, CHANNEL, time("at", "the time", true)],
      responses: { 200: cborAnswer("what kilowitness verify takes"), ...refusals(400, 401, 404, 409) },
    },
  },
};

const LABEL = { type: "string", maxLength: MAX_LABEL_CHARACTERS };
const HOURS = { type: "integer", minimum: 1, maximum: MAX_CODE_HOURS, default: DEFAULT_CODE_HOURS };

function body(properties: Readonly<Record<string, object>>): object {
  const schema = { ...objectOf(properties, Object.keys(properties)), additionalProperties: false };
  return { required: false, content: { "application/json": { schema } } };
}

const ENROLMENT_PATHS: PathItems = {
  "/enrolments": {
    get: {
      ...{ summary: "keys that are enrolled, wait, or were decided on", tags: ENROLLING },
      parameters: [
        inQuery("state", "only these", { schema: { enum: ENROLMENT_STATES } }),
        ...[after("key of the last one"), limit(100)],
      ],
      responses: { 200: jsonAnswer("one page", schemaRef("Enrolments")), ...refusals(400, 401) },
    },
  },
  "/enrolments/{key}": {
    get: {
      ...{ summary: "one key, with the signed statements", tags: ENROLLING, parameters: [KEY] },
      responses: { 200: jsonAnswer("the key", schemaRef("EnrolmentRecord")), ...refusals(400, 401, 404) },
    },
    delete: {
      ...{
        summary: "forget a key: it has to ask anew",
        tags: ENROLLING,
        parameters: [KEY],
        security: OPERATE,
      },
      responses: { 200: jsonAnswer("done", schemaRef("Removed")), ...refusals(400, 401, 403, 404) },
    },
  },
  "/enrolments/{key}/approve": {
    post: {
      ...{ summary: "let the key in when it next connects", tags: ENROLLING, security: OPERATE },
      ...{ parameters: [KEY], requestBody: body({ label: LABEL }) },
      responses: {
        200: jsonAnswer("the key", schemaRef("EnrolmentRecord")),
        ...refusals(400, 401, 403, 409),
      },
    },
  },
  "/enrolments/{key}/reject": {
    post: {
      ...{ summary: "turn the key away from now on", tags: ENROLLING, parameters: [KEY], security: OPERATE },
      responses: {
        200: jsonAnswer("the key", schemaRef("EnrolmentRecord")),
        ...refusals(400, 401, 403, 409),
      },
    },
  },
  "/enrolment-codes": {
    get: {
      ...{ summary: "codes that nobody has used, without the codes", tags: ENROLLING, security: OPERATE },
      responses: { 200: jsonAnswer("the codes", schemaRef("Codes")), ...refusals(401, 403) },
    },
    post: {
      ...{ summary: "make a one-time code", tags: ENROLLING, security: OPERATE },
      requestBody: body({ label: LABEL, hours: HOURS }),
      responses: { 201: jsonAnswer("the code", schemaRef("NewCode")), ...refusals(400, 401, 403, 409) },
    },
  },
  "/enrolment-codes/{id}": {
    delete: {
      ...{ summary: "make a code useless", tags: ENROLLING, security: OPERATE },
      parameters: [inPath("id", "number of the code", { type: "integer", minimum: 1 })],
      responses: { 200: jsonAnswer("done", schemaRef("Removed")), ...refusals(400, 401, 403, 404) },
    },
  },
};

/** Every question and command of a node by itself. */
export const PATHS: PathItems = { ...NODE_PATHS, ...DEVICE_PATHS, ...PROOF_PATHS, ...ENROLMENT_PATHS };
