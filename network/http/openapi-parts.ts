/** One operation of an OpenAPI 3.1 document. */
export interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
}

export type Method = "get" | "post" | "delete";
/** Operations by path, as OpenAPI writes it: `/devices/{key}`. */
export type PathItems = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;

const CODES: Readonly<Record<string, string>> = {
  400: "a parameter or the body is wrong",
  401: "a token is needed, or it is not known",
  403: "the token does not allow it, or the Host header is not this machine's",
  404: "there is no such thing",
  409: "not as things stand; the message says why",
};

/** A parameter in the path. */
export function inPath(name: string, description: string, schema: object = { type: "string" }): object {
  return { name, in: "path", required: true, description, schema };
}

/** A parameter behind the `?`. */
export function inQuery(
  name: string,
  description: string,
  {
    required = false,
    schema = { type: "string" },
  }: { readonly required?: boolean; readonly schema?: object },
): object {
  return { name, in: "query", required, description, schema };
}

/** The schema of that name in the document. */
export function schemaRef(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** An answer in JSON. */
export function jsonAnswer(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}

/** An answer that is a file of evidence, in CBOR. */
export function cborAnswer(description: string): object {
  return { description, content: { "application/cbor": { schema: {} } } };
}

/** Refusals by their status, each `{code, message}`. */
export function refusals(...statuses: readonly number[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    statuses.map((status) => [String(status), jsonAnswer(CODES[status] ?? "refused", schemaRef("Problem"))]),
  );
}

/** An object with these properties, each of which is there unless it is among `optional`. */
export function objectOf(
  properties: Readonly<Record<string, object>>,
  optional: readonly string[] = [],
): object {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", required, properties };
}

export function listOf(items: object): object {
  return { type: "array", items };
}

export function orNull(type: string): object {
  return { type: [type, "null"] };
}
