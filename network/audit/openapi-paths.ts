import {
  inPath,
  inQuery,
  jsonAnswer,
  listOf,
  objectOf,
  orNull,
  type PathItems,
  refusals,
} from "../http/openapi-parts.ts";
import { VERDICTS } from "./audit-record.ts";

const TAGS = ["audits"];
const TEXT = { type: "string" };
const NUMBER = { type: "integer" };
const KEY = inPath("key", "the device's key", { type: "string", pattern: "^[0-9a-f]{64}$" });
const ID = { type: "integer", minimum: 1 };
const AUDIT = {
  ...{ id: NUMBER, epoch: NUMBER, seq: NUMBER, channel: NUMBER, leafTime: TEXT, audited: TEXT },
  ...{ verdict: { type: "string", enum: [...VERDICTS] }, detail: TEXT },
  ...{ value: TEXT, expected: TEXT, got: TEXT },
};
const DIFFERENCE = ["value", "expected", "got"];
const EVIDENCE = ["frame", "leaf", "path", "checkpoint"];

/** What became of audits, as the OpenAPI document describes it. */
export const AUDIT_PATHS: PathItems = {
  "/devices/{key}/audits": {
    get: {
      ...{ summary: "audits of a device by raw frames, newest first", tags: TAGS },
      parameters: [
        KEY,
        inQuery("before", "number of the audit before which the page begins", { schema: ID }),
        inQuery("limit", "most audits", { schema: { ...ID, maximum: 100 } }),
      ],
      responses: {
        200: jsonAnswer(
          "a page",
          objectOf({ audits: listOf(objectOf(AUDIT, DIFFERENCE)), next: orNull("string") }),
        ),
        ...refusals(400, 401, 403),
      },
    },
  },
  "/devices/{key}/audits/{id}": {
    get: {
      ...{ summary: "one audit, with the frame and the leaf that differ", tags: TAGS },
      parameters: [KEY, inPath("id", "number of the audit", ID)],
      responses: {
        200: jsonAnswer(
          "the audit; evidence in hexadecimal where it differs",
          objectOf({ ...AUDIT, frame: TEXT, leaf: TEXT, path: TEXT, checkpoint: TEXT }, [
            ...DIFFERENCE,
            ...EVIDENCE,
          ]),
        ),
        ...refusals(400, 401, 403, 404),
      },
    },
  },
};
