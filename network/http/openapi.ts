import type { PathItems } from "./openapi-parts.ts";
import { PATHS } from "./openapi-paths.ts";
import { SCHEMAS } from "./openapi-schemas.ts";

/** What a node answers over HTTP, in the terms of https://spec.openapis.org/oas/v3.1.0. */
export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: object;
  readonly security: readonly object[];
  readonly paths: PathItems;
  readonly components: object;
}

const INFO = {
  title: "Kilowitness node",
  version: "1",
  description:
    "Questions about devices, intervals and proofs, and the operator's side of enrolling. Without a token file whoever " +
    "is on the node's machine may ask, and nobody may operate.",
};
const BEARER = { type: "http", scheme: "bearer" };
const SECURITY = {
  peer: { ...BEARER, description: "a token of any kind; none without a token file" },
  read: { ...BEARER, description: "a token that may read or operate; none without a token file" },
  operate: { ...BEARER, description: "a token that may operate" },
};

/** The document with the routes of other parts of the node. */
export function openApiDocument(extraPaths: PathItems = {}): OpenApiDocument {
  return {
    openapi: "3.1.0",
    info: INFO,
    security: [{ read: [] }],
    paths: { ...PATHS, ...extraPaths },
    components: { schemas: SCHEMAS, securitySchemes: SECURITY },
  };
}
